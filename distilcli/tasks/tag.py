"""Token classification: a text, or a list of words, to entities and a label per word.

The scores of tokens become labels of words, and those become entities, by the label scheme of the
model. Entities are spans of the text. A text longer than the model reads is read in overlapping
windows; each word is taken from the one where it has most context.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from distilcli.checkpoint.abstention import Abstention
from distilcli.engine.batching import Batch
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.model.heads import TokenClassifier
from distilcli.scores.entities import Span
from distilcli.tasks.labels import LabelScheme
from distilcli.tasks.result import ABSTAINED, Brief
from distilcli.tasks.sequences import (
    Framer,
    encode_each,
    most_context_of_words,
    no_number,
    or_error,
)
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Encoding, Tokenizer

Item = TypeVar("Item")
Array = np.ndarray[Any, Any]
Content = str | Sequence[str]
Range = tuple[int, int]

Aggregation = Literal["none", "simple", "first", "average", "max"]
OF_WORDS: tuple[Aggregation, ...] = ("first", "average", "max")
"""The aggregations that give each word one label."""


@dataclass(frozen=True, slots=True, repr=False)
class Entity(Brief):
    """A span of a text, `text[start:end]`, and its label, None if the model has `abstained`.

    `score` is the mean probability of the labels of its words (with "simple", of its tokens).
    """

    _shown = ("text", "label", "start", "end", "score")
    text: str
    label: str | None
    start: int
    end: int
    score: float
    abstained: bool = False


class Tagging(list[Entity]):
    """The entities of one text, in order, and the label of each of its words.

    `words` are character ranges and `tags` their labels, None for a word that the model did not
    read, or of an entity whose label it did not give; both are empty if the aggregation is by
    token. `truncated` says whether the model did not read the whole text.
    """

    def __init__(
        self,
        text: str,
        entities: Iterable[Entity],
        words: Sequence[Range],
        tags: Sequence[str | None],
        *,
        truncated: bool = False,
    ) -> None:
        super().__init__(entities)
        self.text = text
        self.words = words
        self.tags = tags
        self.truncated = truncated

    @property
    def abstained(self) -> bool:
        """Whether an entity has no label because its score is below the model's threshold."""
        return any(entity.abstained for entity in self)

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The entities by themselves."""
        return tuple(self)


@dataclass(kw_only=True, slots=True)
class EncodedWords(Encoded):
    """A text in units that get a label each: its words, or its tokens.

    `places` are the window of each token and its position there. `firsts` are the first tokens of
    units, `owners` the indices of those units, `unseen` those of units that were cut off; a word
    whose characters the tokenizer drops is in neither.
    """

    text: str
    units: Sequence[Range]
    firsts: Sequence[int]
    owners: Sequence[int]
    unseen: frozenset[int] = frozenset()
    places: Sequence[tuple[int, int]] = ()


class TagTask(Generic[Item]):
    """Tagging as the engine runs it, over items from which `content_of` takes a text or its words.

    Words are tokenized one by one and joined by spaces; they need an aggregation by word.
    `content_of` may raise `RowError`.
    """

    def __init__(
        self,
        model: TokenClassifier,
        tokenizer: Tokenizer,
        *,
        content_of: Callable[[Item], Content],
        scheme: LabelScheme,
        aggregation: Aggregation,
        long_texts: LongTexts,
        abstention: Abstention | None = None,
    ) -> None:
        """Raise `UsageError` for lengths without room for text, or a stride as long as a window."""
        self._model = model
        self._tokenizer = tokenizer
        self._content_of = content_of
        self._scheme = scheme
        self._aggregation = aggregation
        self._labels_words = aggregation in OF_WORDS
        self._abstention = abstention
        self._framer = Framer(tokenizer, model.config, long_texts)

    def size(self, item: Item) -> int:
        """Return the number of characters of an item."""
        content = or_error(self._content_of, item)
        if isinstance(content, RowError):
            return 0
        return len(content) if isinstance(content, str) else sum(map(len, content))

    def encode(self, items: Sequence[Item]) -> list[EncodedWords | RowError]:
        """Tokenize items at once; an item whose text cannot be read gives its `RowError`."""
        return encode_each(items, self._content_of, self._encode_contents)

    def _encode_contents(self, contents: Sequence[Content]) -> list[EncodedWords | RowError]:
        texts = [content for content in contents if isinstance(content, str)]
        words = {word for content in contents if not isinstance(content, str) for word in content}
        # Words that are not read get no tag, but are words of the text.
        encode = self._tokenizer.encode if self._labels_words else self._framer.encodings
        of_texts = iter(encode(texts))
        of_words = dict(zip(words, self._tokenizer.encode(list(words)), strict=True))
        return [
            self._encode_text(content, next(of_texts))
            if isinstance(content, str)
            else self._encode_words(content, of_words)
            for content in contents
        ]

    def _encode_text(self, text: str, encoding: Encoding) -> EncodedWords | RowError:
        words = _first_tokens(encoding)
        units: Sequence[Range] = encoding.offsets
        firsts: Sequence[int] = range(len(encoding))
        if self._labels_words:
            firsts = words
            lasts = [end - 1 for end in [*words[1:], len(encoding)]] if words else []
            units = [
                (units[first][0], units[last][1]) for first, last in zip(words, lasts, strict=True)
            ]
        row = EncodedWords([], text=text, units=units, firsts=firsts, owners=range(len(firsts)))
        return self._framed(row, encoding, words)

    def _encode_words(
        self, words: Sequence[str], encodings: Mapping[str, Encoding]
    ) -> EncodedWords | RowError:
        starts = list(accumulate((len(word) + 1 for word in words), initial=0))
        units = [(start, start + len(word)) for start, word in zip(starts, words, strict=False)]
        encoding = Encoding()
        firsts, owners = [], []
        for number, word in enumerate(words):
            if len(encodings[word]):
                firsts.append(len(encoding))
                owners.append(number)
                encoding.append(encodings[word], starts[number])
        row = EncodedWords([], text=" ".join(words), units=units, firsts=firsts, owners=owners)
        return self._framed(row, encoding, firsts)

    def _framed(
        self, row: EncodedWords, encoding: Encoding, words: Sequence[int]
    ) -> EncodedWords | RowError:
        """Add the pieces of a row, whose `words` are given by their first tokens."""
        if not len(encoding):
            return row
        framed = or_error(self._framer.windows, encoding)
        if isinstance(framed, RowError):
            return framed
        windows, row.truncated = framed
        row.pieces = self._framer.pieces(windows)
        row.places = most_context_of_words(windows, words)
        seen = bisect_left(row.firsts, len(row.places))
        row.unseen = frozenset(row.owners[seen:])
        row.firsts, row.owners = row.firsts[:seen], row.owners[:seen]
        return row

    def forward(self, batch: Batch) -> list[Array]:
        """Return the probabilities (T, number of labels) of each piece's tokens."""
        logits = self._model(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        scores = logits.float().softmax(dim=-1).cpu().numpy()
        return [rows[: len(piece)] for rows, piece in zip(scores, batch.pieces, strict=True)]

    def decode(self, item: Item, encoded: EncodedWords, outputs: Sequence[Array]) -> Tagging:
        """Label an item's words; raise `RowError` if a score is not a number."""
        numbers: list[int | None] = [None] * len(encoded.units)
        scores = [0.0] * len(encoded.units)
        if outputs:
            rows = _of_units(_of_tokens(encoded, outputs), encoded.firsts, self._aggregation)
            found = zip(
                encoded.owners, rows.argmax(axis=1).tolist(), rows.max(axis=1).tolist(), strict=True
            )
            for unit, number, score in found:
                numbers[unit], scores[unit] = number, score
        spans = self._spans(numbers)
        entities = [self._or_abstained(_entity(encoded, span, scores)) for span in spans]
        if not self._labels_words:
            return Tagging(encoded.text, entities, (), (), truncated=encoded.truncated)
        tags = [
            self._scheme.labels[number]
            if number is not None
            else None
            if unit in encoded.unseen
            else self._scheme.outside
            for unit, number in enumerate(numbers)
        ]
        for span, entity in zip(spans, entities, strict=True):
            if entity.abstained:
                tags[span.start : span.stop] = [None] * (span.stop - span.start)
        words = tuple(encoded.units)
        return Tagging(encoded.text, entities, words, tuple(tags), truncated=encoded.truncated)

    def _or_abstained(self, entity: Entity) -> Entity:
        """Return an entity, without its label if the score is below the model's threshold."""
        known = self._abstention
        if known is None or entity.score >= known.threshold(entity.label or ""):
            return entity
        return replace(entity, label=None, abstained=True)

    def agreement(self, first: Tagging, second: Tagging) -> float:
        """Compare the labels of words, or the entities if tokens are labelled."""
        if not first.tags:
            places = [
                {(each.label, each.start, each.end) for each in tagging.entities}
                for tagging in (first, second)
            ]
            return float(places[0] == places[1])
        pairs = zip(first.tags, second.tags, strict=True)
        return sum(a == b for a, b in pairs) / len(first.tags)

    def _spans(self, numbers: Sequence[int | None]) -> list[Span]:
        if self._aggregation != "none":
            return self._scheme.spans(numbers)
        return [
            Span(self._scheme.labels[number], unit, unit + 1)
            for unit, number in enumerate(numbers)
            if number is not None and not self._scheme.is_outside(number)
        ]


def _of_tokens(encoded: EncodedWords, outputs: Sequence[Array]) -> Array:
    """Return the probabilities (tokens, labels) of a text's tokens, each from its window."""
    if len(outputs) == 1:
        tokens = outputs[0][1:-1]  # without [CLS] and [SEP]
    else:
        tokens = np.stack([outputs[window][place] for window, place in encoded.places])
    if not np.isfinite(tokens).all():
        raise no_number()
    return tokens


def _entity(encoded: EncodedWords, span: Span, scores: Sequence[float]) -> Entity:
    start, end = encoded.units[span.start][0], encoded.units[span.stop - 1][1]
    score = sum(scores[span.start : span.stop]) / (span.stop - span.start)
    return Entity(encoded.text[start:end], span.label, start, end, score)


def _first_tokens(encoding: Encoding) -> list[int]:
    """Return the index of the first token of each word."""
    words = encoding.word_ids
    return [place for place, word in enumerate(words) if not place or word != words[place - 1]]


def _of_units(tokens: Array, firsts: Sequence[int], how: Aggregation) -> Array:
    """Return the probabilities (units, labels) of units, given those of tokens (T, labels).

    A unit is the tokens from one of `firsts` to the next. It gets the probabilities of its first
    token, their mean, or those of its most certain token ("max").
    """
    if how == "average":
        counts = np.diff([*firsts, len(tokens)])
        means: Array = np.add.reduceat(tokens, firsts, axis=0) / counts[:, None]
        return means
    if how == "max":
        surest = tokens.max(axis=1)
        ends = [*firsts[1:], len(tokens)]
        firsts = [
            first + int(surest[first:end].argmax()) for first, end in zip(firsts, ends, strict=True)
        ]
    rows: Array = tokens[list(firsts)]
    return rows


class TagColumns:
    """The columns of a tagging.

    `entities` is a list of objects with the fields of `Entity`, `tags` has a label for each word,
    and `words` are the words. If the model `abstains`, the last column says whether it did, and so
    does each entity.
    """

    def __init__(
        self, *names: Literal["words", "tags", "entities"], abstains: bool = False
    ) -> None:
        self.names = (*names, "abstained") if abstains else names
        self._abstains = abstains

    def values(self, tagging: Tagging) -> list[object]:
        """Return the values of one row, in the order of `names`."""
        return [self._value(name, tagging) for name in self.names]

    def _value(self, name: str, tagging: Tagging) -> object:
        if name == "abstained":
            return tagging.abstained
        if name == "entities":
            return [as_object(entity, abstains=self._abstains) for entity in tagging.entities]
        if name == "tags":
            return list(tagging.tags)
        return [tagging.text[start:end] for start, end in tagging.words]

    def counted(self, tagging: Tagging) -> list[str]:
        """Return the label of each entity of a row; `ABSTAINED` for one that has none."""
        return [entity.label or ABSTAINED for entity in tagging.entities]


def as_object(entity: Entity, *, abstains: bool) -> dict[str, object]:
    """Return an entity as it is written; a model that never `abstains` says nothing of that."""
    fields = asdict(entity)
    return fields if abstains else {k: v for k, v in fields.items() if k != "abstained"}
