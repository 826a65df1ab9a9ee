"""The options of `distil bench`: what to measure, and the gates."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distilcli.commands import _options as options
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.benchmark.dataset import DatasetPlan
    from distilcli.benchmark.runner import Plan

_FAIL_OVER = "5%"


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchOptions:
    """The model, the sizes, and how long they are measured."""

    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="A built-in model, a folder, a hub id (@revision), or distilbert-base or "
            "bert-base: random weights in that shape.",
        ),
    ] = "distilbert-base"
    versus: Annotated[
        str | None,
        typer.Option(
            "--vs", metavar="MODEL", help="A rival, measured alternately; shows ratios to it."
        ),
    ] = None
    device: options.DeviceOption = "auto"
    seq: Annotated[int | None, typer.Option("--seq", min=1, help="Tokens per sequence (128).")] = (
        None
    )
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Sequences per batch (1).")
    ] = None
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="LIST",
            help="fp32, tf32, bf16, fp16 or int8; several with commas.",
        ),
    ] = "fp32"
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep",
            metavar="SIZES",
            help="Measure every pair of sizes, e.g. 'seq=32,128,512 batch=1,8,32'.",
        ),
    ] = None
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            metavar="FILE",
            help="Measure a whole run over these rows, from reading to writing, by stage.",
        ),
    ] = None
    text_column: options.TextColumnOption = None
    limit: options.LimitOption = None
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", min=1, help="Rounds in which the models alternate (5)."),
    ] = None
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            min=0,
            help="Seconds per setting, once for latency and once for the rate (3); at least 10 "
            "timings are made.",
        ),
    ] = None
    threads: options.ThreadsOption = None
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="DIR",
            help="Show the time by operator, and write a trace for chrome://tracing to this folder "
            "(or .json file).",
        ),
    ] = None
    offline: options.OfflineOption = False

    def check(self) -> None:
        """Raise `UsageError` for options that contradict each other or have no effect."""
        if self.dataset is None:
            if given := _given(self, "text_column", "limit"):
                raise UsageError(f"`{given}` is for rows; add `dataset` FILE")
        elif given := _given(
            self, "versus", "seq", "batch", "sweep", "rounds", "seconds", "profile"
        ):
            raise UsageError(f"`{given}` is for batches of random ids; leave out `dataset` or it")
        if self.seconds is not None and not math.isfinite(self.seconds):
            raise UsageError(f"`seconds` {self.seconds} never ends; give a number of seconds")
        if self.versus == self.model:
            raise UsageError(f"`versus` {self.versus}: that is the model itself; name another")
        if self.limit == 0:
            raise UsageError("`limit` 0 leaves nothing to measure")

    def plan(self) -> "Plan":
        """Return what to measure; raise `UsageError` for malformed sizes."""
        from distilcli.benchmark.measure import Effort
        from distilcli.benchmark.profiling import check_trace_target
        from distilcli.benchmark.runner import Plan
        from distilcli.benchmark.sweep import parse_precisions, parse_sweep

        effort: dict[str, Any] = {"rounds": self.rounds, "seconds": self.seconds}
        plan = Plan(
            model=self.model,
            rival=self.versus,
            device=self.device,
            precisions=parse_precisions(self.precision),
            sizes=parse_sweep(self.sweep, seq=self.seq, batch=self.batch),
            threads=self.threads,
            effort=Effort(**{name: value for name, value in effort.items() if value is not None}),
            profile=None if self.profile is None else Path(self.profile),
            offline=self.offline,
        )
        if plan.profile is not None:
            check_trace_target(plan.profile, settings=len(plan.sizes) * len(plan.precisions))
        return plan

    def dataset_plan(self, dataset: str) -> "DatasetPlan":
        """Return which rows to run and how."""
        from distilcli.benchmark.dataset import DatasetPlan
        from distilcli.benchmark.sweep import parse_precisions

        return DatasetPlan(
            file=dataset,
            text_column=self.text_column,
            limit=self.limit,
            model=self.model,
            device=self.device,
            precisions=parse_precisions(self.precision),
            threads=self.threads,
            offline=self.offline,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class GateOptions:
    """The gates: if one fails, the exit code is 7."""

    compare: Annotated[
        str | None,
        typer.Option(
            "--compare", metavar="FILE", help="An older benchmark, from --stats, to compare with."
        ),
    ] = None
    fail_over: Annotated[
        str | None,
        typer.Option(
            "--fail-over",
            metavar="SHARE",
            help="With --compare: exit with 7 if a p50 is longer or a rate lower by more than this "
            "(5%).",
        ),
    ] = None
    most_p95_ms: Annotated[
        float | None,
        typer.Option("--max-p95-ms", metavar="MS", min=0, help="Exit with 7 if a p95 is longer."),
    ] = None

    def check(self, *, of_dataset: bool) -> None:
        """Raise `UsageError` for options that contradict each other or have no effect."""
        if of_dataset and (given := _given(self, "compare", "most_p95_ms")):
            raise UsageError(f"`{given}` is for batches of random ids; leave out `dataset` or it")
        if self.fail_over is not None and self.compare is None:
            raise UsageError("`fail_over` is for `compare`; name an older benchmark")

    @property
    def share(self) -> float:
        """How much slower a setting may be, 0.05 for 5 %; raises `UsageError` for other texts."""
        from distilcli.benchmark.sweep import parse_share

        return parse_share(self.fail_over or _FAIL_OVER)


def _given(options: object, *names: str) -> str | None:
    """Return the first of these options that was given."""
    return next((name for name in names if getattr(options, name) is not None), None)
