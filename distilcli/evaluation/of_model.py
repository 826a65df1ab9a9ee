"""A model over rows: one exam for each task, run by the task's own engine."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from distilcli.checkpoint.locate import locate
from distilcli.engine.engine import Engine
from distilcli.errors import ModelError, UsageError
from distilcli.evaluation.results.base import Results
from distilcli.evaluation.results.choose import ChooseResults
from distilcli.evaluation.results.classify import ClassifyResults
from distilcli.evaluation.results.mlm import MlmResults
from distilcli.evaluation.results.multilabel import THRESHOLD, MultilabelResults
from distilcli.evaluation.results.qa import QaResults
from distilcli.evaluation.results.regress import EmbedResults, RegressResults
from distilcli.evaluation.results.tag import TagResults
from distilcli.evaluation.run import Evaluation, EvaluationOptions
from distilcli.evaluation.tasks import Task, task_of_model
from distilcli.gold import cells as gold
from distilcli.gold.columns import (
    ANSWER_COLUMNS,
    CHOICE_COLUMNS,
    FIRST_COLUMNS,
    LABEL_COLUMNS,
    NUMBER_COLUMNS,
    SECOND_COLUMNS,
    SEVERAL_COLUMNS,
    TAG_COLUMNS,
    WORD_COLUMNS,
)
from distilcli.predictors.answerer import Answerer
from distilcli.predictors.base import AnyPredictor
from distilcli.predictors.chooser import Chooser
from distilcli.predictors.classifier import Classifier
from distilcli.predictors.embedder import Embedder
from distilcli.predictors.mask_filler import MaskFiller
from distilcli.predictors.tagger import Tagger
from distilcli.rows.conll import Sentence
from distilcli.rows.formats import TEXT_COLUMNS
from distilcli.rows.lists import words_of
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row, cell_value
from distilcli.scores.precision_recall import Array
from distilcli.stats import RunStats
from distilcli.tasks.classify import Classification
from distilcli.tasks.files import content_from, text_from, texts_from
from distilcli.tasks.perplexity import PseudoPerplexity
from distilcli.tasks.problems import options_from_columns, options_from_list, problems_from
from distilcli.tasks.questions import pairs_from

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ModelSubject:
    """A model that is to be evaluated on the rows of `source`; nothing of it is loaded yet."""

    name: str
    task: Task
    source: RowSource

    def exam(self, options: EvaluationOptions) -> Evaluation:
        """Load the model.

        Raises `InputError` for columns there are not, `ModelError` for a model without such a
        head, `UsageError` for options that cannot be meant.
        """
        return _EXAMS[self.task](self.name, self.source, options)


def open_model(
    name: str,
    source: RowSource,
    *,
    task: Task | None = None,
    pair_column: str | None = None,
    offline: bool = False,
) -> ModelSubject:
    """Find a model and, where no `task` is given, the one that its head is for.

    Raises `ModelError` where there is no such model, or where it has no head to be evaluated.
    """
    if task is None:
        task = task_of_model(locate(name, offline=offline))
        if task == "embed" and not (pair_column or _has_pairs(source)):
            raise ModelError(
                f"{name}: has no head that could be evaluated; train one with `distil finetune`, "
                "or give --task embed and rows of two texts and a number"
            )
    return ModelSubject(name, task, source)


def _has_pairs(source: RowSource) -> bool:
    return any(name.lower() in SECOND_COLUMNS for name in source.columns)


def _classify(model: str, source: RowSource, options: EvaluationOptions, task: Task) -> Evaluation:
    text = source.text_column
    pair = None if options.pair_column is None else source.find_column(options.pair_column)
    usual = {
        "classify": LABEL_COLUMNS,
        "multilabel": SEVERAL_COLUMNS,
        "regress": NUMBER_COLUMNS,
    }[task]
    column = gold.gold_column(source, options.label_column, usual, taken=[text])
    classifier = Classifier(model, multi_label=task == "multilabel", **_settings(options))
    wanted = {"classify": "single", "multilabel": "multi", "regress": "regression"}[task]
    if classifier.kind != wanted:
        raise UsageError(f"--task {task}: the head of {classifier.name} is for another task")
    labels = classifier.labels
    for name in options.names.values():
        if name not in labels:
            raise UsageError(f"--map: the model has no label {name!r} ({', '.join(labels)})")
    named: dict[str, Any] = {"labels": labels, "names": options.names}
    expected_of: Callable[[Row], Any]
    measure: Callable[[list[Any], list[Any]], Results]
    if task == "classify":
        expected_of, measure = gold.label_of(column, **named), partial(ClassifyResults.of, labels)
    elif task == "multilabel":
        threshold = THRESHOLD if options.threshold is None else options.threshold
        expected_of = gold.labels_of(column, **named, separator=options.separator)
        measure = partial(MultilabelResults.of, labels, threshold=threshold)
    else:
        expected_of, measure = gold.number_of(column), _of_numbers
    engine = classifier.engine(texts_from(text, pair), on_error=options.on_error)
    read = [text] if pair is None else [text, pair]
    return _exam(task, classifier, source, engine, expected_of, measure, read)


def _of_numbers(expected: list[float], values: list[Classification]) -> RegressResults:
    return RegressResults.of(expected, [value.score for value in values])


def _tag(model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
    if source.format == "conll":
        words = source.text_column
    else:
        words = source.usual_column(
            *WORD_COLUMNS, option="--text-column", wanted=options.text_column
        )
    column = gold.gold_column(source, options.label_column, TAG_COLUMNS, taken=[words])
    tagger = Tagger(model, **_settings(options))
    engine = tagger.engine(words_from(words), on_error=options.on_error)
    expected_of = gold.tags_of(column, words=words)
    return _exam("tag", tagger, source, engine, expected_of, TagResults.of, [words])


def words_from(column: str) -> Callable[[Row], str | list[str]]:
    """Return the function that takes the words of a sentence, or of a list in a column."""
    content_of = content_from(column)

    def words_in(row: Row) -> str | list[str]:
        words = None if isinstance(row, Sentence) else words_of(cell_value(row, column))
        if words is None or None in words:
            return content_of(row)
        return words  # type: ignore[return-value]

    return words_in


def _qa(model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
    question = source.usual_column("question", option="--text-column", wanted=options.text_column)
    context = source.usual_column("context", option="--pair-column", wanted=options.pair_column)
    column = gold.gold_column(source, options.label_column, ANSWER_COLUMNS)
    answerer = Answerer(model, **_settings(options))
    engine = answerer.engine(
        pairs_from(question_column=question, context_column=context), on_error=options.on_error
    )
    measure = partial(QaResults.of, threshold=options.threshold)
    read = [question, context]
    return _exam("qa", answerer, source, engine, gold.answers_of(column), measure, read)


def _mlm(model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
    text = source.text_column
    filler = MaskFiller(model, **_settings(options))
    engine = filler.perplexity_engine(text_from(text), on_error=options.on_error)
    return _exam("mlm", filler, source, engine, gold.nothing, _foreseen, [text])


def _foreseen(_: list[None], values: list[PseudoPerplexity]) -> MlmResults:
    return MlmResults.of(values)


def _choose(model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
    prompt = source.usual_column(
        "prompt", *TEXT_COLUMNS, option="--text-column", wanted=options.text_column
    )
    if options.option_columns:
        columns = [source.find_column(name) for name in options.option_columns]
        options_of = options_from_columns(columns)
    else:
        options_of = options_from_list(
            source.usual_column("options", option="--options-column", wanted=options.options_column)
        )
    column = gold.gold_column(source, options.label_column, CHOICE_COLUMNS)
    chooser = Chooser(model, **_settings(options))
    engine = chooser.engine(problems_from(prompt, options_of), on_error=options.on_error)
    expected_of = gold.choice_of(column, options_of)
    return _exam("choose", chooser, source, engine, expected_of, ChooseResults.of, [prompt])


def _embed(model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
    if options.on_error == "skip":
        raise UsageError("--on-error skip: half of a pair cannot be left out; use stop")
    first = source.usual_column(*FIRST_COLUMNS, option="--text-column", wanted=options.text_column)
    second = source.usual_column(
        *SECOND_COLUMNS, option="--pair-column", wanted=options.pair_column
    )
    column = gold.gold_column(source, options.label_column, NUMBER_COLUMNS, taken=[first, second])
    embedder = Embedder(model, **_settings(options))
    engine = embedder.engine(_text_of_pair, on_error="stop")

    def values(stats: RunStats) -> Iterator[tuple[Row, float]]:
        texts = ((row, name) for row in source for name in (first, second))
        done = _done(engine, texts, stats)
        for ((row, _), one), (_, other) in zip(done, done, strict=True):
            yield row, cosine(one, other)

    expected_of = gold.number_of(column)
    read = [first, second]
    return _exam("embed", embedder, source, values, expected_of, EmbedResults.of, read)


def _text_of_pair(item: tuple[Row, str]) -> str:
    row, column = item
    return text_from(column)(row)


def cosine(one: Array, other: Array) -> float:
    """Return the cosine of two vectors; 0 where one has no length."""
    one, other = one.astype(float), other.astype(float)
    lengths = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / lengths if lengths else 0.0


def _settings(options: EvaluationOptions) -> dict[str, Any]:
    return {**options.computing, "long_texts": options.long_texts}


def _done(
    engine: Engine[Any, Value], items: Iterable[Any], stats: RunStats
) -> Iterator[tuple[Any, Value]]:
    with closing(engine.run(items, stats=stats)) as blocks:
        for block in blocks:
            for outcome in block:
                if outcome.value is not None:
                    yield outcome.item, outcome.value


def _exam(
    task: Task,
    predictor: AnyPredictor,
    source: RowSource,
    how: Engine[Row, Any] | Callable[[RunStats], Iterator[tuple[Row, Any]]],
    expected_of: Callable[[Row], Any],
    measure: Callable[[list[Any], list[Any]], Results],
    text_columns: Sequence[str],
) -> Evaluation:
    values = partial(_done, how, source) if isinstance(how, Engine) else how
    return Evaluation(
        task=task,
        name=predictor.name,
        described=predictor.described(),
        source=source,
        values=values,
        expected_of=expected_of,
        measure=measure,
        text_columns=text_columns,
        device=predictor.device,
        load_seconds=predictor.load_seconds,
        agreement=predictor.agreement,
    )


_EXAMS: dict[Task, Callable[[str, RowSource, EvaluationOptions], Evaluation]] = {
    "classify": partial(_classify, task="classify"),
    "multilabel": partial(_classify, task="multilabel"),
    "regress": partial(_classify, task="regress"),
    "tag": _tag,
    "qa": _qa,
    "mlm": _mlm,
    "embed": _embed,
    "choose": _choose,
}
