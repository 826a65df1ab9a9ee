"""The options of `distil bench`: what to measure, and the thresholds that must hold."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from distilcli.commands._declare import GivenOptions, opt
from distilcli.commands._option_groups import Compute, RowsIn
from distilcli.errors import UsageError
from distilcli.setting import setting

if TYPE_CHECKING:
    from distilcli.benchmark.dataset import DatasetPlan
    from distilcli.benchmark.forecast import Fleet
    from distilcli.benchmark.runner import Plan

MODEL_TYPE = Annotated[
    str,
    opt(
        "A built-in model, a folder, a hub id such as org/name@revision, or distilbert-base or "
        "bert-base: that shape with random weights.",
        "--model",
        "-m",
        metavar="MODEL",
    ),
]
PRECISION_TYPE = Annotated[
    str, opt("fp32, tf32, bf16, fp16 or int8; several with commas.", metavar="LIST")
]
BATCH_TYPE = Annotated[
    int | None, opt("Sequences per batch (default: 1).", topic="Measurement", min=1)
]

_OF_ROWS = (
    "text_column", "join", "limit", "input_format", "no_header", "delimiter", "encoding",
    "max_field_bytes",
)  # fmt: skip
_OF_BATCHES = (
    "versus", "seq", "batch", "sweep", "rounds", "seconds", "profile", "compare", "max_p95_ms",
)  # fmt: skip
_OF_PLANS = ("cores", "gpus", "gpu_rows_per_second", "price_core_hour", "price_gpu_hour")
_MOST = {
    "plan": 1e15, "cores": 1e7, "gpus": 1e6, "gpu_rows_per_second": 1e9,
    "price_core_hour": 1e6, "price_gpu_hour": 1e6,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What to measure, and for how long."""

    topic: ClassVar[str] = "Measurement"

    seq: int | None = setting(None, "Tokens per sequence (default: 128).", min=1)
    sweep: str | None = setting(
        None, "Measure every combination of sizes: 'seq=32,128 batch=1,8'.", metavar="SIZES"
    )
    versus: str | None = setting(
        None, "Measure another model in turn, and report the ratios.", "--vs", metavar="MODEL"
    )
    rounds: int | None = setting(
        None,
        "Rounds that share the time; the median counts, two models alternate (default: 5).",
        min=1,
    )
    seconds: float | None = setting(
        None,
        "Time for each latency and each rate; at least 10 timings are taken (default: 3).",
        min=0,
    )
    profile: str | None = setting(
        None,
        "Show the time per operator, and write a trace for chrome://tracing to this folder "
        "(or .json file).",
        metavar="DIR",
    )
    dataset: str | None = setting(
        None,
        "Measure a whole run over these rows instead, stage by stage.",
        topic="Input",
        metavar="FILE",
    )

    def check(self, given: GivenOptions, compute: Compute) -> None:
        """Raise `UsageError` for options that do not go together."""
        from distilcli.model.device_name import ALL_CUDA

        if self.dataset is None:
            if compute.device == ALL_CUDA:
                raise UsageError(f"`device` {ALL_CUDA} is for whole runs; add `dataset` FILE")
            given.refuse((*_OF_ROWS, "plan"), "is for rows; add `dataset` FILE")
        else:
            given.refuse(_OF_BATCHES, "is for batches of random ids; leave it out with `dataset`")
        if self.seconds is not None and not math.isfinite(self.seconds):
            raise UsageError(f"`seconds` {self.seconds} never ends; give a number of seconds")
        if self.versus == compute.model:
            raise UsageError(f"`versus` {self.versus}: that is the model itself; name another")

    def plan(self, compute: Compute) -> "Plan":
        """Return what to measure; raise `UsageError` for malformed sizes."""
        from distilcli.benchmark.sweep import parse_precisions, parse_sweep

        precisions = parse_precisions(compute.precision)
        sizes = parse_sweep(self.sweep, seq=self.seq, batch=compute.batch)

        from distilcli.benchmark.measure import Effort
        from distilcli.benchmark.profiling import check_trace_target
        from distilcli.benchmark.runner import Plan

        effort: dict[str, Any] = {"rounds": self.rounds, "seconds": self.seconds}
        plan = Plan(
            model=compute.model,
            rival=self.versus,
            device=compute.device,
            precisions=precisions,
            sizes=sizes,
            threads=compute.threads,
            effort=Effort(**{name: value for name, value in effort.items() if value is not None}),
            profile=None if self.profile is None else Path(self.profile),
            offline=compute.offline,
        )
        if plan.profile is not None:
            check_trace_target(plan.profile, settings=len(plan.sizes) * len(plan.precisions))
        return plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Planning:
    """What to plan for: how many rows, on which machines, at which prices."""

    topic: ClassVar[str] = "Plan"

    plan: float | None = setting(
        None,
        "With --dataset: also what N rows like these take, in one process, in shards and on Ray: "
        "time, memory, bytes and cost.",
        metavar="N",
    )
    cores: int | None = setting(None, "CPU cores in all (default: as measured).", min=1)
    gpus: int | None = setting(
        None, "GPUs in all (default: 1 if the run uses CUDA, else none).", min=1
    )
    gpu_rows_per_second: float | None = setting(
        None, "The model's rate on one GPU, if none is measured here.", metavar="RATE"
    )
    price_core_hour: float | None = setting(None, "Price of a core for an hour.", metavar="PRICE")
    price_gpu_hour: float | None = setting(None, "Price of a GPU for an hour.", metavar="PRICE")

    def check(self, given: GivenOptions) -> None:
        """Raise `UsageError` for numbers that make no sense and options without an effect."""
        if self.plan is None:
            given.refuse(_OF_PLANS, "is for a plan; add `plan` N")
        if self.gpus is None:
            given.refuse(("gpu_rows_per_second",), "is for GPUs; add `gpus` N")
        for name, most in _MOST.items():
            value = getattr(self, name)
            if value is not None and not 0 < value <= most:
                raise UsageError(f"`{name}` {value:g}: give a number above 0, at most {most:g}")
        if self.plan is not None and self.plan % 1:
            raise UsageError(f"`plan` {self.plan:g}: give a whole number of rows")

    def fleet(self) -> "Fleet | None":
        """Return what to plan for, if a plan is asked for."""
        from distilcli.benchmark.forecast import Fleet

        if self.plan is None:
            return None
        others = {name: getattr(self, name) for name in _OF_PLANS}
        return Fleet(rows=int(self.plan), **others)


