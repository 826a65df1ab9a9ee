"""What a benchmark found: for people figures with bars, for programs lines or JSON."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distilcli.console import Console, TableFormat
from distilcli.console.summary import mebibytes, terminal_width

if TYPE_CHECKING:
    from distilcli.benchmark.comparison import Comparison
    from distilcli.benchmark.dataset import DatasetReport
    from distilcli.benchmark.report import Change, Report
    from distilcli.benchmark.result import Result

_BAR_WIDTH = 12
_GAP = 2  # spaces between two columns
_LEAST_COLUMNS = 4
_MEBI = 2**20


def show_benchmark(console: Console, report: "Report", *, table_format: TableFormat) -> None:
    """Write a benchmark to stdout: on a terminal tables, else a line for each result."""
    if _is_table(table_format):
        if len(report.results) == 1:
            _show_one(report.results[0])
        else:
            _show_many(report)
        if report.comparisons:
            _show_ratios(report.comparisons)
        if report.changes:
            _show_changes(report.changes)
    else:
        console.show(
            report.records(), footer=(), document=report.as_dict(), title="",
            table_format=table_format,
        )  # fmt: skip
    _note_best(console, report)
    note_machine(console, report.environment)


def show_dataset(console: Console, report: "DatasetReport", *, table_format: TableFormat) -> None:
    """Write where the time of whole runs went to stdout."""
    if not _is_table(table_format):
        console.show(
            report.records(),
            footer=(), document=report.as_dict(), title="", table_format=table_format,
        )  # fmt: skip
        note_machine(console, report.environment)
        return
    for result in report.results:
        rows = [
            [
                str(record["stage"]),
                f"{record['seconds']:,.2f}",
                _percent(record["share"]),
                _bar(record["share"]),
                _number(record["rows_per_second"]),
            ]
            for record in result.records()
        ]
        workers = "thread" if result.threads == 1 else "threads"
        title = (
            f"{result.rows:,} rows, {result.tokens:,} tokens; {result.model}, {result.precision} "
            f"on {result.device}, {result.threads} {workers}"
        )
        _print_table(title, ["stage", "seconds", "share", "", "rows/s"], rows, last_apart=True)
    console.note("stages go on side by side: their seconds, summed over threads, exceed the run's")
    note_machine(console, report.environment)


def show_profile(console: Console, table: str) -> None:
    """Write torch's table of operators to stderr."""
    if not console.quiet:
        sys.stderr.write(table.rstrip() + "\n")


def note_machine(console: Console, environment: Mapping[str, Any]) -> None:
    """Say on which machine the figures are from."""
    cores = f"{environment['cores']} core{'s' if environment['cores'] != 1 else ''}"
    flags = " ".join(environment["cpu_flags"])
    gpu = f", {environment['gpu']}" if environment["gpu"] else ""
    console.note(
        f"{environment['cpu']}, {cores} ({flags}){gpu}; torch {environment['torch']}, "
        f"Python {environment['python']}, {environment['date']}"
    )


def _is_table(table_format: TableFormat) -> bool:
    return table_format == "table" or (table_format == "auto" and sys.stdout.isatty())


def _show_one(result: "Result") -> None:
    from rich.table import Table
    from rich.text import Text

    setting, (low, high) = result.setting, result.p50_interval_ms
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    latency = Text(f"p50 {_number(result.latency_ms['p50'])} ms", "bold")
    rest = ", ".join(f"{name} {_number(result.latency_ms[name])}" for name in ("p90", "p95", "p99"))
    latency.append(f" ({_number(low)} to {_number(high)}), {rest}; {result.timings:,} timings", "")
    compute = Text(f"{_number(result.gflops)} GFLOP/s, {_percent(result.ceiling_share)} of the ")
    compute.append(f"{_number(result.ceiling / 1e9)} of plain matrix products here ")
    compute.append(_bar(result.ceiling_share))
    grid.add_row("latency", latency)
    grid.add_row(
        "rate",
        f"{_number(result.sequences_per_second)} sequences/s, "
        f"{_number(result.tokens_per_second)} tokens/s",
    )
    grid.add_row("compute", compute)
    grid.add_row("memory", _memory(result))
    grid.add_row("weights", f"{result.parameters:,} parameters, {mebibytes(result.model_bytes)}")
    title = (
        f"{setting.model}, {setting.precision} on {setting.device}: {setting.batch:,} x "
        f"{setting.seq:,} tokens, {setting.threads} thread{'s' if setting.threads != 1 else ''}"
    )
    _print(Text(title, "bold"), grid)


def _memory(result: "Result") -> str:
    memory = result.memory
    parts = [
        (memory.process, "peak of the process"),
        (memory.added, "of the model and its batches"),
        (memory.cuda_allocated, "allocated on the GPU"),
        (memory.cuda_reserved, "reserved there"),
    ]
    return ", ".join(f"{mebibytes(size)} {what}" for size, what in parts if size is not None)


