"""`distil bench`: the speed and the memory of a model on this machine."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from distilcli.commands._bench_options import (
    BATCH_TYPE,
    MODEL_TYPE,
    PRECISION_TYPE,
    Gates,
    Measurement,
    Planning,
    dataset_plan,
)
from distilcli.commands._declare import Also, GivenOptions, opt, options
from distilcli.commands._file_run import EXIT_SOME_ROWS_FAILED, write_report
from distilcli.commands._option_groups import (
    Compute,
    FormatOption,
    Report,
    RowsIn,
    TextColumnOption,
    check_outputs,
)
from distilcli.console import TableFormat
from distilcli.errors import UsageError

_STATS_TYPE = Annotated[
    str | None,
    opt("Write everything as JSON to FILE, - for standard output.", "--stats", metavar="FILE"),
    Also("--json"),
]


@options(
    leave_out={
        "files",
        "texts",
        "whole_files",
        "file_column",
        "on_error",
        "keep_empty",
        "min_agreement",
        "max_tokens",
        "dry_run",
    },
    types={
        "model": MODEL_TYPE,
        "precision": PRECISION_TYPE,
        "batch": BATCH_TYPE,
        "stats_file": _STATS_TYPE,
    },
    model="distilbert-base",
)
def bench(
    measurement: Measurement,
    compute: Compute,
    gates: Gates,
    rows: RowsIn,
    planning: Planning,
    report: Report,
    given: GivenOptions,
    text_column: TextColumnOption = None,
    table_format: FormatOption = "auto",
) -> int:
    """Measure the speed and memory of a model, in any precision and at any size.

    The default model has the shape of DistilBERT-base and random weights, so nothing is
    downloaded. Batches run as they do for files. Latency is the time of one batch alone; rates
    are those of many batches. GFLOP/s count matrix products and are compared with the peak of
    this machine, measured in the same run.

    Examples:
      distil bench
      distil bench --precision fp32,bf16,int8 --sweep "seq=32,128,512 batch=1,8,32"
      distil bench --vs bert-base
      distil bench --dataset reviews.csv
      distil bench --dataset rows.csv --plan 1e9 --cores 64 --price-core-hour 0.04
      distil bench --compare old.json --fail-over 5%
    """
    planning.check(given)
    measurement.check(given, compute)
    if gates.compare is None:
        given.refuse(["fail_over"], "is for `compare`; name an older benchmark")
    stats = report.stats_file
    if stats == "-" and table_format not in {"auto", "json"}:
        raise UsageError(
            f"`stats_file` - and `table_format` {table_format} do not go together; give one"
        )
    report.check([each for each in (measurement.dataset, gates.compare) if each is not None])
    console = report.console
    shown: TableFormat = "json" if stats == "-" else table_format

    if measurement.dataset is not None:
        plan = dataset_plan(measurement.dataset, rows, text_column, compute, planning.fleet())

        from distilcli.benchmark.dataset import run_dataset
        from distilcli.console.benchmark import show_dataset

        measured = run_dataset(plan, note=console.note, warn=console.warn)
        show_dataset(console, measured, table_format=shown)
        _write(report, measured.as_dict())
        has_failed = any(result.failed_rows for result in measured.results)
        return EXIT_SOME_ROWS_FAILED if has_failed else 0
    return _bench_batches(measurement, compute, gates, report, table_format=shown)


def _bench_batches(
    measurement: Measurement,
    compute: Compute,
    gates: Gates,
    report: Report,
    *,
    table_format: TableFormat,
) -> int:
    console, compare = report.console, gates.compare
    plan, fail_over = measurement.plan(compute), gates.share

    from distilcli.benchmark.gates import Old, check_gates
    from distilcli.benchmark.profiling import make_trace_folder
    from distilcli.benchmark.runner import Voice, run
    from distilcli.console.benchmark import show_benchmark, show_profile

    for trace in plan.traces:
        outputs = {"profile": str(trace), "stats_file": report.stats_file}
        check_outputs(outputs, [] if compare is None else [compare])
    old = None if compare is None else Old.read(Path(compare))
    if plan.profile is not None:
        make_trace_folder(plan.profile)
    measured = run(
        plan, Voice(console.note, console.warn, lambda table: show_profile(console, table))
    )
    if old is not None:
        measured.changes = old.changes(measured)
        for difference in old.differences(measured):
            console.warn(difference)
    show_benchmark(console, measured, table_format=table_format)
    _write(report, measured.as_dict())
    check_gates(measured, most_p95_ms=gates.max_p95_ms, old=old, fail_over=fail_over)
    return 0


def _write(report: Report, document: dict[str, object]) -> None:
    """Write the report; with `--stats -` it is on standard output already."""
    on_stdout = report.stats_file == "-"
    write_report(document, replace(report, stats_file=None) if on_stdout else report)
