"""What a run of many rows takes on other machines: the arithmetic over rates measured here.

Stages run side by side, so three things bound the rate of a process:

- its cores: together the stages need their core time for every row;
- tokenizing, which one thread does;
- reading, decoding and writing, which are Python and take turns in one interpreter.

With GPUs the model runs there and is a bound of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from distilcli.errors import UsageError
from distilcli.wording import count, digits

_PYTHON = ("reading", "decoding", "writing")
_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """How many rows to plan for and on what; prices are for one core or GPU and an hour.

    `cores` are by default those that the measured run used. `gpu_rows_per_second` is the rate of
    the model on one GPU, measured elsewhere.
    """

    rows: int
    cores: int | None = None
    gpus: int | None = None
    gpu_rows_per_second: float | None = None
    price_core_hour: float | None = None
    price_gpu_hour: float | None = None

    def check(self, device_type: str, *, cores: int) -> None:
        """Raise `UsageError` for what a run on this device and these cores cannot tell."""
        if device_type not in {"cpu", "cuda"}:
            raise UsageError(f"`plan` is for CPUs and CUDA, not {device_type}; add `device` cpu")
        if device_type == "cuda" and self.gpu_rows_per_second is not None:
            raise UsageError("`gpu_rows_per_second` is measured in this run; leave it out")
        if device_type == "cpu" and self.gpus is None and self.price_gpu_hour is not None:
            raise UsageError("`price_gpu_hour` is for GPUs; add `gpus`")
        if device_type == "cpu" and self.gpus is not None and self.gpu_rows_per_second is None:
            raise UsageError(
                f"`gpus` {self.gpus}: this run measures no GPU; run it where there is one, or add "
                "`gpu_rows_per_second`, the model's rate in such a run"
            )
        if (self.gpus or 0) > (self.cores or cores):
            raise UsageError(
                f"`gpus` {self.gpus} needs at least {self.gpus} `cores`, one for each process; "
                f"there are {self.cores or cores}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class StageCosts:
    """What `rows` rows took in each stage alone, in seconds of wall time.

    The model ran on `cores` cores, or on `gpus` GPUs; every other stage on one thread.
    `bytes_read` may be too many if not `is_whole`: files are read in blocks.
    """

    rows: int
    seconds: Mapping[str, float]
    cores: int
    gpus: int
    bytes_read: int
    bytes_written: int
    is_whole: bool

    def rows_per_second(self, stage: str) -> float:
        """Return the rate of a stage alone."""
        return self.rows / max(self.seconds[stage], 1e-9)

    def core_seconds(self, stage: str) -> float:
        """Return the time of a row in a stage, on one core (the model's perhaps on one GPU)."""
        units = (self.gpus or self.cores) if stage == "model" else 1
        return units / self.rows_per_second(stage)


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A measured process: bytes at its peak, of which each worker took `worker_bytes`.

    `seconds_to_load` are those of the model, `rows_per_second` is of the whole run.
    """

    precision: str
    seconds_to_load: float
    rows_per_second: float
    peak_bytes: int | None
    worker_bytes: int | None

    def memory(self, *, cores: int, measured: int) -> int | None:
        """Return the peak with a worker on each of `cores`; None if it is not known."""
        if self.peak_bytes is None or self.worker_bytes is None:
            return self.peak_bytes if cores == measured else None
        return self.peak_bytes + (cores - measured) * self.worker_bytes


class Rate(NamedTuple):
    """Rows per second of a process, the stage that limits them, and how that was computed."""

    rows_per_second: float
    limited_by: str
    arithmetic: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to run all rows; `cores` and `gpus` are those of one process."""

    way: str
    processes: int
    cores: int
    gpus: int
    rows_per_second: float
    limited_by: str
    seconds: float
    memory_bytes: int | None
    bytes_read: int
    bytes_written: int
    cost: float | None
    arithmetic: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """The plan in one precision: the ways, and what they rest on."""

    precision: str
    rows: int
    cores: int
    gpus: int
    costs: StageCosts
    expected_here: Rate
    measured_here: float
    ways: Sequence[Way]
    assumed: Sequence[str]

    def records(self) -> list[dict[str, object]]:
        """Return a line for each way."""
        return [
            {"precision": self.precision, "rows": self.rows, **asdict(way)} for way in self.ways
        ]

    def as_dict(self) -> dict[str, object]:
        """Return everything as JSON values, with the core time of each stage."""
        stages = {
            stage: {
                "rows_per_second": self.costs.rows_per_second(stage),
                "core_seconds_per_row": self.costs.core_seconds(stage),
            }
            for stage in self.costs.seconds
        }
        check = {
            "expected_rows_per_second": self.expected_here.rows_per_second,
            "measured_rows_per_second": self.measured_here,
            "arithmetic": self.expected_here.arithmetic,
        }
        return {
            "precision": self.precision, "rows": self.rows, "cores": self.cores, "gpus": self.gpus,
            "measured_rows": self.costs.rows, "measured_cores": self.costs.cores,
            "stages": stages, "this_machine": check,
            "ways": [asdict(way) for way in self.ways], "assumed": list(self.assumed),
        }  # fmt: skip


def forecast(fleet: Fleet, costs: StageCosts, process: Process) -> Forecast:
    """Return what the rows of `fleet`, which was checked, take in one process, shards and Ray."""
    cores = fleet.cores or costs.cores
    gpus = fleet.gpus or costs.gpus
    gpu_seconds = None
    if gpus:
        given = fleet.gpu_rows_per_second
        gpu_seconds = 1 / given if given is not None else costs.core_seconds("model")
    each = cores // gpus if gpus else min(cores, costs.cores)
    processes = gpus or cores // each
    one = _rate(costs, cores=cores, gpus=gpus, gpu_seconds=gpu_seconds)
    shard = _rate(costs, cores=each, gpus=min(gpus, 1), gpu_seconds=gpu_seconds)
    ray = _rate(
        costs, cores=each * processes, gpus=gpus, gpu_seconds=gpu_seconds, one_process=False
    )
    sharded = Rate(
        processes * shard.rows_per_second,
        shard.limited_by,
        f"{processes:,} x ({shard.arithmetic}) = {rate_of(processes * shard.rows_per_second)}",
    )

    def way(name: str, count: int, on: int, rate: Rate, *, copies: int = 0) -> Way:
        seconds = fleet.rows / rate.rows_per_second + process.seconds_to_load
        workers = on if not gpus else costs.cores
        memory = process.memory(cores=workers, measured=costs.cores)
        written = round(fleet.rows * costs.bytes_written / costs.rows)
        return Way(
            way=name, processes=count, cores=on, gpus=gpus // count,
            rows_per_second=rate.rows_per_second, limited_by=rate.limited_by, seconds=seconds,
            memory_bytes=None if memory is None else count * memory,
            bytes_read=round(fleet.rows * costs.bytes_read / costs.rows) + copies * written,
            bytes_written=written * (1 + copies),
            cost=_cost(fleet, seconds, cores=cores, gpus=gpus), arithmetic=rate.arithmetic,
        )  # fmt: skip

    here = _rate(
        costs,
        cores=costs.cores,
        gpus=costs.gpus,
        gpu_seconds=costs.core_seconds("model") if costs.gpus else None,
    )
    return Forecast(
        precision=process.precision, rows=fleet.rows, cores=cores, gpus=gpus, costs=costs,
        expected_here=here, measured_here=process.rows_per_second,
        ways=[
            way("one process", 1, cores, one),
            way("shards", processes, each, sharded, copies=1),
            way("Ray", processes, each, ray),
        ],
        assumed=_assumed(fleet, costs, cores=cores, gpus=gpus),
    )  # fmt: skip


def rate_of(rows_per_second: float) -> str:
    """Return a rate: `963 rows/s`, `30.1 rows/s`."""
    return f"{digits(rows_per_second)} rows/s"


def time_of(seconds: float) -> str:
    """Return the time of one row: `66.4 ms`, `3.20 µs`."""
    if seconds >= 1:
        return f"{digits(seconds)} s"
    milli = seconds * 1e3
    return f"{digits(milli)} ms" if milli >= 1 else f"{digits(milli * 1e3)} µs"


def _rate(
    costs: StageCosts,
    *,
    cores: int,
    gpus: int,
    gpu_seconds: float | None,
    one_process: bool = True,
) -> Rate:
    """Return the rate of these cores and GPUs, in one process or as tasks that share them."""
    times = {stage: costs.core_seconds(stage) for stage in costs.seconds}
    if gpu_seconds is not None:
        del times["model"]
    python = {stage: times[stage] for stage in _PYTHON}
    spent = sum(times.values())
    # Rows per second, the stages that set them, and the arithmetic.
    bounds = [(cores / spent, times, f"{count(cores, 'core')} / {time_of(spent)}")]
    if one_process:
        threads = {"tokenizing": times["tokenizing"]}
        for stages, what in ((threads, "tokenizing"), (python, "Python")):
            total = sum(stages.values())
            bounds.append((1 / total, stages, f"1 thread of {what} / {time_of(total)}"))
    if gpu_seconds is not None:
        on_gpu = f"{count(gpus, 'GPU')} / {time_of(gpu_seconds)}"
        bounds.append((gpus / gpu_seconds, {"model": gpu_seconds}, on_gpu))
    rate, stages, shown = min(bounds, key=lambda bound: bound[0])
    return Rate(rate, max(stages, key=lambda stage: stages[stage]), f"{shown} = {rate_of(rate)}")


def _cost(fleet: Fleet, seconds: float, *, cores: int, gpus: int) -> float | None:
    if fleet.price_core_hour is None and fleet.price_gpu_hour is None:
        return None
    priced = cores * (fleet.price_core_hour or 0) + gpus * (fleet.price_gpu_hour or 0)
    return seconds / _HOUR * priced


def _assumed(fleet: Fleet, costs: StageCosts, *, cores: int, gpus: int) -> list[str]:
    """Say what the plan takes for granted that was not measured here."""
    assumed = ["all rows are like the measured ones, all cores like those of this machine"]
    if cores > costs.cores and not gpus:
        assumed.append(
            f"the model's rate grows in proportion to the cores; {costs.cores:,} were measured"
        )
    if fleet.gpu_rows_per_second is not None:
        assumed.append("the given rate of a GPU; no GPU was measured here")
    if gpus > max(1, costs.gpus):
        assumed.append("the model's rate grows in proportion to the GPUs")
    if gpus:
        assumed.append("feeding the GPUs takes no core time")
    assumed.append("storage and network keep up: the file was read from this machine")
    assumed.append("Ray itself costs nothing; its object store takes memory in addition")
    return assumed
