"""What a benchmark measured: tables with bars for people, lines or JSON for programs."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distilcli.console import Console, TableFormat, is_table
from distilcli.console.forecast import show_forecast
from distilcli.console.tables import bar, print_table
from distilcli.console.terminal import fact_grid, stdout, text
from distilcli.wording import count, digits, mebibytes

if TYPE_CHECKING:
    from distilcli.benchmark.comparison import Comparison
    from distilcli.benchmark.dataset_result import DatasetReport
    from distilcli.benchmark.report import Change, Environment, Report
    from distilcli.benchmark.result import Result, Setting

_MEBI = 2**20


def show_benchmark(console: Console, report: "Report", *, table_format: TableFormat) -> None:
    """Write a benchmark to stdout: tables on a terminal, else a line for each result."""
    if is_table(table_format):
        if len(report.results) == 1:
            _show_one(report.results[0])
        else:
            _show_many(report)
        if report.comparisons:
            _show_ratios(report.comparisons)
        if report.changes:
            _show_changes(report.changes)
    else:
        lines, document = report.records(), report.as_dict()
        console.show(lines, document=document, title="", table_format=table_format)
    if len(report.own) > 1:
        best = report.best()
        fastest, quickest = best["throughput"], best["latency"]
        rate, p50 = _number(fastest.tokens_per_second), _number(quickest.latency_ms["p50"])
        console.note(
            f"most tokens per second: {_size(fastest.setting)}, {rate}",
            f"lowest latency: {_size(quickest.setting)}, p50 {p50} ms",
        )
    _note_machine(console, report.environment)


def show_dataset(console: Console, report: "DatasetReport", *, table_format: TableFormat) -> None:
    """Write the time of whole runs, by stage, to stdout."""
    if not is_table(table_format):
        lines, document = report.records(), report.as_dict()
        console.show(lines, document=document, title="", table_format=table_format)
        _note_machine(console, report.environment)
        return
    for result in report.results:
        rows = [
            [
                time.stage,
                f"{time.seconds:,.2f}",
                _percent(time.share),
                bar(time.share),
                _number(time.rows_per_second),
            ]
            for time in result.times()
        ]
        title = (
            f"{count(result.rows, 'row')}, {count(result.tokens, 'token')}; {result.model}, "
            f"{result.precision} on {result.device}, {count(result.threads, 'thread')}"
        )
        print_table(title, ["stage", "seconds", "share", "", "rows/s"], rows, last_apart=True)
    console.note("stages run side by side: their seconds, summed over threads, exceed the run's")
    for plan in report.plans:
        show_forecast(plan)
    _note_machine(console, report.environment)


def show_profile(console: Console, table: str) -> None:
    """Write torch's table of operators to stderr."""
    if not console.quiet:
        sys.stderr.write(table.rstrip() + "\n")


def _note_machine(console: Console, environment: "Environment") -> None:
    """Say which machine the results are from."""
    flags = " ".join(environment["cpu_flags"])
    gpu = f", {environment['gpu']}" if environment["gpu"] else ""
    console.note(
        f"{environment['cpu']}, {count(environment['cores'], 'core')} ({flags}){gpu}; "
        f"torch {environment['torch']}, Python {environment['python']}, {environment['date']}"
    )


def _show_one(result: "Result") -> None:
    setting, (low, high) = result.setting, result.p50_interval_ms
    grid = fact_grid()
    rest = ", ".join(f"{name} {_number(result.latency_ms[name])}" for name in ("p90", "p95", "p99"))
    latency = text(f"p50 {_number(result.latency_ms['p50'])} ms", "bold")
    latency.append(
        f" ({_number(low)} to {_number(high)}), {rest}; {count(result.timings, 'timing')}", ""
    )
    grid.add_row("latency", latency)
    grid.add_row(
        "rate",
        f"{_number(result.sequences_per_second)} sequences/s, "
        f"{_number(result.tokens_per_second)} tokens/s",
    )
    grid.add_row(
        "compute",
        f"{_number(result.gflops)} GFLOP/s, {_percent(result.ceiling_share)} of this machine's "
        f"peak of {_number(result.ceiling / 1e9)} {bar(result.ceiling_share)}",
    )
    grid.add_row("memory", _memory(result))
    grid.add_row(
        "weights", f"{count(result.parameters, 'parameter')}, {mebibytes(result.model_bytes)}"
    )
    title = (
        f"{setting.model}, {setting.precision} on {setting.device}: {setting.batch:,} x "
        f"{count(setting.seq, 'token')}, {count(setting.threads, 'thread')}"
    )
    console = stdout(None if sys.stdout.isatty() else 10_000)
    console.print(text(title, "bold"))
    console.print(grid)


