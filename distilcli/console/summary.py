"""What a run over rows says at the end, or before it: labels, speed, memory, and what failed."""

import sys
from collections import Counter
from typing import TYPE_CHECKING

from distilcli.console import Console
from distilcli.console.tables import bar
from distilcli.console.terminal import (
    fact_grid,
    plain_table,
    printable,
    stderr,
    terminal_size,
    text,
)
from distilcli.stats import RunStats
from distilcli.wording import count, duration, mebibytes

if TYPE_CHECKING:
    from rich.table import Table

    from distilcli.engine.estimate import Estimate
    from distilcli.training.dry_run import TrainingEstimate

_LABEL_WIDTH = 30
_MIN_TIMES = 10
_BAR_WIDTH = 24
_MAX_LABELS, _MIN_LABELS = 20, 3


def show_summary(
    console: Console,
    stats: RunStats,
    counts: Counter[str],
    *,
    counted: str = "rows",
    output: str | None = None,
    written: int = 0,
) -> None:
    """Say on stderr what a run did: tables for people, one line for a log.

    `counts` are by label, of rows or what else is `counted`. `output` is the file with the
    rows that were `written`.
    """
    if console.quiet:
        return
    if not sys.stderr.isatty():
        details = [f"{what}: {happened}" for what, happened, _ in _problems(stats)]
        console.note("; ".join([_speed(stats), *details, *_written(output, written)]))
        return
    terminal = stderr()
    terminal.print()
    if counts and (stats.rows > 1 or counted != "rows"):
        whole = stats.rows - stats.failed if counted == "rows" else counts.total()
        terminal.print(_distribution(counts, counted, whole))
        terminal.print()
    terminal.print(_figures(stats))
    for line in _written(output, written):
        console.note(line)


def show_estimate(console: Console, expected: "Estimate") -> None:
    """Say what a run would take."""
    truncated, failed = expected.truncated_rows, expected.failed_rows
    parts = [
        f"{count(expected.rows, 'row')}, {count(expected.tokens, 'token')}",
        *expected_cost(expected),
        *([f"{truncated:,} would be truncated"] if truncated else []),
        *([f"{failed:,} would fail"] if failed else []),
    ]
    console.note("; ".join(parts))


def expected_cost(expected: "Estimate | TrainingEstimate") -> list[str]:
    """Return the time and, if known, the memory of a run."""
    memory = expected.expected_peak_memory_bytes
    peak = [] if memory is None else [f"peak memory about {mebibytes(memory)}"]
    return [f"about {duration(expected.expected_seconds)}", *peak]


def _written(output: str | None, written: int) -> list[str]:
    return [f"wrote {count(written, 'row')} to {output}"] if output else []


def _distribution(counts: Counter[str], counted: str, whole: int) -> "Table":
    """Return a table of the labels; rows may have several, so their shares may exceed 100 %."""
    table = plain_table()
    table.add_column("label", max_width=_LABEL_WIDTH, no_wrap=True, overflow="ellipsis")
    table.add_column(counted, justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="crop")
    most = max(_MIN_LABELS, min(_MAX_LABELS, terminal_size().lines // 5))
    for label, number in counts.most_common(most):
        share = number / max(1, whole)
        shown = text(bar(share, _BAR_WIDTH), "cyan")
        table.add_row(text(printable(label)), f"{number:,}", f"{share:.1%}", shown)
    if len(counts) > most:
        table.add_row(text(f"… {count(len(counts) - most, 'more label')}", "dim"))
    return table


def _figures(stats: RunStats) -> "Table":
    """Return a grid of what a run did and cost; what did not happen has no line."""
    grid = fact_grid()
    grid.add_row("done", text(_speed(stats), "bold"))
    if stats.batches and stats.rows > 1:
        times = {name: f"{ms:,.0f} ms" for name, ms in stats.latency_ms.items() if ms is not None}
        # Percentiles of a few times say nothing.
        named = [f"{name} {time}" for name, time in times.items()]
        few = named[:1] if stats.batches < _MIN_TIMES else named
        shown = times["p50"] if stats.batches == 1 else ", ".join(few)
        padding = f"padding {stats.padding_share:.1%}"
        grid.add_row("batches", text(f"{stats.batches:,}: {shown}; {padding}"))
    memory = stats.as_dict()["peak_memory_bytes"]
    peak = "" if memory is None else f", peak memory {mebibytes(memory)}"
    grid.add_row("device", text(f"{stats.device}{peak}"))
    for what, happened, style in _problems(stats):
        grid.add_row(text(what, style), text(happened, style))
    return grid


def _speed(stats: RunStats) -> str:
    if not stats.rows:
        return "0 rows"
    took = f"{count(stats.rows, 'row')} in {duration(stats.seconds)}"
    if stats.rows == 1:
        return took
    return f"{took} ({stats.rows_per_second:,.1f} rows/s, {stats.tokens_per_second:,.0f} tokens/s)"


def _problems(stats: RunStats) -> list[tuple[str, str, str]]:
    """Return what did not go smoothly: a word for it, what happened, and a style."""
    skipped = " (skipped)" if stats.skipped else ""
    failed = f"{count(stats.failed, 'row')}{skipped}, the first: {stats.first_error}"
    halved = f"{count(stats.halvings, 'time')}, because memory ran out"
    found = [
        (stats.resumed_rows, "resumed", f"after {count(stats.resumed_rows, 'row')}", "dim"),
        (stats.halvings, "batches halved", halved, "yellow"),
        (stats.abstained, "abstained", count(stats.abstained, "row"), "yellow"),
        (stats.truncated, "truncated", count(stats.truncated, "row"), "yellow"),
        (stats.failed, "failed", failed, "red"),
    ]
    return [(what, happened, style) for number, what, happened, style in found if number]