def _show_many(report: "Report") -> None:
    best, results = report.best(), report.results
    models = {result.setting.model for result in results}
    fastest = max(result.tokens_per_second for result in results)
    names = [
        *(["model"] if len(models) > 1 else []),
        *("precision", "seq", "batch", "p50 ms", "p95 ms", "tokens/s", "", "GFLOP/s", "of ceiling"),
        *("added MiB", "weights MiB"),
    ]
    rows, styles = [], []
    for result in results:
        setting = result.setting
        added = result.memory.added
        rows.append([
            *([setting.model] if len(models) > 1 else []),
            setting.precision, f"{setting.seq:,}", f"{setting.batch:,}",
            _number(result.latency_ms["p50"]), _number(result.latency_ms["p95"]),
            _number(result.tokens_per_second), _bar(result.tokens_per_second / fastest),
            _number(result.gflops), _percent(result.ceiling_share),
            "-" if added is None else f"{added / _MEBI:,.0f}",
            f"{result.model_bytes / _MEBI:,.0f}",
        ])  # fmt: skip
        styles.append("bold" if result in best.values() else "")
    setting = results[0].setting
    threads = f"{setting.threads} thread{'s' if setting.threads != 1 else ''}"
    title = f"{' against '.join(dict.fromkeys(r.setting.model for r in results))} on "
    _print_table(f"{title}{setting.device}, {threads}", names, rows, styles=styles)


def _show_ratios(comparisons: "Sequence[Comparison]") -> None:
    rows = []
    for each in comparisons:
        record, setting = each.record(), each.model.setting
        rows.append([
            setting.precision, f"{setting.seq:,}", f"{setting.batch:,}",
            _interval(each.rate, each.rate_interval),
            _interval(each.latency, each.latency_interval),
            *(_times(record[f"{name}_ratio"]) for name in ("memory", "model_bytes", "flops")),
        ])  # fmt: skip
    first = comparisons[0]
    _print_table(
        f"{first.model.setting.model} is so many times {first.rival.setting.model}",
        ["precision", "seq", "batch", "rate", "latency", "memory", "weights", "operations"],
        rows,
    )


def _show_changes(changes: "Sequence[Change]") -> None:
    rows = [
        [
            each.setting.model, each.setting.precision, f"{each.setting.seq:,}",
            f"{each.setting.batch:,}",
            _number(each.old_ms), _number(each.new_ms), f"{each.p50_share:+.1%}",
            _number(each.old_rate), _number(each.new_rate), f"{each.rate_share:+.1%}",
        ]
        for each in changes
    ]  # fmt: skip
    then_and_now = ["then, p50 ms", "now", "change", "then, sequences/s", "now", "change"]
    names = ["model", "precision", "seq", "batch", *then_and_now]
    _print_table("beside the older benchmark", names, rows)


def _note_best(console: Console, report: "Report") -> None:
    if len(report.results) - len(report.comparisons) < 2:  # noqa: PLR2004
        return
    best = report.best()
    fastest, quickest = best["throughput"], best["latency"]
    console.note(
        f"most tokens per second: {_size(fastest)}, {_number(fastest.tokens_per_second)}",
        f"lowest latency: {_size(quickest)}, p50 {_number(quickest.latency_ms['p50'])} ms",
    )


def _size(result: "Result") -> str:
    setting = result.setting
    return f"{setting.precision}, seq {setting.seq:,}, batch {setting.batch:,}"


def _print_table(
    title: str,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    styles: Sequence[str] = (),
    last_apart: bool = False,
) -> None:
    """Print a table whose first column, and those that hold no numbers, are set to the left."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    shown_places = _fitting(names, rows)
    hidden = [name for place, name in enumerate(names) if name and place not in shown_places]
    for place in shown_places:
        name = names[place]
        cells = [row[place] for row in rows]
        is_number = bool(name) and any(cell[:1] in "0123456789+-<" for cell in cells)
        table.add_column(name, justify="right" if is_number else "left", no_wrap=bool(name))
    for number, row in enumerate(rows):
        if last_apart and number == len(rows) - 1:
            table.add_section()
        cells = [row[place] for place in shown_places]
        shown = [Text(cell, "cyan" if "━" in cell else "") for cell in cells]
        table.add_row(*shown, style=styles[number] if styles else "")
    _print(Text(title, "bold"), table)
    if hidden:
        rest = f"columns not shown: {', '.join(hidden)}; a wider terminal or --format csv has them"
        _print(Text(f"… {rest}", "dim"))


def _fitting(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the places of the columns that fit: bars go first, then the last columns."""
    places = list(range(len(names)))
    if not sys.stdout.isatty():
        return places
    widths = [
        max(len(name), *(len(row[place]) for row in rows)) + _GAP
        for place, name in enumerate(names)
    ]
    room = terminal_width() + _GAP
    in_turn = [*(p for p in places if not names[p]), *(p for p in reversed(places) if names[p])]
    for place in in_turn[: len(places) - _LEAST_COLUMNS]:
        if sum(widths[each] for each in places) <= room:
            break
        places.remove(place)
    return places


def _print(*what: object) -> None:
    from rich.console import Console as RichConsole

    # No terminal, no width to fit: a table in a file is never cut.
    width = terminal_width() if sys.stdout.isatty() else 10_000
    stdout = RichConsole(file=sys.stdout, highlight=False, width=width)
    for each in what:
        stdout.print(each)


def _number(value: float | None) -> str:
    """Return a figure with three digits that count, and no fewer before the point."""
    if value is None:
        return "-"
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3  # noqa: PLR2004
    return f"{value:,.{decimals}f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _bar(share: float | None) -> str:
    return "" if share is None else "━" * max(1, round(min(1.0, share) * _BAR_WIDTH))


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _interval(ratio: float, ends: tuple[float, float]) -> str:
    return f"{ratio:.2f} ({ends[0]:.2f} to {ends[1]:.2f})"
