"""What `distil bench` is told of what to measure, and of what must hold."""

import math
from collections.abc import Mapping
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
    """Which model is measured, at which sizes, and how long."""

    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="A built-in model, a folder, a hub id (@revision), or the shape distilbert-base "
            "or bert-base with random weights.",
        ),
    ] = "distilbert-base"
    versus: Annotated[
        str | None,
        typer.Option(
            "--vs", metavar="MODEL", help="Measure this one by turns with it, and give ratios."
        ),
    ] = None
    device: options.DeviceOption = "auto"
    seq: Annotated[int | None, typer.Option("--seq", min=1, help="Tokens in a sequence (128).")] = (
        None
    )
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Sequences in a batch (1).")
    ] = None
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="LIST",
            help="One of fp32, tf32, bf16, fp16, int8, or several with commas between them.",
        ),
    ] = "fp32"
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep",
            metavar="SIZES",
            help="Every pair of such sizes: 'seq=32,128,512 batch=1,8,32'.",
        ),
    ] = None
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            metavar="FILE",
            help="Measure instead a whole run over these rows, by stage, from reading to writing.",
        ),
    ] = None
    text_column: options.TextColumnOption = None
    limit: options.LimitOption = None
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", min=1, help="Rounds in which the models take turns (5)."),
    ] = None
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            min=0,
            help="How long each setting is measured, for latency and for the rate; there are at "
            "least 10 timings (3).",
        ),
    ] = None
    threads: options.ThreadsOption = None
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="DIR",
            help="Show which operators take the time, and write a trace for chrome://tracing "
            "into this folder (or file .json).",
        ),
    ] = None
    offline: options.OfflineOption = False

    def check(self) -> None:
        """Raise `UsageError` for options that cannot be meant together."""
        of_rows = {"--text-column": self.text_column, "--limit": self.limit}
        of_sizes = {
            "--vs": self.versus,
            "--seq": self.seq,
            "--batch": self.batch,
            "--sweep": self.sweep,
            "--rounds": self.rounds,
            "--seconds": self.seconds,
            "--profile": self.profile,
        }
        if self.dataset is None:
            if given := _given(of_rows):
                raise UsageError(f"{given} is for rows; add --dataset FILE")
        elif given := _given(of_sizes):
            raise UsageError(f"{given} is for batches of random ids; leave it out with --dataset")
        if self.seconds is not None and not math.isfinite(self.seconds):
            raise UsageError(f"--seconds {self.seconds} never ends; give a number of seconds")
        if self.versus == self.model:
            raise UsageError(f"--vs {self.versus}: that is the model itself; name another")
        if self.limit == 0:
            raise UsageError("--limit 0 leaves nothing to measure")

    def plan(self) -> "Plan":
        """Return what is measured; raise `UsageError` for sizes that cannot be read."""
        from distilcli.benchmark.measure import Effort
        from distilcli.benchmark.profiling import check_trace_place
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
            check_trace_place(plan.profile, settings=len(plan.sizes) * len(plan.precisions))
        return plan

    def dataset_plan(self, dataset: str) -> "DatasetPlan":
        """Return which rows are run and how."""
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
    """What must hold, or the exit code is 7."""

    compare: Annotated[
        str | None,
        typer.Option(
            "--compare", metavar="FILE", help="An older benchmark, from --json, to set this beside."
        ),
    ] = None
    fail_over: Annotated[
        str | None,
        typer.Option(
            "--fail-over",
            metavar="SHARE",
            help="With --compare: exit with 7 if a p50 is longer, or a rate lower, by more than "
            "this (5%).",
        ),
    ] = None
    most_p95_ms: Annotated[
        float | None,
        typer.Option("--max-p95-ms", metavar="MS", min=0, help="Exit with 7 if a p95 is longer."),
    ] = None

    def check(self, *, of_dataset: bool) -> None:
        """Raise `UsageError` for options that cannot be meant together."""
        given = _given({"--compare": self.compare, "--max-p95-ms": self.most_p95_ms})
        if of_dataset and given:
            raise UsageError(f"{given} is for batches of random ids; leave it out with --dataset")
        if self.fail_over is not None and self.compare is None:
            raise UsageError("--fail-over is for --compare; name an older benchmark")

    @property
    def share(self) -> float:
        """How much slower a setting may be, 0.05 for 5 %; raises `UsageError` for no share."""
        from distilcli.benchmark.sweep import parse_share

        return parse_share(self.fail_over or _FAIL_OVER)


def _given(values: Mapping[str, object]) -> str | None:
    return next((name for name, value in values.items() if value is not None), None)
