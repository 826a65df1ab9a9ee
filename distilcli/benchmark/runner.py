"""The whole benchmark: every precision, size and model, with the models alternating."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from distilcli.benchmark.batch_runner import BatchRunner
from distilcli.benchmark.comparison import compare_rounds
from distilcli.benchmark.flops import forward_flops
from distilcli.benchmark.measure import Effort, Measured, measure_round, warm_up
from distilcli.benchmark.memory import MemoryWatch
from distilcli.benchmark.model_under_test import ModelUnderTest, open_model
from distilcli.benchmark.peak_flops import PeakFlops
from distilcli.benchmark.profiling import profile_model, trace_path
from distilcli.benchmark.report import Report, describe_machine
from distilcli.benchmark.result import Result, Setting, latency_of
from distilcli.engine.batching import Piece
from distilcli.engine.workers import workers_on
from distilcli.errors import ResourceError
from distilcli.model.hardware import available_cores
from distilcli.model.precision import Precision
from distilcli.tasks.settings import BatchOptions

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to measure; `sizes` are pairs of tokens per sequence and sequences per batch.

    With a `rival`, both models are measured alternately. `profile` is the target of traces.
    """

    model: str
    rival: str | None = None
    device: str = "auto"
    precisions: Sequence[Precision] = ("fp32",)
    sizes: Sequence[tuple[int, int]] = ((128, 1),)
    threads: int | None = None
    effort: Effort = field(default_factory=Effort)
    profile: Path | None = None
    offline: bool = False

    def trace(self, precision: Precision, *, seq: int, batch: int) -> Path | None:
        """Return the file for the trace of a setting."""
        name = f"{precision}-seq{seq}-batch{batch}"
        return None if self.profile is None else trace_path(self.profile, name)

    @property
    def traces(self) -> list[Path]:
        """The files of all traces."""
        paths = (
            self.trace(precision, seq=seq, batch=batch)
            for precision in self.precisions
            for seq, batch in self.sizes
        )
        return [path for path in paths if path is not None]


@dataclass(frozen=True, slots=True)
class Voice:
    """Callbacks for progress notes, warnings and profiles."""

    note: Say
    warn: Say
    show_profile: Say


@dataclass(frozen=True, slots=True)
class _Contender:
    """A model with its workers."""

    model: ModelUnderTest
    runner: BatchRunner


def run(plan: Plan, voice: Voice) -> Report:
    """Measure everything in `plan`, with a warning for precisions that the device lacks.

    Raises `ResourceError` if it lacks all, and what loading a model raises.
    """
    report = Report()
    for precision in plan.precisions:
        _measure_precision(plan, precision, report, voice)
    return report


def _measure_precision(plan: Plan, precision: Precision, report: Report, voice: Voice) -> None:
    try:
        models = _open_models(plan, precision)
    except ResourceError as refusal:
        report.skipped[precision] = str(refusal)
        if len(report.skipped) == len(plan.precisions):
            raise
        voice.warn(f"{refusal}; skipped")
        return
    with _at_work(plan, models) as contenders:
        device, workers = contenders[0].model.device, contenders[0].runner.workers
        if not report.environment:
            report.environment = describe_machine(device, threads=workers)
        peak = PeakFlops(precision, device, workers=workers)
        peak.sample()
        measured = [
            _measure_size(plan, precision, contenders, voice, seq=seq, batch=batch)
            for seq, batch in plan.sizes
        ]
        peak.sample()
        for (seq, batch), found in zip(plan.sizes, measured, strict=True):
            results = [
                _result(each, one, seq=seq, batch=batch, ceiling=peak.per_second)
                for each, one in zip(contenders, found, strict=True)
            ]
            report.results += results
            if plan.rival is not None:
                report.comparisons.append(compare_rounds(results, found))


