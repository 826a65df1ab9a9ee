"""`evaluate`: a model, or predictions in a file, against gold labels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from distilcli.checkpoint.locate import is_of_user
from distilcli.errors import UsageError
from distilcli.evaluation.abstention import (
    CONFIDENCE,
    Found,
    check_abstention,
    find_thresholds,
    save_thresholds,
)
from distilcli.evaluation.evaluation import EvaluationOptions, Outcome
from distilcli.evaluation.files import is_answers, is_predictions
from distilcli.evaluation.of_model import ModelSubject, open_model
from distilcli.evaluation.of_predictions import PredictionsSubject, open_predictions
from distilcli.evaluation.report import Report, report_of
from distilcli.gold.columns import Columns
from distilcli.predictors.base import Options
from distilcli.rows.data import Data, open_data
from distilcli.rows.reader import RowSource, open_rows
from distilcli.stats import RunStats
from distilcli.tasks.settings import LongTexts, WindowPooling
from distilcli.tasks.spec import TaskSpec, refuse_without_effect
from distilcli.tokenizer.windows import Long

if TYPE_CHECKING:
    from typing_extensions import Unpack

_OF_PREDICTIONS = ("prefix",)
_OF_MODELS = (
    *("text_column", "pair_column", "calibrate", "max_error"),
    *("long", "max_length", "stride", "window_pooling"),
    *("batch", "max_tokens", "threads", "device", "precision", "keep_empty"),
    *("min_agreement", "batches", "long_texts"),
)

_PREDICTOR_SETTINGS = frozenset(Options.__annotations__)

Subject = ModelSubject | PredictionsSubject


def evaluate(
    subject: str,
    data: Data | None = None,
    *,
    task: str | None = None,
    text_column: str | None = None,
    join: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
    options_column: str | None = None,
    option_columns: Sequence[str] = (),
    label_separator: str | None = None,
    label_columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    word_column: int | None = None,
    label_map: Mapping[str, str] | None = None,
    prefix: str | None = None,
    threshold: float | None = None,
    threshold_search: bool = False,
    confidence: float | None = None,
    max_error: float | None = None,
    per_label: bool = False,
    by: str | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    limit: int | None = None,
    long: Long | None = None,
    max_length: int | None = None,
    stride: int | None = None,
    window_pooling: WindowPooling | None = None,
    **predictor: "Unpack[Options]",
) -> Report:
    """Measure a model on rows with gold labels, or the predictions in a file against them.

    `subject` is a model (a folder, a hub id or a built-in name) or a file of predictions; `data`
    are paths of files, or rows as mappings, with gold labels, which predictions may have in their
    own rows. The task is by default that of the model's head or of the columns with predictions.
    With `max_error` a folder keeps the thresholds that were found; `GateError` if there are none.
    The other settings are those of `distil evaluate`, and those of every predictor. Raises
    `DistilError` as the command does, and `TypeError` for a setting that there is not.
    """
    if unknown := predictor.keys() - _PREDICTOR_SETTINGS:
        raise TypeError(f"evaluate() has no setting {min(unknown)!r}")
    columns = Columns(
        text_column=text_column,
        pair_column=pair_column,
        label_column=label_column,
        options_column=options_column,
        option_columns=tuple(option_columns),
        label_separator=label_separator,
        label_columns=tuple(label_columns),
        labels=tuple(labels),
    )
    source = None
    if data is not None:
        source = open_data(
            data, name="`data`", text_column=text_column, join=join, limit=limit,
            word_column=word_column,
        )  # fmt: skip
    predictions = None
    if is_predictions(subject, has_data=source is not None) and not is_answers(subject):
        # Predictions that are matched by ids may be in another order.
        predictions = open_rows([subject], limit=limit if source is None else None)
    opened = open_subject(
        subject, predictions, source,
        task=task, prefix=prefix, pair_column=pair_column, offline=bool(predictor.get("offline")),
    )  # fmt: skip
    given: dict[str, object] = {name: getattr(columns, name) for name in Columns.__slots__}
    given |= {
        "label_map": label_map or None, "prefix": prefix, "threshold": threshold,
        "threshold_search": threshold_search, "max_error": max_error, "per_label": per_label,
        "long": long, "max_length": max_length,
        "stride": stride, "window_pooling": window_pooling, **predictor,
    }  # fmt: skip
    check_settings(opened, given)
    if max_error is not None and isinstance(opened, ModelSubject):
        check_abstention(opened, max_error)
    long_texts = long_texts_of(
        opened.task, long=long, max_length=max_length, stride=stride, window_pooling=window_pooling
    )
    evaluation = opened.evaluation(
        EvaluationOptions(
            columns=columns,
            prefix=prefix,
            label_map=label_map or {},
            threshold=threshold,
            limited=limit is not None,
            on_error=on_error,
            predictor={"long_texts": long_texts, **predictor},
        )
    )
    by = None if by is None else evaluation.source.find_column(by)
    with evaluation.source:
        stats = RunStats(device=evaluation.device)
        outcome = evaluation.run(stats, by=by, on_error=on_error)
    if max_error is None:
        return report_of(outcome, confidence=confidence, search=threshold_search)
    outcome, found = with_thresholds(
        opened, outcome, max_error=max_error, confidence=confidence, per_label=per_label
    )
    found.check()
    return report_of(
        outcome, confidence=confidence, search=threshold_search,
        added=found.metrics, tables=found.tables,
    )  # fmt: skip


def open_subject(
    subject: str,
    predictions: RowSource | None,
    data: RowSource | None,
    *,
    task: str | None,
    prefix: str | None,
    pair_column: str | None,
    offline: bool,
) -> Subject:
    """Find out what is evaluated, and on which task; no model is loaded yet.

    Raises `DistilError` if the model does not exist, or if nothing says what was predicted.
    """
    if data is None or is_predictions(subject, has_data=True):
        return open_predictions(subject, predictions, data, task=task, prefix=prefix)
    return open_model(subject, data, task=task, pair_column=pair_column, offline=offline)


def check_settings(subject: Subject, given: Mapping[str, object]) -> None:
    """Raise `UsageError` for a setting that was given and has no effect on the subject."""
    if given.get("max_error") is None:
        for setting in ("per_label", "plot"):
            if given.get(setting):
                raise UsageError(f"`{setting}` has no effect without `max_error`; add it")
    elif given.get("calibrate"):
        raise UsageError("`calibrate` changes the scores; run it first, then `max_error`")
    of_model = isinstance(subject, ModelSubject)
    others = _OF_PREDICTIONS if of_model else _OF_MODELS
    kind = "predictions in a file, not for a model" if of_model else "a model, not for predictions"
    for setting in others:
        if given.get(setting) not in (None, False, ()):
            raise UsageError(f"`{setting}` is for {kind}")
    refuse_without_effect(subject.task.name, given)


def with_thresholds(
    subject: Subject,
    outcome: Outcome,
    *,
    max_error: float,
    confidence: float | None,
    per_label: bool,
) -> tuple[Outcome, Found]:
    """Find thresholds on the outcome, and keep them in the model's folder if it is the user's.

    Return the outcome with them, and what was found.
    """
    found = find_thresholds(
        outcome.results,
        max_error=max_error,
        confidence=confidence or CONFIDENCE,
        per_label=per_label,
    )
    if found.abstention is not None and is_of_user(subject.name):
        save_thresholds(subject.name, found.abstention)
    return replace(outcome, results=outcome.results.with_abstention(found.abstention)), found


def long_texts_of(
    task: TaskSpec,
    *,
    long: Long | None,
    max_length: int | None,
    stride: int | None,
    window_pooling: WindowPooling | None,
) -> LongTexts:
    """Return how long texts are read; what is None is as in the task's command.

    Raises `UsageError` for a setting of windows without windows.
    """
    given = {
        "max_length": task.max_length if max_length is None else max_length,
        "stride": stride,
        "window_pooling": window_pooling,
    }
    long = long or task.long
    for setting in ("stride", "window_pooling"):
        if long != "window" and given[setting] is not None:
            raise UsageError(f"`{setting}` is for windows; add `long` window")
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return LongTexts(long=long, **chosen)
