"""The card of a trained model: a README.md that the Hugging Face hub and a person both read."""

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

from huggingface_hub import EvalResult, ModelCardData

from distilcli.scores.precision_recall import PrecisionRecall
from distilcli.training.environment import Environment

_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~])")
_WIDTH = 88
_VALIDATION = "validation rows"


@dataclass(frozen=True, kw_only=True, slots=True)
class DataRecord:
    """Rows of a run: the files that they came from, how many, and how many of each label."""

    files: Sequence[str]
    rows: int
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """All that the card of a finished run says.

    `name` is what the model is called, `task` that of `distil finetune`, `base_model` what it
    started from, `base_model_id` the id of that on the hub, or its built-in name (None: it has
    neither).
    `command` is the command line, a word an item. `metrics` are those of the best model, which was
    there at `best_step`, on the validation rows; `label_figures` are the same label by label,
    where labels are what is learned.
    """

    name: str
    task: str
    base_model: str
    base_model_id: str | None = None
    teacher: str | None = None
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
    label_figures: Mapping[str, PrecisionRecall] = field(default_factory=dict)
    environment: Environment


@dataclass(frozen=True, slots=True)
class _Use:
    """What a task is called on the hub and in words, and how its model is used."""

    pipeline_tag: str
    purpose: str
    command: str
    python: str


_CLASSIFY = "distil classify reviews.csv --model"
_USES = {
    "classify": _Use("text-classification", "gives a text one label", _CLASSIFY, "Classifier"),
    "multilabel": _Use(
        "text-classification", "gives a text any number of labels", _CLASSIFY, "Classifier"
    ),
    "regress": _Use("text-classification", "gives a text a number", _CLASSIFY, "Classifier"),
    "tag": _Use(
        "token-classification", "finds entities in a text", "distil tag news.csv --model", "Tagger"
    ),
    "qa": _Use(
        "question-answering",
        "finds the answer to a question in a text",
        "distil qa questions.csv --model",
        "Answerer",
    ),
    "mlm": _Use(
        "fill-mask", "fills gaps in a text", "distil fill sentences.csv --model", "MaskFiller"
    ),
    "embed": _Use(
        "feature-extraction",
        "turns a text into a vector",
        "distil embed texts.csv -o vectors.npy --model",
        "Embedder",
    ),
    "choose": _Use(
        "multiple-choice",
        "chooses between options",
        "distil choose questions.csv --model",
        "Chooser",
    ),
}
_FAMILIES = {"distilbert": "DistilBERT", "bert": "BERT"}
# What the hub calls a metric, where that is not our name for it.
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

    The YAML is as https://huggingface.co/docs/hub/model-cards describes it.
    Of absolute paths it keeps the last name, so that it says nothing of the machine. What is not
    known (the language, the license) is left out; its author can add it.
    """
    parts = [
        f"---\n{_front_matter(record)}\n---",
        f"# {_plain(_file_name(record.name))}",
        _introduction(record),
        _use(record),
        "## Figures",
        _figures(record),
        "## Data",
        _data(record),
        *(["## Labels", _labels(record)] if record.train.labels else []),
        "## How it was made",
        _command(record.command),
        _environment(record.environment),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(record: RunRecord) -> str:
    use = _USES[record.task]
    name = _file_name(record.name)
    validated_on = ", ".join(_names(record.valid)) or _VALIDATION
    results = [
        EvalResult(
            task_type=use.pipeline_tag,
            dataset_type=_VALIDATION,  # an id on the hub would stand here; files have none
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
        pipeline_tag=use.pipeline_tag,
        tags=[record.model_type, "distil", record.task],
        model_name=name,
        eval_results=results or None,
    ).to_yaml()


def _introduction(record: RunRecord) -> str:
    use = _USES[record.task]
    taught = f", taught by {_plain(_without_folder(record.teacher))}" if record.teacher else ""
    return (
        f"A {_FAMILIES[record.model_type]} that {use.purpose}: {record.parameters:,} parameters, "
        f"texts of up to {record.max_length:,} tokens. It started from "
        f"{_plain(_without_folder(record.base_model))}{taught}."
    )


def _use(record: RunRecord) -> str:
    use = _USES[record.task]
    return (
        f"```sh\n{use.command} DIR\n```\n\n"
        f"or, in Python, `distilcli.{use.python}(DIR)`, where `DIR` is this folder; "
        "`transformers` loads it too."
    )


def _figures(record: RunRecord) -> str:
    stood = (
        f"Measured on the {record.valid.rows:,} validation rows. The best model is kept: that of "
        f"step {record.best_step:,}, of {record.steps:,} in {_counted(record.epochs, 'epoch')}. "
        "The same rows chose it, so its figures are a little optimistic."
    )
    rows = [(metric_words(name), _number(value)) for name, value in record.metrics.items()]
    return f"{stood}\n\n{_table(('metric', 'value'), rows)}"


def _data(record: RunRecord) -> str:
    parts = (("training", record.train), ("validation", record.valid))
    rows = [(what, ", ".join(map(_plain, _names(data))), f"{data.rows:,}") for what, data in parts]
    return _table(("rows for", "files", "rows"), rows)


def _labels(record: RunRecord) -> str:
    rows = []
    for label, count in record.train.labels.items():
        counts = (f"{count:,}", f"{record.valid.labels.get(label, 0):,}")
        found = record.label_figures.get(label)
        figures = (found.precision, found.recall, found.f1) if found else ()
        rows.append((_plain(label), *counts, *map(_number, figures)))
    head = ("label", "training rows", "validation rows")
    return _table((*head, "precision", "recall", "F1") if record.label_figures else head, rows)


def _environment(environment: Environment) -> str:
    rows = [
        ("date", environment.date),
        ("duration", _duration(environment.seconds)),
        ("processor", f"{_plain(environment.cpu)}, {_counted(environment.cores, 'core')}"),
        ("device", _plain(environment.device)),
        ("precision", environment.precision),
        (
            "versions",
            f"distil {environment.distil}, torch {environment.torch}, Python {environment.python}",
        ),
    ]
    return _table(("", ""), rows)


def _command(command: Sequence[str]) -> str:
    return "```sh\n" + " \\\n    ".join(_lines(command)) + "\n```"


def _lines(command: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command in lines that are not too long, an option with its value."""
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
    """Cut an absolute path, or that of `--option=PATH`, to its last name."""
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    is_absolute = PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    return option + equals + (_file_name(value) if is_absolute else value)


def _file_name(path: str) -> str:
    return PureWindowsPath(path).name or path  # which takes both kinds of slashes


def _names(data: DataRecord) -> list[str]:
    return [_file_name(path) for path in data.files]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    padded = [[*row, *[""] * (len(head) - len(row))] for row in rows]
    lines = [head, ["---"] * len(head), *padded]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Return a text in Markdown that shows it as it is, in one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split())) or " "


def metric_words(metric: str) -> str:
    """Return the name of a metric as a person writes it: `macro_f1` is macro-F1."""
    return metric.replace("_f1", "-F1").replace("f1", "F1").replace("_", " ")


def _number(value: float) -> str:
    return f"{value:.4f}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
