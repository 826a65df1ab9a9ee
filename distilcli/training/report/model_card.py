"""The card of a trained model: a README.md for the Hugging Face hub and for people."""

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

from huggingface_hub import EvalResult, ModelCardData

from distilcli.model.hardware import Machine
from distilcli.scores.precision_recall import PrecisionRecall
from distilcli.tasks.spec import TASKS
from distilcli.training.report.distillation import TeachingRecord
from distilcli.wording import count

_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~])")
_WIDTH = 88
_VALIDATION = "validation rows"


@dataclass(frozen=True, kw_only=True, slots=True)
class DataRecord:
    """Rows of a run: their files, how many there are, and how many have each label."""

    files: Sequence[str]
    rows: int
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """What the card of a finished run says.

    `name` is the model's, `base_model` what it was trained from, and `base_model_id` its id on
    the hub or its built-in name, None if it has neither. `teaching` compares it with its
    `teacher`. `command` are the words of the command line. `metrics` are those of the best model,
    saved at `best_step`, on the validation rows; `label_scores` are the same for each label.
    `seconds` is the duration of the run, `date` the day of its end in UTC.
    """

    name: str
    task: str
    base_model: str
    base_model_id: str | None = None
    teacher: str | None = None
    teaching: TeachingRecord | None = None
    model_type: str
    parameters: int
    max_length: int
    command: Sequence[str]
    train: DataRecord
    valid: DataRecord
    steps: int
    epochs: int
    best_step: int
    metrics: Mapping[str, float]
    label_scores: Mapping[str, PrecisionRecall] = field(default_factory=dict)
    machine: Machine
    precision: str
    date: str
    seconds: float


_FAMILIES = {"distilbert": "DistilBERT", "bert": "BERT"}
# The hub's names of metrics, if they are not ours.
_HUB_METRICS = {
    "macro_f1": "f1",
    "micro_f1": "f1",
    "entity_f1": "f1",
    "matthews": "matthews_correlation",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
}


