"""What a run over rows shows on a terminal: its first rows, and at the end what it did."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from distilcli.console import Console

if TYPE_CHECKING:
    from rich.table import Table

    from distilcli.rows.row import Row
    from distilcli.rows.writer import AddedNames
    from distilcli.stats import RunStats
    from distilcli.tasks.estimate import Estimate

_TEXT_WIDTH = 60
_BAR_WIDTH = 24
_LABELS_SHOWN = 20


class Preview:
    """Keeps the first rows of a run for a table; takes blocks as a writer of rows does."""

    def __init__(self, names: "AddedNames", *, most: int = 20) -> None:
        self._names = names
        self._most = most
        self._rows: list[dict[str, object]] = []
        self._total = 0

    def write_rows(self, block: "Sequence[tuple[Row, Mapping[str, object]]]") -> None:
        """Take a block of rows with their additions."""
        self._total += len(block)
        for row, additions in block[: self._most - len(self._rows)]:
            own = dict(zip(row.columns, row.cells, strict=False))
            self._rows.append({**own, **self._names.apply(row, additions)})

    def __enter__(self) -> "Preview":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._show()

    def _show(self) -> None:
        """Write the table to stdout, and under it how many rows are not in it."""
        from rich.console import Console as RichConsole
        from rich.table import Table
        from rich.text import Text

        names = list(dict.fromkeys(name for row in self._rows for name in row))
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in names:
            numeric = all(isinstance(row.get(name), int | float | None) for row in self._rows)
            table.add_column(
                name,
                justify="right" if numeric else "left",
                max_width=_TEXT_WIDTH,
                no_wrap=True,
                overflow="ellipsis",
            )
        for row in self._rows:
            table.add_row(*(Text(_cell(row.get(name)), _style(name)) for name in names))
        # No terminal, no width to fit: a table in a file is never cut.
        width = None if sys.stdout.isatty() else 10_000
        console = RichConsole(file=sys.stdout, highlight=False, width=width)
        console.print(table)
        hidden = self._total - len(self._rows)
        if hidden:
            console.print(Text(f"… {hidden:,} more rows; -o FILE keeps them all", "dim"))


def show_summary(console: Console, stats: "RunStats", counts: Counter[str]) -> None:
    """Say on stderr what a run did: a table for people, one line for a log."""
    if console.quiet:
        return
    if not sys.stderr.isatty():
        console.note(_summary_line(stats))
        return
    from rich.console import Console as RichConsole
    from rich.text import Text

    rich_console = RichConsole(stderr=True, highlight=False)
    rich_console.print()
    if counts:
        rich_console.print(_distribution(counts))
        rich_console.print()
    rich_console.print(Text(_summary_line(stats), "bold"))
    rich_console.print(Text(_detail_line(stats), "dim"))


def show_estimate(console: Console, expected: "Estimate") -> None:
    """Say what a run would take."""
    parts = [
        f"{expected.rows:,} rows, {expected.tokens:,} tokens",
        f"about {_duration(expected.expected_seconds)}",
    ]
    if expected.expected_peak_memory_bytes is not None:
        parts.append(f"peak memory about {expected.expected_peak_memory_bytes / 2**20:,.0f} MiB")
    for count, what in (
        (expected.truncated_rows, "would be truncated"),
        (expected.failed_rows, "would fail"),
    ):
        if count:
            parts.append(f"{count:,} {what}")
    console.note("; ".join(parts))


def show_training(console: Console, summary: Mapping[str, Any], folder: str) -> None:
    """Say how a training run ended and where its model is."""
    best = summary["best"]
    console.note(
        (
            f"best accuracy {best['accuracy']:.4f}, macro-F1 {best['macro_f1']:.4f} "
            f"after {best['step']:,} of {summary['steps']:,} steps"
        ),
        f"the model is in {folder}; try: distil classify FILE --model {folder}",
    )


def _distribution(counts: Counter[str]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("label", max_width=_TEXT_WIDTH, no_wrap=True, overflow="ellipsis")
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    total = sum(counts.values())
    for label, count in counts.most_common(_LABELS_SHOWN):
        share = count / total
        bar = Text("━" * max(1, round(share * _BAR_WIDTH)), "cyan")
        table.add_row(Text(label), f"{count:,}", f"{share:.1%}", bar)
    if len(counts) > _LABELS_SHOWN:
        table.add_row(Text(f"… {len(counts) - _LABELS_SHOWN} more labels", "dim"))
    return table


def _summary_line(stats: "RunStats") -> str:
    parts = [
        f"{stats.rows:,} rows in {_duration(stats.seconds)} "
        f"({stats.rows_per_second:,.1f} rows/s, {stats.tokens_per_second:,.0f} tokens/s)"
    ]
    for count, what in (
        (stats.truncated, "truncated"),
        (stats.failed, "failed"),
        (stats.skipped, "left out"),
    ):
        if count:
            parts.append(f"{count:,} {what}")
    return "; ".join(parts)


def _detail_line(stats: "RunStats") -> str:
    figures = stats.as_dict()
    latency = figures["latency_ms"]
    parts = [
        f"device {stats.device}",
        f"padding {stats.padding_share:.1%}",
    ]
    if stats.batches:
        percentiles = " ".join(f"{name} {value:.0f}" for name, value in latency.items())
        parts.append(f"ms per batch {percentiles}")
    if figures["peak_memory_bytes"] is not None:
        parts.append(f"peak memory {figures['peak_memory_bytes'] / 2**20:,.0f} MiB")
    return "  ·  ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(part) for part in value)
    return " ".join(str(value).split())


def _style(name: str) -> str:
    if name.endswith("error"):
        return "red"
    return "bold" if "label" in name else ""
