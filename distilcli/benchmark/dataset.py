"""A whole run over a file, timed by stage: reading, tokenizing, model, decoding, writing.

It classifies with a model that has labels and embeds with any other, and writes the rows to a
temporary file. A shape gets a classifier's head with random weights.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from distilcli.benchmark.memory import MemoryWatch, settle
from distilcli.benchmark.model_under_test import SHAPES, is_shape, random_model
from distilcli.benchmark.report import (
    DATASET_FORMAT,
    Environment,
    describe_machine,
    machine_columns,
)
from distilcli.benchmark.stages import Stages, TimedRows, TimedSink, TimedTask
from distilcli.checkpoint.locate import locate
from distilcli.engine.engine import Engine
from distilcli.engine.workers import workers_on
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
from distilcli.stats import RunStats
from distilcli.tasks.classify import ClassificationColumns
from distilcli.tasks.embed import EmbeddingColumns
from distilcli.tasks.files import Columns, run_files, text_from, texts_from
from distilcli.tasks.settings import BatchOptions
from distilcli.wording import count

Value = TypeVar("Value")

_TOKENIZER = "sentiment"  # uncased English, like the vocabulary of the shapes
_WRITTEN_AS = {"csv": "csv", "tsv": "tsv", "txt": "tsv"}
_LABELS = ("negative", "positive")


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetPlan:
    """The rows to run, the model, and how it runs; `reading` are settings of `open_rows`."""

    file: str
    reading: Mapping[str, Any] = field(default_factory=dict)
    model: str
    device: str = "auto"
    precisions: Sequence[Precision] = ("fp32",)
    threads: int | None = None
    offline: bool = False

    def open(self) -> RowSource:
        """Open the rows; raise `InputError` or `UsageError` if they cannot be read."""
        source = open_rows([self.file], **self.reading)
        if source.is_stream:
            raise UsageError(f"`dataset` {self.file}: a benchmark reads only files; name one")
        return source


class StageTime(NamedTuple):
    """Seconds of a stage, its share of all stages, and rows per second; None if unknown."""

    stage: str
    seconds: float
    share: float | None
    rows_per_second: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetResult:
    """One run: `seconds` of wall time, and seconds by stage, summed over threads.

    Stages run side by side, so their sum exceeds the wall time. `peak_memory_bytes` is of the
    process: during the run, or since its start if the system cannot reset the peak.
    """

    model: str
    done: str
    device: str
    precision: str
    threads: int
    rows: int
    failed_rows: int
    tokens: int
    seconds: float
    rows_per_second: float
    tokens_per_second: float
    peak_memory_bytes: int | None
    stages: dict[str, float]

    def times(self) -> list[StageTime]:
        """Return the times of each stage and those of the whole run."""
        spent = sum(self.stages.values())
        stages = [
            StageTime(name, seconds, seconds / spent, self.rows / seconds if seconds else None)
            for name, seconds in self.stages.items()
        ]
        return [*stages, StageTime("whole run", self.seconds, None, self.rows_per_second)]

    def records(self) -> list[dict[str, object]]:
        """Return a line for each stage and one for the whole run."""
        rest = {"failed_rows": self.failed_rows}
        return [{"precision": self.precision, **time._asdict(), **rest} for time in self.times()]


@dataclass(slots=True)
class DatasetReport:
    """All runs, and the machine."""

    environment: Environment
    results: list[DatasetResult]

    def records(self) -> list[dict[str, object]]:
        """Return the lines of all runs, with the machine."""
        machine = machine_columns(self.environment)
        return [record | machine for result in self.results for record in result.records()]

    def as_dict(self) -> dict[str, object]:
        """Return everything as plain JSON values."""
        results = [asdict(result) for result in self.results]
        return {"format": DATASET_FORMAT, "environment": self.environment, "results": results}


def run_dataset(
    plan: DatasetPlan, *, note: Callable[[str], None], warn: Callable[[str], None]
) -> DatasetReport:
    """Run the file once in each precision, with a warning for those that the device lacks.

    Raises `ResourceError` if it lacks all, and what reading rows and loading a model raises.
    """
    with plan.open() as source:
        text_column = source.text_column  # faults in the rows are found before any work
    results: list[DatasetResult] = []
    with _folder(plan.model) as model:
        for precision in plan.precisions:
            try:
                predictor, done = _load(plan, model, precision)
            except ResourceError as refusal:
                if not results and precision == plan.precisions[-1]:
                    raise
                warn(f"{refusal}; skipped")
                continue
            with plan.open() as source:
                note(f"measuring {source.name} in {precision}: {done}")
                results.append(_run(plan, source, predictor, done, text_column, warn))
            # Two models at once would raise the peak of the next run.
            del predictor
            settle()
    device, threads = torch.device(results[0].device), results[0].threads
    return DatasetReport(describe_machine(device, threads=threads), results)


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
    stages, device = Stages(), torch.device(predictor.device)
    stats = RunStats(device=predictor.device, load_seconds=predictor.load_seconds)
    watch = MemoryWatch(device, held=None)
    if isinstance(predictor, Classifier):
        columns = ClassificationColumns(predictor.labels, predictor.kind)
        engine = predictor.engine(texts_from(text_column, None))
        _run_rows(source, engine, columns, stages, stats)
    else:
        embedding = predictor.engine(text_from(text_column))
        _run_rows(source, embedding, EmbeddingColumns("json"), stages, stats)
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
        threads=workers_on(device, cores=plan.threads or available_cores()),
        rows=stats.rows, failed_rows=stats.failed, tokens=stats.tokens, seconds=stats.seconds,
        rows_per_second=stats.rows_per_second, tokens_per_second=stats.tokens_per_second,
        peak_memory_bytes=memory.process, stages=stages.seconds,
    )  # fmt: skip


def _run_rows(
    source: RowSource,
    engine: Engine[Row, Value],
    columns: Columns[Value],
    stages: Stages,
    stats: RunStats,
) -> None:
    """Run all rows into a temporary file, and take the time of each stage."""
    with scratch_folder() as folder:
        writer = open_writer(
            Path(folder) / f"rows.{_WRITTEN_AS.get(source.format, 'jsonl')}",
            columns=source.columns,
            new_columns=columns.names,
            input_format=source.format,
            delimiter=source.delimiter,
        )
        timed = replace(engine, task=TimedTask(engine.task, stages))
        with writer:
            rows, sink = TimedRows(source, stages), TimedSink(writer, stages)
            run_files(rows, timed, sink, columns, stats=stats)