def _memory(result: "Result") -> str:
    memory = result.memory
    parts = [
        (memory.process, "peak of the process"),
        (memory.added, "for the model and its batches"),
        (memory.cuda_allocated, "allocated on the GPU"),
        (memory.cuda_reserved, "reserved there"),
    ]
    return ", ".join(f"{mebibytes(size)} {what}" for size, what in parts if size is not None)


def _show_many(report: "Report") -> None:
    best, results = report.best().values(), report.results
    models = list(dict.fromkeys(result.setting.model for result in results))
    fastest = max(result.tokens_per_second for result in results)
    names = [
        "model", "precision", "seq", "batch", "p50 ms", "p95 ms", "tokens/s", "", "GFLOP/s",
        "of peak", "added MiB", "weights MiB",
    ]  # fmt: skip
    rows = [
        [
            result.setting.model, *_size_cells(result.setting),
            _number(result.latency_ms["p50"]), _number(result.latency_ms["p95"]),
            _number(result.tokens_per_second), bar(result.tokens_per_second / fastest),
            _number(result.gflops), _percent(result.ceiling_share),
            "-" if (added := result.memory.added) is None else f"{added / _MEBI:,.0f}",
            f"{result.model_bytes / _MEBI:,.0f}",
        ]
        for result in results
    ]  # fmt: skip
    if len(models) == 1:
        names, rows = names[1:], [row[1:] for row in rows]
    setting = results[0].setting
    title = f"{' against '.join(models)} on {setting.device}, {count(setting.threads, 'thread')}"
    styles = {index: "bold" for index, result in enumerate(results) if result in best}
    print_table(title, names, rows, styles=styles)


def _show_ratios(comparisons: "Sequence[Comparison]") -> None:
    rows = [
        [
            *_size_cells(each.model.setting),
            _interval(each.rate, each.rate_interval),
            _interval(each.latency, each.latency_interval),
            *(
                "-" if (ratio := each.ratios()[f"{name}_ratio"]) is None else f"{ratio:.2f}"
                for name in ("memory", "model_bytes", "flops")
            ),
        ]
        for each in comparisons
    ]
    model, rival = comparisons[0].model.setting.model, comparisons[0].rival.setting.model
    names = ["precision", "seq", "batch", "rate", "latency", "memory", "weights", "operations"]
    print_table(f"{model} as a multiple of {rival}", names, rows)


def _show_changes(changes: "Sequence[Change]") -> None:
    names = [
        "model", "precision", "seq", "batch", "p50 ms before", "now", "change",
        "sequences/s before", "now", "change",
    ]  # fmt: skip
    rows = [
        [
            each.setting.model, *_size_cells(each.setting),
            _number(each.old_ms), _number(each.new_ms), f"{each.p50_share:+.1%}",
            _number(each.old_rate), _number(each.new_rate), f"{each.rate_share:+.1%}",
        ]
        for each in changes
    ]  # fmt: skip
    print_table("compared with the older benchmark", names, rows)


def _size_cells(setting: "Setting") -> list[str]:
    return [setting.precision, f"{setting.seq:,}", f"{setting.batch:,}"]


def _size(setting: "Setting") -> str:
    return f"{setting.precision}, seq {setting.seq:,}, batch {setting.batch:,}"


def _number(value: float | None) -> str:
    return "-" if value is None else digits(value)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _interval(ratio: float, ends: tuple[float, float]) -> str:
    return f"{ratio:.2f} ({ends[0]:.2f} to {ends[1]:.2f})"
