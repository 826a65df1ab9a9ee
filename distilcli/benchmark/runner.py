"""The whole benchmark: every precision, size and model, with the models alternating."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

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
from distilcli.engine.workers import workers_on
from distilcli.errors import ResourceError
from distilcli.model.hardware import available_cores
from distilcli.model.precision_name import Precision
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


class _Contender(NamedTuple):
    """A model with its workers."""

    model: ModelUnderTest
    runner: BatchRunner


def run(plan: Plan, voice: Voice) -> Report:
    """Measure everything in `plan`, with a warning for precisions that the device lacks.

    Raises `ResourceError` if it lacks all, and what loading a model raises.
    """
    report = Report()
    longest = max(seq for seq, _ in plan.sizes)
    names = [plan.model, *([] if plan.rival is None else [plan.rival])]
    for precision in plan.precisions:
        try:
            models = [
                open_model(
                    name, precision, device=plan.device, offline=plan.offline, longest=longest
                )
                for name in names
            ]
        except ResourceError as refusal:
            report.skipped[precision] = str(refusal)
            if len(report.skipped) == len(plan.precisions):
                raise
            voice.warn(f"{refusal}; skipped")
            continue
        _measure_precision(plan, models, report, voice)
        del models
    return report


def _measure_precision(
    plan: Plan, models: Sequence[ModelUnderTest], report: Report, voice: Voice
) -> None:
    """Measure every size, and add to `report`."""
    device, precision = models[0].device, models[0].precision
    workers = workers_on(device, cores=plan.threads or available_cores())
    most = BatchOptions().tokens_on(device.type)
    with ExitStack() as stack:
        contenders = []
        for model in models:
            runner = BatchRunner(model.forward, device=device, workers=workers, max_tokens=most)
            contenders.append(_Contender(model, stack.enter_context(runner)))
        if not report.environment:
            report.environment = describe_machine([device], threads=workers)
        peak = PeakFlops(precision, device, workers=workers)
        peak.sample()
        measured = [
            _measure_size(plan, contenders, voice, seq=seq, batch=batch)
            for seq, batch in plan.sizes
        ]
        peak.sample()
    for (seq, batch), found in zip(plan.sizes, measured, strict=True):
        results = [
            _result(each.model, one, seq=seq, batch=batch, threads=workers, ceiling=peak.per_second)
            for each, one in zip(contenders, found, strict=True)
        ]
        report.results += results
        if plan.rival is not None:
            report.comparisons.append(compare_rounds(results, found))


def _measure_size(
    plan: Plan, contenders: Sequence[_Contender], voice: Voice, *, seq: int, batch: int
) -> list[Measured]:
    """Measure one size of every contender, and write the model's trace."""
    model = contenders[0].model
    voice.note(f"measuring {model.precision}, seq {seq:,}, batch {batch:,}")
    halvings = [each.runner.halvings for each in contenders]
    measured = _measure(contenders, plan.effort, seq=seq, batch=batch)
    for (each, runner), before in zip(contenders, halvings, strict=True):
        if runner.halvings > before:
            voice.warn(
                f"{each.name}, {each.precision}, seq {seq:,}, batch {batch:,}: memory ran out; "
                f"from here on batches have at most {runner.max_tokens:,} tokens; use a smaller "
                "`batch` or fewer `threads`"
            )
    if (path := plan.trace(model.precision, seq=seq, batch=batch)) is not None:
        voice.show_profile(profile_model(model, path, seq=seq, batch=batch))
        voice.note(f"the trace is in {path}")
    return measured


def _measure(
    contenders: Sequence[_Contender], effort: Effort, *, seq: int, batch: int
) -> list[Measured]:
    """Measure the memory of every contender, then its rounds; the contenders alternate."""
    turns = []
    for model, runner in contenders:
        pieces = model.pieces(seq=seq, batch=batch)
        watch = MemoryWatch(model.device, held=model.held)
        warm_up(runner, pieces, seconds=effort.seconds)
        runner.run(pieces, times=runner.workers)  # one alone runs on the calling thread
        turns.append((runner, pieces, Measured(watch.read())))
    measured = [found for _, _, found in turns]
    for runner, pieces, _ in turns[:-1]:  # the next watch returned their free memory
        runner.run(pieces)
        runner.run(pieces, times=runner.workers)
    for _ in range(effort.rounds):
        for runner, pieces, found in turns:
            found.rounds.append(measure_round(runner, pieces, effort))
        turns.reverse()  # going first is not the same as going second
    return measured


def _result(
    model: ModelUnderTest, measured: Measured, *, seq: int, batch: int, threads: int, ceiling: float
) -> Result:
    latency_ms, interval = latency_of(measured)
    setting = Setting(
        model=model.name, device=str(model.device), precision=model.precision,
        seq=seq, batch=batch, threads=threads,
    )  # fmt: skip
    return Result(
        setting=setting, latency_ms=latency_ms, p50_interval_ms=interval,
        timings=len(measured.latencies), batches_per_second=measured.batches_per_second,
        flops_per_sequence=forward_flops(model.config, seq), ceiling=ceiling,
        memory=measured.memory, model_bytes=model.bytes, parameters=model.parameters,
    )  # fmt: skip
