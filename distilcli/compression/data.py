"""The rows of `data`: what importance, vocabulary and agreement are found on, for every task."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distilcli.compression.options import CompressOptions
from distilcli.engine.batching import Piece
from distilcli.engine.engine import Engine
from distilcli.engine.task import Encoded
from distilcli.errors import InputError, RowError
from distilcli.gold.columns import Columns, gold_column, pair_column, text_column
from distilcli.predictors.agreement import ComparableTask, values_of
from distilcli.predictors.answerer import Answerer
from distilcli.predictors.base import AnyPredictor
from distilcli.predictors.chooser import Chooser
from distilcli.predictors.classifier import Classifier
from distilcli.predictors.embedder import Embedder
from distilcli.predictors.tagger import Tagger
from distilcli.rows.reader import RowSource, open_rows
from distilcli.rows.row import Row
from distilcli.tasks.files import content_from, text_from, texts_from
from distilcli.tasks.problems import find_options, problems_from
from distilcli.tasks.questions import pairs_from
from distilcli.tasks.spec import TaskSpec

_PREDICTORS: Mapping[str, Callable[..., AnyPredictor]] = {
    "classify": Classifier,
    "multilabel": Classifier,
    "regress": Classifier,
    "tag": Tagger,
    "qa": Answerer,
    "choose": Chooser,
}

Contents = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class DataRows:
    """Rows in memory, and how the predictor of a task reads them.

    `gold` is the column with gold labels, None if there is none. A masked language model and an
    encoder are compared by their vectors.
    """

    rows: Sequence[Row]
    content_of: Contents
    predictor: Callable[..., AnyPredictor]
    gold: str | None

    def engine(self, model: str, **settings: Any) -> Engine[Row, Any]:
        """Load a model and return its engine over the rows; unusable rows give no value."""
        return self.predictor(model, **settings).engine(self.content_of)

    def texts(self) -> Iterator[str]:
        """Yield every text in the rows that a model reads."""
        for row in self.rows:
            try:
                content = self.content_of(row)
            except RowError:
                continue
            yield from _texts_in(content)

    def pieces(self, engine: Engine[Row, Any], count: int) -> list[Piece]:
        """Return the sequences of the first `count` rows; raise `InputError` without any."""
        encoded = engine.task.encode(self.rows[:count])
        pieces = [piece for row in encoded if isinstance(row, Encoded) for piece in row.pieces]
        if not pieces:
            raise next(
                (InputError(str(row)) for row in encoded if isinstance(row, RowError)),
                InputError("`data` has no rows"),
            )
        return pieces

    def values(self, engine: Engine[Row, Any], *, first: int | None = None) -> list[Any]:
        """Return what a model says of the first rows, None for one that it cannot read."""
        return values_of(engine, self.rows[:first])

    def agreement(self, engine: Engine[Row, Any], expected: Sequence[Any]) -> tuple[float, int]:
        """Return the mean share on which a model agrees with `expected`, and on how many rows.

        `expected` are the `values` of another model. Raises `InputError` if it has none.
        """
        pairs = [
            (found, other)
            for found, other in zip(self.values(engine, first=len(expected)), expected, strict=True)
            if other is not None
        ]
        if not pairs:
            raise InputError("`data` has no rows that the model can read")
        task: ComparableTask[Row, Any] = engine.task  # type: ignore[assignment]
        shares = [0.0 if found is None else task.agreement(found, other) for found, other in pairs]
        return sum(shares) / len(shares), len(shares)


def read_data(options: CompressOptions, spec: TaskSpec) -> DataRows:
    """Read the rows; raise `InputError` for files or columns that cannot be used."""
    assert options.data is not None  # noqa: S101
    columns = Columns(
        text_column=options.text_column,
        pair_column=options.pair_column,
        label_column=options.label_column,
    )
    of_plain_text = None if spec.text_columns else options.text_column
    with open_rows([options.data], text_column=of_plain_text, limit=options.limit) as source:
        content_of, taken = _contents(source, spec, columns)
        gold = _gold(source, spec, columns, taken)
        rows = list(source)
    if not rows:
        raise InputError(f"{source.name}: has no rows")
    return DataRows(rows, content_of, _PREDICTORS.get(spec.name, Embedder), gold)


def _contents(
    source: RowSource, spec: TaskSpec, columns: Columns
) -> tuple[Contents, Sequence[str | None]]:
    """Return how to take what the task reads from a row, and the columns that hold it."""
    text = _text_column(source, spec, columns)
    if spec.name == "choose":
        options, options_of = find_options(source, text, options_column=None)
        return problems_from(text, options_of), [text, *options]
    if spec.name == "qa":
        context = pair_column(source, spec, columns)
        return pairs_from(question_column=text, context_column=context), [text, context]
    if spec.name == "tag":
        return content_from(text, of_words=text.lower() in spec.text_columns), [text]
    if spec.name in {"embed", "mlm"}:
        return text_from(text), [text]
    pair = pair_column(source, spec, columns)
    return texts_from(text, pair), [text, pair]


def _text_column(source: RowSource, spec: TaskSpec, columns: Columns) -> str:
    """Return the column with the text; to be tagged, it may also be in one for plain texts."""
    try:
        return text_column(source, spec, columns)
    except InputError:
        if spec.name != "tag" or columns.text_column is not None:
            raise
        return source.text_column


def _gold(
    source: RowSource, spec: TaskSpec, columns: Columns, taken: Sequence[str | None]
) -> str | None:
    """Return the column with gold labels; None if the rows have none and none was named."""
    if not spec.gold_columns:
        return None
    try:
        return gold_column(source, spec, columns, taken=taken)
    except InputError:
        if columns.label_column is not None:
            raise
        return None


def _texts_in(content: Any) -> Iterator[str]:
    """Yield the texts of what a task reads: a text, a pair, words, or a prompt with options."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, tuple | list):
        for part in content:
            yield from _texts_in(part)
