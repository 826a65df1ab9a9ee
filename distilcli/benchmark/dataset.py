"""A whole run over a file, timed by stage: reading, tokenizing, model, decoding, writing.

It classifies with a model that has labels and embeds with any other, and writes the rows to a
temporary file. A shape gets a classifier's head with random weights.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from distilcli.benchmark.dataset_result import DatasetReport, DatasetResult
from distilcli.benchmark.forecast import Fleet, Forecast, Process, StageCosts, forecast, rate_of
from distilcli.benchmark.memory import MemoryWatch, settle
from distilcli.benchmark.model_under_test import SHAPES, is_shape, random_model
from distilcli.benchmark.report import describe_machine
from distilcli.benchmark.stage_costs import time_stages
from distilcli.benchmark.stages import Stages, TimedRows, TimedSink, TimedTask
from distilcli.checkpoint.locate import locate
from distilcli.engine.engine import Engine
from distilcli.errors import HeadError, InputError, ResourceError, UsageError
from distilcli.interrupt import scratch_folder
from distilcli.model.hardware import available_cores
from distilcli.model.heads import SequenceClassifier
from distilcli.model.precision_name import Precision
from distilcli.model.saving import save_model
from distilcli.predictors.agreement import SAMPLE_ROWS
from distilcli.predictors.base import Options
from distilcli.predictors.classifier import Classifier
from distilcli.predictors.embedder import Embedder
from distilcli.rows import Row, RowSource, open_rows, open_writer
from distilcli.rows.row_writer import RowWriter
from distilcli.stats import RunStats
from distilcli.tasks.classify import ClassificationColumns
from distilcli.tasks.embed import EmbeddingColumns
from distilcli.tasks.files import Columns, run_files, text_from, texts_from
from distilcli.tasks.settings import BatchOptions
from distilcli.wording import count

_TOKENIZER = "sentiment"  # uncased English, like the vocabulary of the shapes
_WRITTEN_AS = {"csv": "csv", "tsv": "tsv", "txt": "tsv"}
_LABELS = ("negative", "positive")
_NEAR = 1.2  # the whole run and its stages, in rows per second


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetPlan:
    """The rows to run, the model, and how it runs; `reading` are settings of `open_rows`.

    With a `fleet` each stage is also measured alone, for a forecast.
    """

    file: str
    reading: Mapping[str, Any] = field(default_factory=dict)
    model: str
    device: str = "auto"
    precisions: Sequence[Precision] = ("fp32",)
    threads: int | None = None
    offline: bool = False
    fleet: Fleet | None = None

    def open(self) -> RowSource:
        """Open the rows; raise `InputError` or `UsageError` if they cannot be read."""
        source = open_rows([self.file], **self.reading)
        if source.is_stream:
            raise UsageError(f"`dataset` {self.file}: a benchmark reads only files; name one")
        return source


def run_dataset(
    plan: DatasetPlan, *, note: Callable[[str], None], warn: Callable[[str], None]
) -> DatasetReport:
    """Run the file once in each precision, with a warning for those that the device lacks.

    Raises `ResourceError` if it lacks all, and what reading rows and loading a model raises.
    """
    with plan.open() as source:
        text_column = source.text_column  # faults in the rows are found before any work
    devices: Sequence[torch.device] = ()
    results: list[DatasetResult] = []
    plans: list[Forecast] = []
    with _folder(plan.model) as model:
        for precision in plan.precisions:
            try:
                predictor, done = _load(plan, model, precision)
            except ResourceError as refusal:
                if not results and precision == plan.precisions[-1]:
                    raise
                warn(f"{refusal}; skipped")
                continue
            if plan.fleet is not None:
                device_type = predictor.devices[0].type
                plan.fleet.check(device_type, cores=plan.threads or available_cores())
            with plan.open() as source:
                note(f"measuring {source.name} in {precision}: {done}")
                results.append(_run(plan, source, predictor, done, text_column, warn))
            if plan.fleet is not None:
                note("measuring each stage alone")
                plans.append(_forecast(plan, plan.fleet, results[-1], predictor, text_column))
                _warn_of_difference(plans[-1], warn)
            devices = predictor.devices
            # Two models at once would raise the peak of the next run.
            del predictor
            settle()
    machine = describe_machine(devices, threads=results[0].threads)
    return DatasetReport(machine, results, plans)


@contextmanager
def _folder(model: str) -> Iterator[str]:
    """Yield the model to open; a shape is written to a temporary folder."""
    if not is_shape(model):
        yield model
        return
    with scratch_folder() as folder:
        config = replace(SHAPES[model], labels=_LABELS, problem_type="single_label_classification")
        files = locate(_TOKENIZER).tokenizer_files
        save_model(random_model(SequenceClassifier, config), Path(folder), tokenizer_files=files)
        yield folder


def _load(plan: DatasetPlan, model: str, precision: Precision) -> tuple[Classifier | Embedder, str]:
    """Load a classifier, or an embedder if the model has no labels, and say what it does."""
    options: Options = {
        "device": plan.device,
        "precision": precision,
        # Only the speed is measured.
        "min_agreement": 0.0 if precision == "int8" else None,
        "offline": plan.offline,
        "batches": BatchOptions(threads=plan.threads),
    }
    try:
        classifier = Classifier(model, **options)
    except HeadError:
        return Embedder(model, **options), "rows are embedded (the model has no labels)"
    head = "a head of random weights" if is_shape(plan.model) else "the model's head"
    return classifier, f"rows are classified by {head}"


def _run(
    plan: DatasetPlan,
    source: RowSource,
    predictor: Classifier | Embedder,
    done: str,
    text_column: str,
    warn: Callable[[str], None],
) -> DatasetResult:
    # In int8, the first rows are compared with fp32, which is not to be measured.
    predictor(["a text to warm up on"] * SAMPLE_ROWS)
    stages = Stages()
    stats = RunStats(device=predictor.device, load_seconds=predictor.load_seconds)
    watch = MemoryWatch(predictor.devices[0], held=0)
    engine, columns = _engine_of(predictor, text_column)
    timed = replace(engine, task=TimedTask(engine.task, stages))

    def run(writer: RowWriter) -> None:
        rows, sink = TimedRows(source, stages), TimedSink(writer, stages)
        run_files(rows, timed, sink, columns, stats=stats)

    _write_to_file(source, columns, run)
    memory = watch.read()
    if stats.halvings:
        warn(
            f"{plan.model}, {predictor.precision}: memory ran out, and batches were halved "
            f"({stats.halvings:,}); use fewer `threads`"
        )
    if not stats.rows:
        raise InputError(f"{source.name}: no rows to measure; name a file with some")
    if stats.failed == stats.rows:
        raise InputError(f"{source.name}: every row failed: {stats.first_error}")
    if stats.failed:
        warn(
            f"{source.name}: {stats.failed:,} of {count(stats.rows, 'row')} failed, the first: "
            f"{stats.first_error}; rates count all rows"
        )
    return DatasetResult(
        model=plan.model, done=done, device=predictor.device, precision=predictor.precision,
        threads=predictor.workers,
        rows=stats.rows, failed_rows=stats.failed, tokens=stats.tokens,
        load_seconds=predictor.load_seconds, seconds=stats.seconds,
        rows_per_second=stats.rows_per_second, tokens_per_second=stats.tokens_per_second,
        peak_memory_bytes=memory.process, added_memory_bytes=memory.added, stages=stages.seconds,
    )  # fmt: skip


def _forecast(
    plan: DatasetPlan,
    fleet: Fleet,
    result: DatasetResult,
    predictor: Classifier | Embedder,
    text_column: str,
) -> Forecast:
    """Measure each stage alone, and return what the rows of `fleet` take."""
    engine, columns = _engine_of(predictor, text_column)
    stages = Stages()
    with plan.open() as source:
        written = _write_to_file(
            source, columns, lambda writer: time_stages(stages, source, engine, writer, columns)
        )
        read, limit = source.bytes_read, plan.reading.get("limit")
    is_cuda = engine.devices[0].type == "cuda"
    costs = StageCosts(
        rows=result.rows, seconds=stages.seconds, cores=engine.workers,
        gpus=len(engine.devices) if is_cuda else 0,
        bytes_read=read, bytes_written=written, is_whole=limit is None or result.rows < limit,
    )  # fmt: skip
    added = 0 if is_cuda else result.added_memory_bytes
    process = Process(
        precision=result.precision,
        seconds_to_load=result.load_seconds,
        rows_per_second=result.rows_per_second,
        peak_bytes=result.peak_memory_bytes,
        worker_bytes=None if added is None else added // engine.workers,
    )
    return forecast(fleet, costs, process)


def _warn_of_difference(plan: Forecast, warn: Callable[[str], None]) -> None:
    expected, measured = plan.expected_here.rows_per_second, plan.measured_here
    if not 1 / _NEAR <= measured / expected <= _NEAR:
        warn(
            f"the whole run reached {rate_of(measured)}, and its stages alone promise "
            f"{rate_of(expected)}: too few rows, or a busy machine; measure again"
        )


def _engine_of(
    predictor: Classifier | Embedder, text_column: str
) -> tuple[Engine[Row, Any], Columns[Any]]:
    if isinstance(predictor, Classifier):
        columns = ClassificationColumns(predictor.labels, predictor.kind)
        return predictor.engine(texts_from(text_column, None)), columns
    return predictor.engine(text_from(text_column)), EmbeddingColumns("json")


def _write_to_file(
    source: RowSource, columns: Columns[Any], run: Callable[[RowWriter], None]
) -> int:
    """Call `run` with the writer of a temporary file in the format of the rows; return its size."""
    with scratch_folder() as folder:
        path = Path(folder) / f"rows.{_WRITTEN_AS.get(source.format, 'jsonl')}"
        writer = open_writer(
            path,
            columns=source.columns,
            new_columns=columns.names,
            input_format=source.format,
            delimiter=source.delimiter,
        )
        with writer:
            run(writer)
        return path.stat().st_size
