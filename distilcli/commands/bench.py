"""`distil bench`: how fast a model is on this machine, and what it costs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from distilcli.commands import _options as options
from distilcli.commands._bench_options import BenchOptions, GateOptions
from distilcli.commands._file_run import EXIT_SOME_ROWS_FAILED
from distilcli.commands._grouped import grouped
from distilcli.console import Console
from distilcli.errors import UsageError


@grouped(BenchOptions, GateOptions)
def bench(
    what: BenchOptions,
    gates: GateOptions,
    *,
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE", help="Write everything as JSON here, - for standard output."
        ),
    ] = None,
    table_format: options.FormatOption = "auto",
    quiet: options.QuietOption = False,
) -> int:
    """Measure the speed and the memory of a model, in any precision and at any size.

    Without --model it is DistilBERT-base's shape with random weights, and nothing is downloaded.
    Batches go through the workers that run files. Latency is that of one batch alone; rates are
    of many, one after another. GFLOP/s count matrix products, and are set against the rate that
    plain products reach in the same run.

    Examples: distil bench · distil bench --precision fp32,bf16,int8 --sweep "seq=32,128,512
    batch=1,8,32" · distil bench --vs bert-base · distil bench --dataset reviews.csv · distil bench
    --compare old.json --fail-over 5%
    """
    what.check()
    gates.check(of_dataset=what.dataset is not None)
    _check_file(json_file, spared=[what.dataset, gates.compare])
    if json_file == "-" and table_format not in {"auto", "json"}:
        raise UsageError(f"--json - and --format {table_format} are two things; give one of them")
    console = Console(quiet=quiet)
    shown = "json" if json_file == "-" else table_format

    if what.dataset is not None:
        from distilcli.benchmark.dataset import run_dataset
        from distilcli.console.benchmark import show_dataset

        measured = run_dataset(
            what.dataset_plan(what.dataset), note=console.note, warn=console.warn
        )
        show_dataset(console, measured, table_format=shown)
        _write(json_file, measured.as_dict())
        has_failed = any(result.failed_rows for result in measured.results)
        return EXIT_SOME_ROWS_FAILED if has_failed else 0

    from distilcli.benchmark.gates import Old, check_gates
    from distilcli.benchmark.profiling import make_trace_place
    from distilcli.benchmark.runner import Voice, run
    from distilcli.console.benchmark import show_benchmark, show_profile

    plan, fail_over = what.plan(), gates.share
    _check_traces(plan.traces, compare=gates.compare, json_file=json_file)
    old = None if gates.compare is None else Old.read(Path(gates.compare))
    if plan.profile is not None:
        make_trace_place(plan.profile)
    report = run(
        plan, Voice(console.note, console.warn, lambda table: show_profile(console, table))
    )
    if old is not None:
        report.changes = old.changes(report)
        for difference in old.differences(report):
            console.warn(difference)
    show_benchmark(console, report, table_format=shown)
    _write(json_file, report.as_dict())
    check_gates(report, most_p95_ms=gates.most_p95_ms, old=old, fail_over=fail_over)
    return 0


def _check_file(path: str | None, *, spared: Sequence[str | None]) -> None:
    """Raise `UsageError` if the JSON cannot be written there, before any work is done."""
    from distilcli.rows import check_destination, is_same_file

    if path in {None, "-"}:
        return
    check_destination(str(path), force=True)
    for other in spared:
        if other is not None and is_same_file(str(path), other):
            raise UsageError(f"{path}: --json would replace this input; name another file")


def _check_traces(traces: Sequence[Path], *, compare: str | None, json_file: str | None) -> None:
    """Raise `UsageError` if a trace would be written over what is read, or over the JSON."""
    from distilcli.rows import is_same_file

    for trace in traces:
        if compare is not None and is_same_file(trace, compare):
            raise UsageError(f"{trace}: --profile would replace this input; name another file")
        if json_file not in {None, "-"} and is_same_file(trace, str(json_file)):
            raise UsageError(f"{trace}: --json and --profile cannot share a file; name two")


def _write(path: str | None, document: Mapping[str, object]) -> None:
    from distilcli.rows.output import write_text

    if path not in {None, "-"}:
        write_text(str(path), json.dumps(document, indent=2, ensure_ascii=False) + "\n")
