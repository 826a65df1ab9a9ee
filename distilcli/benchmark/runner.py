"""The whole of a benchmark: precisions by sizes by contenders, by turns."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from distilcli.benchmark.batch_runner import Carrier
from distilcli.benchmark.comparison import compare_rounds
from distilcli.benchmark.flops import forward_flops
from distilcli.benchmark.measure import Effort, Measured, measure_round, warm_up
from distilcli.benchmark.memory import MemoryWatch
from distilcli.benchmark.model_under_test import Subject, open_subject
from distilcli.benchmark.peak_flops import Ceiling
from distilcli.benchmark.profiling import profile_subject, trace_path
from distilcli.benchmark.report import Report, describe_machine
from distilcli.benchmark.result import Result, Setting, latency_figures
from distilcli.engine.batching import Piece
from distilcli.engine.workers import workers_on
from distilcli.errors import ResourceError
from distilcli.model.hardware import available_cores
from distilcli.model.precision import Precision
from distilcli.tasks.settings import BatchOptions

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is measured: `sizes` are pairs of a length in tokens and a number of sequences.

    With a `rival` each setting is measured of both models by turns. `profile` is where traces go.
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
        """Return where the trace of a setting goes."""
        name = f"{precision}-seq{seq}-batch{batch}"
        return None if self.profile is None else trace_path(self.profile, name)

    @property
    def traces(self) -> list[Path]:
        """Return where every trace goes."""
        found = (
            self.trace(precision, seq=seq, batch=batch)
            for precision in self.precisions
            for seq, batch in self.sizes
        )
        return [path for path in found if path is not None]


@dataclass(frozen=True, slots=True)
class Voice:
    """How the one who asked is told: what is going on, what is left out, and profiles."""

    note: Say
    warn: Say
    show_profile: Say


@dataclass(slots=True)
class _Contender:
    """A model with its workers, and what was found of it in the setting at hand."""

    subject: Subject
    carrier: Carrier
    measured: Measured = field(default_factory=Measured)


def run(plan: Plan, voice: Voice) -> Report:
    """Measure everything in `plan`.

    Of several precisions those that the device does not have are warned of and left out. Raises
    `ResourceError` if none is left, and what loading a model raises.
    """
    report = Report()
    for precision in plan.precisions:
        _measure_precision(plan, precision, report, voice)
    return report


def _measure_precision(plan: Plan, precision: Precision, report: Report, voice: Voice) -> None:
    try:
        subjects = _subjects(plan, precision)
    except ResourceError as refusal:
        report.skipped[precision] = str(refusal)
        if len(report.skipped) == len(plan.precisions):
            raise
        voice.warn(f"{refusal}; left out")
        return
    with _at_work(plan, subjects) as contenders:
        device, workers = contenders[0].subject.device, contenders[0].carrier.workers
        if not report.environment:
            report.environment = describe_machine(device, threads=workers)
        ceiling = Ceiling(precision, device, workers=workers)
        ceiling.sample()
        settings = []
        for seq, batch in plan.sizes:
            voice.note(f"measuring {precision}, seq {seq:,}, batch {batch:,}")
            halvings = [each.carrier.halvings for each in contenders]
            _measure(contenders, plan.effort, seq=seq, batch=batch)
            for each, before in zip(contenders, halvings, strict=True):
                if each.carrier.halvings > before:
                    voice.warn(_halved(each, seq=seq, batch=batch))
            settings.append([each.measured for each in contenders])
            if (path := plan.trace(precision, seq=seq, batch=batch)) is not None:
                voice.show_profile(
                    profile_subject(contenders[0].subject, path, seq=seq, batch=batch)
                )
                voice.note(f"the trace is in {path}")
        ceiling.sample()
        for (seq, batch), found in zip(plan.sizes, settings, strict=True):
            results = [
                _result(each, one, seq=seq, batch=batch, ceiling=ceiling.flops_per_second)
                for each, one in zip(contenders, found, strict=True)
            ]
            report.results += results
            if plan.rival is not None:
                report.comparisons.append(compare_rounds(results, found))


def _subjects(plan: Plan, precision: Precision) -> list[Subject]:
    """Open the model, then its rival."""
    return [
        open_subject(
            name,
            precision,
            device=plan.device,
            offline=plan.offline,
            longest=max(seq for seq, _ in plan.sizes),
        )
        for name in (plan.model, plan.rival)
        if name is not None
    ]


@contextmanager
def _at_work(plan: Plan, subjects: Sequence[Subject]) -> Iterator[list[_Contender]]:
    """Start the workers of each."""
    with ExitStack() as stack:
        yield [
            _Contender(
                subject,
                stack.enter_context(
                    Carrier(
                        subject.forward,
                        device=subject.device,
                        workers=workers_on(subject.device, cores=plan.threads or available_cores()),
                        max_tokens=BatchOptions().tokens_on(subject.device.type),
                    )
                ),
            )
            for subject in subjects
        ]


def _measure(contenders: Sequence[_Contender], effort: Effort, *, seq: int, batch: int) -> None:
    """Measure one setting of every contender; they take turns."""
    turns = [(each, each.subject.pieces(seq=seq, batch=batch)) for each in contenders]
    for each, pieces in turns:
        watch = MemoryWatch(each.subject.device, held=each.subject.held)
        warm_up(each.carrier, pieces, seconds=effort.seconds)
        _carry_by_all(each.carrier, pieces)
        each.measured = Measured(watch.read())
    for each, pieces in turns[:-1]:  # the watch of the next gave back what these had at hand
        each.carrier.carry(pieces)
        _carry_by_all(each.carrier, pieces)
    for _ in range(effort.rounds):
        for each, pieces in turns:
            each.measured.rounds.append(measure_round(each.carrier, pieces, effort))
        turns.reverse()  # who goes first finds another machine than who goes second


def _carry_by_all(carrier: Carrier, pieces: list[Piece]) -> None:
    """Give every worker a batch: one that comes alone is run by who waits for it."""
    carrier.carry(pieces, times=carrier.workers)


def _halved(contender: _Contender, *, seq: int, batch: int) -> str:
    subject, most = contender.subject, contender.carrier.most_tokens
    return (
        f"{subject.name}, {subject.precision}, seq {seq:,}, batch {batch:,}: memory ran out; from "
        f"here on batches have at most {most:,} tokens; use a smaller --batch or fewer --threads"
    )


def _result(
    contender: _Contender, measured: Measured, *, seq: int, batch: int, ceiling: float
) -> Result:
    subject = contender.subject
    latency_ms, interval = latency_figures(measured)
    return Result(
        setting=Setting(
            model=subject.name,
            device=str(subject.device),
            precision=subject.precision,
            seq=seq,
            batch=batch,
            threads=contender.carrier.workers,
        ),
        latency_ms=latency_ms,
        p50_interval_ms=interval,
        timings=len(measured.latencies),
        batches_per_second=measured.batches_per_second,
        flops_per_sequence=forward_flops(subject.config, seq),
        ceiling=ceiling,
        memory=measured.memory,
        model_bytes=subject.bytes,
        parameters=subject.parameters,
    )