def dataset_plan(
    file: str,
    rows: RowsIn,
    text_column: str | None,
    compute: Compute,
    fleet: "Fleet | None" = None,
) -> "DatasetPlan":
    """Return which rows to run and how."""
    from distilcli.benchmark.sweep import parse_precisions

    if rows.limit == 0:
        raise UsageError("`limit` 0 leaves nothing to measure")
    precisions = parse_precisions(compute.precision)

    from distilcli.benchmark.dataset import DatasetPlan

    return DatasetPlan(
        file=file,
        reading={**rows.reading(), "text_column": text_column},
        model=compute.model,
        device=compute.device,
        precisions=precisions,
        threads=compute.threads,
        offline=compute.offline,
        fleet=fleet,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Gates:
    """The gates: if one fails, the exit code is 7."""

    topic: ClassVar[str] = "Thresholds"

    compare: str | None = setting(
        None, "Show changes since an older benchmark (its --stats).", metavar="FILE"
    )
    fail_over: str | None = setting(
        None,
        "With --compare: exit with 7 if a p50 or a rate is worse by more than this (default: 5%).",
        metavar="SHARE",
    )
    max_p95_ms: float | None = setting(None, "Exit with 7 if a p95 is longer.", metavar="MS", min=0)

    @property
    def share(self) -> float:
        """How much slower a setting may be, 0.05 for 5 %; raises `UsageError` for other texts."""
        from distilcli.benchmark.sweep import parse_share

        return parse_share(self.fail_over or "5%")