def model_card(record: RunRecord) -> str:
    """Return the text of the card: YAML for the hub, Markdown for a person.

    The YAML follows https://huggingface.co/docs/hub/model-cards. Absolute paths are cut to the
    last name, so that the card reveals nothing about the machine. What is unknown (language,
    license) is for the author to add.
    """
    parts = [
        f"---\n{_front_matter(record)}\n---",
        f"# {_plain(_file_name(record.name))}",
        _introduction(record),
        _use(record),
        "## Evaluation",
        _evaluation(record),
        *(["## Distillation", *found] if (found := _distillation(record)) else []),
        "## Data",
        _data(record),
        *(["## Labels", _labels(record)] if record.train.labels else []),
        "## Training",
        *([_code(" \\\n    ".join(_lines(record.command)))] if record.command else []),
        _environment(record),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(record: RunRecord) -> str:
    spec = TASKS[record.task]
    name = _file_name(record.name)
    validated_on = ", ".join(_names(record.valid)) or _VALIDATION
    results = [
        EvalResult(
            task_type=spec.pipeline_tag,
            dataset_type=_VALIDATION,  # an id on the hub, which files do not have
            dataset_name=validated_on,
            metric_type=_HUB_METRICS.get(metric, metric),
            metric_name=metric_words(metric),
            metric_value=value,
        )
        for metric, value in record.metrics.items()
        if math.isfinite(value)
    ]
    return ModelCardData(
        base_model=record.base_model_id,
        library_name="transformers",
        pipeline_tag=spec.pipeline_tag,
        tags=[record.model_type, "distil", record.task],
        model_name=name,
        eval_results=results or None,
    ).to_yaml()


def _introduction(record: RunRecord) -> str:
    teacher = record.teacher and f" and distilled from {_plain(_without_folder(record.teacher))}"
    return (
        f"A {_FAMILIES[record.model_type]} model that {TASKS[record.task].purpose}. It has "
        f"{record.parameters:,} parameters, reads up to {record.max_length:,} tokens, and was "
        f"fine-tuned from {_plain(_without_folder(record.base_model))}{teacher or ''}."
    )


def _use(record: RunRecord) -> str:
    spec = TASKS[record.task]
    predictor = spec.predictor.rpartition(":")[2]
    return (
        f"{_code(f'distil {spec.example} -m DIR')}\n\n"
        f"or, in Python, `distilcli.{predictor}(DIR)`, where `DIR` is this folder. "
        "`transformers` can load it too."
    )


def _evaluation(record: RunRecord) -> str:
    text = (
        f"Measured on the {count(record.valid.rows, 'validation row')}. This is the best "
        f"checkpoint, from step {record.best_step:,} of {record.steps:,} "
        f"({count(record.epochs, 'epoch')}). It was selected on the same rows, so the scores are "
        "slightly optimistic."
    )
    rows = [(metric_words(name), _number(value)) for name, value in record.metrics.items()]
    return f"{text}\n\n{_table(('metric', 'value'), rows)}"


def _distillation(record: RunRecord) -> list[str]:
    """Return how the model compares with its teacher: as a whole, and for each label."""
    teaching = record.teaching
    if teaching is None:
        return []
    rows = [
        (metric_words(name), _number(value), _number(record.metrics[name]))
        for name, value in teaching.metrics.items()
    ]
    facts = []
    if teaching.agreement is not None:
        share = f"{teaching.agreement:.1%} of {count(teaching.rows, 'validation row')}"
        facts.append(f"Both give the same label to {share}.")
    if teaching.size is not None and teaching.speed is not None:
        facts.append(
            f"This model has {teaching.size:.0%} of the parameters of its teacher, and reads the "
            f"validation rows at {teaching.speed:.1f} times its speed."
        )
    labels = [
        (_plain(label), _number(teacher), _number(own), f"{own - teacher:+.4f}")
        for label, (teacher, own) in teaching.label_f1.items()
    ]
    head = ("metric", "teacher", "this model")
    return [
        *([" ".join(facts)] if facts else []),
        *([_table(head, rows)] if rows else []),
        *([_table(("label", "F1 of the teacher", "F1", "gain"), labels)] if labels else []),
    ]


def _data(record: RunRecord) -> str:
    parts = (("training", record.train), ("validation", record.valid))
    rows = [(what, ", ".join(map(_plain, _names(data))), f"{data.rows:,}") for what, data in parts]
    return _table(("split", "files", "rows"), rows)


def _labels(record: RunRecord) -> str:
    rows = []
    for label, rows_with_it in record.train.labels.items():
        counts = (f"{rows_with_it:,}", f"{record.valid.labels.get(label, 0):,}")
        found = record.label_scores.get(label)
        scores = (found.precision, found.recall, found.f1) if found else ()
        rows.append((_plain(label), *counts, *map(_number, scores)))
    head = ("label", "training rows", "validation rows")
    return _table((*head, "precision", "recall", "F1") if record.label_scores else head, rows)


def _environment(record: RunRecord) -> str:
    machine = record.machine
    versions = f"distil {machine.distil}, torch {machine.torch}, Python {machine.python}"
    rows = [
        ("date", record.date),
        ("duration", _duration(record.seconds)),
        ("processor", f"{_plain(machine.cpu)}, {count(machine.cores, 'core')}"),
        ("device", _plain(machine.device)),
        ("precision", record.precision),
        ("versions", versions),
    ]
    return _table(("", ""), rows)


def _code(text: str) -> str:
    return f"```sh\n{text}\n```"


def _lines(command: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command in short lines, options together with their values."""
    line = ""
    for word in command:
        quoted = shlex.quote(_without_folder(word))
        if line and word.startswith("-") and len(line) + len(quoted) > _WIDTH * 0.8:
            yield line
            line = quoted
        else:
            line = f"{line} {quoted}" if line else quoted
    yield line


def _without_folder(word: str) -> str:
    """Cut an absolute path, or that of `-option=PATH`, to its last name."""
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    is_absolute = PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    return option + equals + (_file_name(value) if is_absolute else value)


def _file_name(path: str) -> str:
    return PureWindowsPath(path).name or path  # knows both kinds of slashes


def _names(data: DataRecord) -> list[str]:
    return [_file_name(path) for path in data.files]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; cells are Markdown."""
    padded = [[*row, *[""] * (len(head) - len(row))] for row in rows]
    lines = [head, ["---"] * len(head), *padded]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Escape a text so that Markdown shows it unchanged, in one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split())) or " "


def metric_words(metric: str) -> str:
    """Return the name of a metric as people write it: `macro_f1` is macro-F1."""
    return metric.replace("_f1", "-F1").replace("f1", "F1").replace("_", " ")


def _number(value: float) -> str:
    return f"{value:.4f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