def _measure_size(
    plan: Plan,
    precision: Precision,
    contenders: Sequence[_Contender],
    voice: Voice,
    *,
    seq: int,
    batch: int,
) -> list[Measured]:
    """Measure one size of every contender, and write the model's trace."""
    voice.note(f"measuring {precision}, seq {seq:,}, batch {batch:,}")
    halvings = [each.runner.halvings for each in contenders]
    measured = _measure(contenders, plan.effort, seq=seq, batch=batch)
    for each, before in zip(contenders, halvings, strict=True):
        if each.runner.halvings > before:
            voice.warn(_out_of_memory(each, seq=seq, batch=batch))
    if (path := plan.trace(precision, seq=seq, batch=batch)) is not None:
        voice.show_profile(profile_model(contenders[0].model, path, seq=seq, batch=batch))
        voice.note(f"the trace is in {path}")
    return measured


def _open_models(plan: Plan, precision: Precision) -> list[ModelUnderTest]:
    """Open the model, then its rival."""
    longest = max(seq for seq, _ in plan.sizes)
    return [
        open_model(name, precision, device=plan.device, offline=plan.offline, longest=longest)
        for name in (plan.model, plan.rival)
        if name is not None
    ]


@contextmanager
def _at_work(plan: Plan, models: Sequence[ModelUnderTest]) -> Iterator[list[_Contender]]:
    """Start the workers of each model."""
    cores = plan.threads or available_cores()
    with ExitStack() as stack:
        contenders = []
        for model in models:
            runner = BatchRunner(
                model.forward,
                device=model.device,
                workers=workers_on(model.device, cores=cores),
                max_tokens=BatchOptions().tokens_on(model.device.type),
            )
            contenders.append(_Contender(model, stack.enter_context(runner)))
        yield contenders


def _measure(
    contenders: Sequence[_Contender], effort: Effort, *, seq: int, batch: int
) -> list[Measured]:
    """Measure the memory of every contender, then its rounds; the contenders alternate."""
    measured = []
    turns = []
    for each in contenders:
        pieces = each.model.pieces(seq=seq, batch=batch)
        watch = MemoryWatch(each.model.device, held=each.model.held)
        warm_up(each.runner, pieces, seconds=effort.seconds)
        _run_on_all(each.runner, pieces)
        measured.append(Measured(watch.read()))
        turns.append((each.runner, pieces, measured[-1]))
    for runner, pieces, _ in turns[:-1]:  # the next watch returned their free memory
        runner.run(pieces)
        _run_on_all(runner, pieces)
    for _ in range(effort.rounds):
        for runner, pieces, found in turns:
            found.rounds.append(measure_round(runner, pieces, effort))
        turns.reverse()  # going first is not the same as going second
    return measured


def _run_on_all(runner: BatchRunner, pieces: list[Piece]) -> None:
    """Give a batch to every worker; one alone would run on the calling thread."""
    runner.run(pieces, times=runner.workers)


def _out_of_memory(contender: _Contender, *, seq: int, batch: int) -> str:
    model, most = contender.model, contender.runner.max_tokens
    return (
        f"{model.name}, {model.precision}, seq {seq:,}, batch {batch:,}: memory ran out; from here "
        f"on batches have at most {most:,} tokens; use a smaller `batch` or fewer `threads`"
    )


def _result(
    contender: _Contender, measured: Measured, *, seq: int, batch: int, ceiling: float
) -> Result:
    model = contender.model
    latency_ms, interval = latency_of(measured)
    return Result(
        setting=Setting(
            model=model.name,
            device=str(model.device),
            precision=model.precision,
            seq=seq,
            batch=batch,
            threads=contender.runner.workers,
        ),
        latency_ms=latency_ms,
        p50_interval_ms=interval,
        timings=len(measured.latencies),
        batches_per_second=measured.batches_per_second,
        flops_per_sequence=forward_flops(model.config, seq),
        ceiling=ceiling,
        memory=measured.memory,
        model_bytes=model.bytes,
        parameters=model.parameters,
    )
