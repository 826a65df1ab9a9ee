"""A plan on the terminal: what a row costs, what each way takes, and the arithmetic."""

import sys
from typing import TYPE_CHECKING

from distilcli.console.tables import bar, print_table
from distilcli.console.terminal import fact_grid, stdout, text
from distilcli.wording import bytes_of, count, digits, duration

if TYPE_CHECKING:
    from distilcli.benchmark.forecast import Forecast, Way

_UNLIMITED = 10_000


def show_forecast(plan: "Forecast") -> None:
    """Write a plan to stdout."""
    console = stdout()
    console.print()
    _show_stages(plan)
    console.print()
    has_cost = any(way.cost is not None for way in plan.ways)
    names = ["way", "processes", "rows/s", "limit", "time", "memory", *(["cost"] * has_cost)]
    rows = [
        [
            way.way, _processes(way), digits(way.rows_per_second), way.limited_by,
            duration(way.seconds), "-" if way.memory_bytes is None else bytes_of(way.memory_bytes),
            *([f"{way.cost:,.2f}"] if way.cost is not None else []),
        ]
        for way in plan.ways
    ]  # fmt: skip
    gpus = f" and {count(plan.gpus, 'GPU')}" if plan.gpus else ""
    title = f"{count(plan.rows, 'row')} on {count(plan.cores, 'core')}{gpus}, {plan.precision}"
    print_table(title, names, rows, optional=["rows/s"])  # also in the arithmetic
    console.print()
    _show_arithmetic(plan)


def _show_stages(plan: "Forecast") -> None:
    from distilcli.benchmark.forecast import time_of

    costs = plan.costs
    spent = {stage: costs.core_seconds(stage) for stage in costs.seconds}
    unit = "on a GPU" if costs.gpus else f"on {count(costs.cores, 'core')}"
    rows = [
        [
            stage, digits(costs.rows_per_second(stage)), time_of(seconds),
            f"{seconds / sum(spent.values()):.1%}", bar(seconds / sum(spent.values())),
        ]
        for stage, seconds in spent.items()
    ]  # fmt: skip
    title = f"each stage alone, one thread each, the model {unit}: {count(costs.rows, 'row')}"
    print_table(title, ["stage", "rows/s", "core time of a row", "share", ""], rows)


def _show_arithmetic(plan: "Forecast") -> None:
    from distilcli.benchmark.forecast import rate_of

    costs, (first, *_) = plan.costs, plan.ways
    grid = fact_grid()
    for way in plan.ways:
        grid.add_row(way.way, text(way.arithmetic))
    grid.add_row(
        "time",
        text(f"{plan.rows:,} rows / rate, and loading the model; merging shards is not counted"),
    )
    read, written = costs.bytes_read / costs.rows, costs.bytes_written / costs.rows
    at_most = "" if costs.is_whole else "at most "
    grid.add_row(
        "bytes",
        text(
            f"reads {at_most}{bytes_of(first.bytes_read)} ({read:,.0f} a row), writes "
            f"{bytes_of(first.bytes_written)} ({written:,.0f} a row); merging shards reads and "
            "writes the output once more"
        ),
    )
    grid.add_row(
        "check",
        text(
            f"here: {plan.expected_here.arithmetic} expected; "
            f"{rate_of(plan.measured_here)} in the whole run above"
        ),
    )
    for number, assumption in enumerate(plan.assumed):
        grid.add_row("" if number else "assumed", text(assumption))
    stdout(None if sys.stdout.isatty() else _UNLIMITED).print(grid)


def _processes(way: "Way") -> str:
    gpu = f", {count(way.gpus, 'GPU')}" if way.gpus else ""
    return f"{way.processes:,} x {count(way.cores, 'core')}{gpu}"
