"""Tagging results: a tag for each word of sentences, gold and predicted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from distilcli.checkpoint.abstention import Abstention
from distilcli.errors import InputError, tell
from distilcli.evaluation.evaluation import Comparison, Evaluation, EvaluationOptions, of_predictor
from distilcli.evaluation.prediction_columns import PredictedColumns, Prediction
from distilcli.evaluation.results.base import EVERY, Results, Rows, Table, precision_recall_record
from distilcli.gold import cells
from distilcli.gold.columns import gold_column, text_column
from distilcli.gold.labels import some
from distilcli.gold.tags import usual_tags, without_iob1
from distilcli.predictors.tagger import Tagger
from distilcli.rows.reader import RowSource
from distilcli.rows.row import Row
from distilcli.scores.abstention import Decisions
from distilcli.scores.entities import (
    OUTSIDE,
    EntityCounts,
    Span,
    entity_counts,
    parse_tag,
    spans,
    strict_spans,
)
from distilcli.scores.precision_recall import Array
from distilcli.scores.tag_spelling import usual_spellings
from distilcli.tasks.spec import TASKS
from distilcli.tasks.tag import Tagging

Tags = Sequence[str]


@dataclass(frozen=True)
class TagResults(Results):
    """`gold` and `predicted` tags, one a word, sentence by sentence.

    `scores` are those of the predicted entities by their words, from and to (exclusive).
    """

    gold: Sequence[Tags]
    predicted: Sequence[Tags]
    scores: Sequence[Mapping[tuple[int, int], float]] | None = None
    abstention: Abstention | None = None

    @classmethod
    def of(
        cls,
        gold: Sequence[Tags],
        values: Sequence[Tagging],
        *,
        abstention: Abstention | None = None,
    ) -> "TagResults":
        """Compare what a tagger returned; a word that it did not see is in no entity."""
        predicted = [[tag or OUTSIDE for tag in value.tags] for value in values]
        return cls(gold, predicted, [_scores_by_words(value) for value in values], abstention)

    @classmethod
    def of_model(cls, model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
        spec, columns = TASKS["tag"], options.columns
        words = text_column(source, spec, columns)
        column = gold_column(source, spec, columns, taken=[words])
        tagger = Tagger(model, **options.predictor)
        abstention, tagger.abstention = tagger.abstention, None
        words_of: cells.Reader[list[str]] = partial(cells.words_in, column=words)
        engine = tagger.engine(words_of, on_error=options.on_error)
        return of_predictor(
            "tag", tagger, source, engine,
            gold_of=cells.tags_of(column, words_column=words),
            measure=lambda gold, values: cls.of(gold, values, abstention=abstention).usual(
                source, (words, column), columns.labels, known=tagger.labels
            ),
            text_columns=[words],
        )  # fmt: skip

    @classmethod
    def comparison(cls, source: RowSource, column: str, options: EvaluationOptions) -> Comparison:
        def measure(gold: list[list[str]], predictions: list[Prediction]) -> "TagResults":
            found = cls.of_predictions(source.name, gold, predictions)
            return found.usual(source, ("tokens", column), options.columns.labels)

        return cells.tags_of(column), measure

    @classmethod
    def read_prediction(cls, columns: PredictedColumns, row: Row) -> Prediction:
        return Prediction(cells.tags_of(columns.first, missing=OUTSIDE)(row))

    @classmethod
    def of_predictions(
        cls, source: str, gold: list[list[str]], predictions: list[Prediction]
    ) -> "TagResults":
        """Compare tags with predicted ones; raise `InputError` for another number of them."""
        predicted = [prediction.value for prediction in predictions]
        for row, (right, tags) in enumerate(zip(gold, predicted, strict=True), start=1):
            if len(right) != len(tags):
                raise InputError(
                    f"{source}: row {row}: {len(tags)} tags are predicted for {len(right)} words"
                )
        return cls(gold, predicted)

    def usual(
        self,
        source: RowSource,
        columns: tuple[str, str],
        names: Sequence[str],
        *,
        known: Sequence[str] = (),
    ) -> "TagResults":
        """Return the same with all tags in the usual spelling.

        `names` are those of tags that are numbers, `known` the labels of the model. Raises
        `InputError` if the model has none of the gold labels.
        """
        gold = usual_tags(self.gold, names=names, source=source, columns=columns, known=known)
        given = {tag for tags in self.predicted for tag in tags}
        spelled = usual_spellings({*known, *names, *given})
        predicted = [[spelled[tag] for tag in tags] for tags in self.predicted]
        _compare_types(
            f"{source.name}, column {columns[1]!r}",
            _types_of(tag for tags in gold for tag in tags),
            _types_of(spelled[tag] for tag in known),
            _types_of(spelled[tag] for tag in given),
        )
        right, given_tags = without_iob1((source.name, gold), ("the predictions", predicted))
        return replace(self, gold=right, predicted=given_tags)

    def __len__(self) -> int:
        return len(self.gold)

    @cached_property
    def _counts(self) -> EntityCounts:
        return entity_counts(self.gold, self.predicted)

    @cached_property
    def _strict_counts(self) -> EntityCounts | None:
        """The same of entities whose tags follow the scheme; None for plain tags."""
        positions = {tag[0] for tags in self.gold for tag in tags if tag[1:2] == "-"}
        if "B" not in positions:
            return None
        read = partial(strict_spans, closed=bool(positions & set("ESLU")))
        return entity_counts(self.gold, self.predicted, spans_of=read)

    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        """See `Results`; over all entities together, accuracy over words."""
        scores, strict = self._counts.scores(rows), self._strict_counts
        return {
            "precision": scores.micro.precision,
            "recall": scores.micro.recall,
            "f1": scores.micro.f1,
            "accuracy": scores.accuracy,
            **({} if strict is None else {"strict_f1": strict.scores(rows).micro.f1}),
            **self.answered_metrics(rows),
        }

    def decisions(self) -> Decisions:
        """Return the predicted entities."""
        if self.scores is None:
            return super().decisions()
        found: list[tuple[str, float, bool, int]] = []
        for row, (gold, tags, scores) in enumerate(
            zip(self.gold, self.predicted, self.scores, strict=True)
        ):
            right = set(spans(map(parse_tag, gold)))
            for (start, stop), score in scores.items():
                label = parse_tag(tags[start]).type or OUTSIDE
                found.append((label, score, Span(label, start, stop) not in right, row))
        labels, of_entities, wrong, rows = zip(*found, strict=True) if found else ((),) * 4
        return Decisions(
            np.array(labels, dtype=str),
            np.array(of_entities, dtype=float),
            np.array(wrong, dtype=bool),
            np.array(rows, dtype=int),
        )

    def label_names(self) -> Sequence[str]:
        """Return the types of entities."""
        return self._counts.types

    def tables(self) -> list[Table]:
        """Return the metrics of each type."""
        types = self._counts.scores().types
        return [
            Table(
                "types",
                "by type",
                [precision_recall_record({"type": name}, one) for name, one in types.items()],
            )
        ]

    @cached_property
    def _errors(self) -> Array:
        """How many entities each sentence misses or has too many."""
        hits, found, support = self._counts.counts.sum(axis=1).T
        errors: Array = found + support - 2 * hits
        return errors

    def worst(self) -> Array:
        """Return the sentences with wrong entities, the most of them first."""
        order = np.argsort(-self._errors, kind="stable")
        return order[self._errors[order] > 0]

    def error_row(self, row: int) -> tuple[object, ...]:
        """See `Results`; the score counts entities that are missing or too many."""
        return list(self.predicted[row]), list(self.gold[row]), int(self._errors[row])


def _scores_by_words(value: Tagging) -> dict[tuple[int, int], float]:
    starts = {start: number for number, (start, _) in enumerate(value.words)}
    ends = {end: number + 1 for number, (_, end) in enumerate(value.words)}
    return {(starts[each.start], ends[each.end]): each.score for each in value}


def _types_of(tags: Iterable[str]) -> set[str]:
    return {tag.type for tag in map(parse_tag, set(tags)) if tag.type is not None}


def _compare_types(place: str, gold: set[str], known: set[str], predicted: set[str]) -> None:
    """Raise `InputError` if no gold type is one of the model's; tell of some that are not.

    Of a model that nobody names, only what it `predicted` is known.
    """
    foreign = sorted(gold - (known or predicted))
    listed = some(foreign)
    if not known and predicted and gold and predicted.isdisjoint(gold):
        tell(
            f"{place}: none of its labels ({listed}) is ever predicted "
            f"({some(sorted(predicted))}); is it the `label_column`?"
        )
    if known and gold and gold.isdisjoint(known):
        raise InputError(
            f"{place}: none of its labels ({listed}) is one of the model's "
            f"({some(sorted(known))}); name another `label_column`, or another model"
        )
    if known and foreign:
        tell(f"{place}: the model does not have {listed}, so that it misses all of them")
