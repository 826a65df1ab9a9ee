"""`distil bench`: the speed and the memory of a model on this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from distilcli.commands import _options as options
from distilcli.commands._bench_options import BenchOptions, GateOptions
from distilcli.commands._file_run import EXIT_SOME_ROWS_FAILED, ReportOptions, write_report
from distilcli.commands._grouped import grouped
from distilcli.console import Console, TableFormat
from distilcli.errors import UsageError


@grouped(BenchOptions, GateOptions)
def bench(
    what: BenchOptions,
    gates: GateOptions,
    *,
    table_format: options.FormatOption = "auto",
    stats_file: options.StatsOption = None,
    json_summary: options.JsonOption = False,
    json_file: Annotated[str | None, typer.Argument(hidden=True, metavar="")] = None,
    quiet: options.QuietOption = False,
) -> int:
    """Measure the speed and the memory of a model, in any precision and at any size.

    Without --model, it is a model of DistilBERT-base's shape with random weights; nothing is
    downloaded. Batches go through the same workers as files. Latency is the time of one batch
    alone; rates are of many. GFLOP/s count matrix products and are compared with this machine's
    peak, measured in the same run.

    Examples: distil bench · distil bench --precision fp32,bf16,int8 --sweep "seq=32,128,512
    batch=1,8,32" · distil bench --vs bert-base · distil bench --dataset reviews.csv · distil bench
    --compare old.json --fail-over 5%
    """
    what.check()
    gates.check(of_dataset=what.dataset is not None)
    shown = table_format
    if json_file is not None:
        stats_file, shown = _old_spelling(json_file, json_summary, stats_file, table_format)
        json_summary = False
    report_options = ReportOptions(stats_file=stats_file, as_json=json_summary)
    report_options.check()
    report_options.spare([Path(name) for name in (what.dataset, gates.compare) if name])
    console = Console(quiet=quiet)

    if what.dataset is not None:
        from distilcli.benchmark.dataset import run_dataset
        from distilcli.console.benchmark import show_dataset

        measured = run_dataset(
            what.dataset_plan(what.dataset), note=console.note, warn=console.warn
        )
        show_dataset(console, measured, table_format=shown)
        write_report(measured.as_dict(), report_options)
        has_failed = any(result.failed_rows for result in measured.results)
        return EXIT_SOME_ROWS_FAILED if has_failed else 0

    from distilcli.benchmark.gates import Old, check_gates
    from distilcli.benchmark.profiling import make_trace_folder
    from distilcli.benchmark.runner import Voice, run
    from distilcli.console.benchmark import show_benchmark, show_profile

    plan, fail_over = what.plan(), gates.share
    _check_traces(plan.traces, compare=gates.compare, stats_file=report_options.stats_file)
    old = None if gates.compare is None else Old.read(Path(gates.compare))
    if plan.profile is not None:
        make_trace_folder(plan.profile)
    report = run(
        plan, Voice(console.note, console.warn, lambda table: show_profile(console, table))
    )
    if old is not None:
        report.changes = old.changes(report)
        for difference in old.differences(report):
            console.warn(difference)
    show_benchmark(console, report, table_format=shown)
    write_report(report.as_dict(), report_options)
    check_gates(report, most_p95_ms=gates.most_p95_ms, old=old, fail_over=fail_over)
    return 0


def _old_spelling(
    json_file: str, json_summary: bool, stats_file: str | None, table_format: TableFormat
) -> tuple[str | None, TableFormat]:
    """Read `--json FILE` as `--stats FILE`, and `--json -` as `--format json`."""
    if not json_summary:
        raise UsageError(f"{json_file}: bench takes no files; for rows, write `dataset` FILE")
    if json_file != "-":
        if stats_file is not None:
            raise UsageError("`json_summary` takes no file beside `stats_file`; leave one out")
        return json_file, table_format
    if table_format not in {"auto", "json"}:
        raise UsageError(
            f"`json_summary` - and `table_format` {table_format} are two things; give one of them"
        )
    return stats_file, "json"


def _check_traces(traces: Sequence[Path], *, compare: str | None, stats_file: str | None) -> None:
    """Raise `UsageError` if a trace would replace what is read, or the statistics."""
    from distilcli.rows import is_same_file

    for trace in traces:
        if compare is not None and is_same_file(trace, compare):
            raise UsageError(f"{trace}: `profile` would replace this input; name another file")
        if stats_file is not None and is_same_file(trace, stats_file):
            raise UsageError(f"{trace}: `stats_file` and `profile` cannot share a file; name two")
