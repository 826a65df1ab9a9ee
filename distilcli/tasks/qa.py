"""Extractive question answering: a question and a context to the answer span.

A context longer than the model reads is read in windows, with the whole question in each. Scores
are probabilities over every span of every window and "no answer": the softmax over the sums of
start and end logits, where a span in two windows is one answer whose probabilities add up. The
logit of "no answer" is the lowest [CLS] logit of the windows, as in the official SQuAD 2.0 script
of BERT (Devlin et al. 2019).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

import torch
from torch import Tensor

from distilcli.engine.batching import Batch, Piece
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.model.heads import QuestionAnswerer
from distilcli.tasks.result import Brief, Result
from distilcli.tasks.sequences import Framer, encode_each, no_number, or_error
from distilcli.tasks.settings import SPECIALS_OF_A_PAIR, LongTexts
from distilcli.tasks.spans import Ranking, band, merged, ranked
from distilcli.tasks.spec import QA_MAX_LENGTH
from distilcli.tokenizer.tokenizer import Encoding, Tokenizer

Item = TypeVar("Item")
Pair = tuple[str, str]

MAX_ANSWER_LENGTH = 30
"""Tokens in an answer, as in the official SQuAD script of BERT."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer(Brief):
    """One answer: `text` is `context[start:end]`, or empty without offsets for "no answer".

    `score` is its probability.
    """

    _shown = ("text", "score", "start", "end")
    text: str
    score: float
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Answers(Result):
    """The answers to one question, the best first, and the probability that there is none.

    `ranked` begins with "no answer" only if `no_answer_score` is above a threshold that was set,
    or if no span was short enough.
    """

    _shown = ("answer", "score", "no_answer_score")
    ranked: tuple[Answer, ...]
    no_answer_score: float

    @property
    def best(self) -> Answer:
        """The first of the answers."""
        return self.ranked[0]

    @property
    def answer(self) -> str:
        """The text of the best answer."""
        return self.best.text

    @property
    def score(self) -> float:
        """The probability of the best answer."""
        return self.best.score


@dataclass(slots=True)
class ContextWindow(Piece):
    """A sequence `[CLS] question [SEP] part of the context [SEP]`.

    The part begins at position `first`, with the token at index `place` of the context; `starts`
    and `ends` are whether an answer may start or end at each of its tokens. `alone` if it is the
    whole context.
    """

    first: int = 0
    place: int = 0
    starts: list[bool] = field(default_factory=list)
    ends: list[bool] = field(default_factory=list)
    alone: bool = True


@dataclass(slots=True)
class EncodedQuestion(Encoded):
    """The windows of a question, and its context with the offsets of the tokens."""

    context: str = ""
    offsets: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class WindowScores:
    """The scores of a window; tokens are counted from the beginning of the context.

    `logits` are those of starts and ends over the window's part of the context; None if there is
    one window, because its ranking is enough then.
    """

    no_answer: float
    ranking: Ranking
    logits: tuple[Tensor, Tensor] | None


class QaTask(Generic[Item]):
    """Question answering as the engine runs it; `pair_of` takes question and context of an item.

    `pair_of` may raise `RowError`. Windows overlap by `long_texts.stride` at most, never by more
    than half of the room that the question leaves.
    """

    def __init__(
        self,
        model: QuestionAnswerer,
        tokenizer: Tokenizer,
        *,
        pair_of: Callable[[Item], Pair],
        long_texts: LongTexts,
        max_answer_length: int = MAX_ANSWER_LENGTH,
        top_k: int = 1,
        no_answer_threshold: float | None = None,
    ) -> None:
        """Raise `UsageError` for settings without room for a context or an answer."""
        self._model = model
        self._tokenizer = tokenizer
        self._pair_of = pair_of
        # The overlap depends on the room that the question leaves.
        self._framer = Framer(
            tokenizer,
            model.config,
            long_texts,
            soft_stride=True,
            default_length=QA_MAX_LENGTH,
        )
        self._max_answer_length = max_answer_length
        self._top_k = top_k
        self._no_answer_threshold = no_answer_threshold

    def size(self, item: Item) -> int:
        """Return the number of characters of an item."""
        pair = or_error(self._pair_of, item)
        return 0 if isinstance(pair, RowError) else len(pair[0]) + len(pair[1])

    def encode(self, items: Sequence[Item]) -> list[EncodedQuestion | RowError]:
        """Tokenize items together, a text that several share only once."""
        return encode_each(items, self._pair_of, self._encode_pairs)

    def _encode_pairs(self, pairs: Sequence[Pair]) -> list[EncodedQuestion | RowError]:
        questions = self._encodings([question for question, _ in pairs], self._tokenizer.encode)
        contexts = self._encodings([context for _, context in pairs], self._framer.encodings)
        return [
            or_error(self._framed, questions[question], contexts[context], context)
            for question, context in pairs
        ]

    @staticmethod
    def _encodings(
        texts: Sequence[str], encode: Callable[[Sequence[str]], list[Encoding]]
    ) -> dict[str, Encoding]:
        """Return the tokens of each of the texts."""
        different = list(dict.fromkeys(texts))
        return dict(zip(different, encode(different), strict=True))

    def _framed(self, question: Encoding, encoding: Encoding, context: str) -> EncodedQuestion:
        """Return a row's windows; raise `RowError` if there is no room."""
        if self._framer.max_length - SPECIALS_OF_A_PAIR <= len(question):
            raise RowError(
                f"the question takes {len(question)} of {self._framer.max_length} tokens and "
                "leaves no room for the context; ask a shorter one or raise `max_length`"
            )
        windows, truncated = self._framer.windows(question, encoding, truncation="only_second")
        starts, ends = _edges(encoding.offsets)
        first = len(question) + 2  # behind [CLS] and [SEP]
        pieces: list[Piece] = []
        for window in windows:
            place = window.start
            part = slice(place, place + len(window.input_ids) - first - 1)
            pieces.append(
                ContextWindow(
                    window.input_ids,
                    self._framer.token_types(window),
                    first=first,
                    place=place,
                    starts=starts[part],
                    ends=ends[part],
                    alone=len(windows) == 1,
                )
            )
        return EncodedQuestion(pieces, truncated, context, encoding.offsets)

    def forward(self, batch: Batch) -> list[WindowScores]:
        """Return the scores of each window."""
        logits = self._model(batch.input_ids, batch.attention_mask, batch.token_type_ids).float()
        windows = [piece for piece in batch.pieces if isinstance(piece, ContextWindow)]
        starts = logits[..., 0].masked_fill(~_allowed(logits, windows, "starts"), -math.inf)
        ends = logits[..., 1].masked_fill(~_allowed(logits, windows, "ends"), -math.inf)
        width = min(self._max_answer_length, logits.shape[1])
        rankings = ranked(band(starts, ends, width), self._top_k)
        no_answers = logits[:, 0].sum(dim=-1).tolist()  # at [CLS]
        if not all(window.alone for window in windows):
            starts, ends = starts.cpu(), ends.cpu()
        scores = []
        for row, (window, ranking) in enumerate(zip(windows, rankings, strict=True)):
            shift = window.place - window.first
            spans = [(logit, first + shift, last + shift) for logit, first, last in ranking.spans]
            part = slice(window.first, window.first + len(window.starts))
            scores.append(
                WindowScores(
                    no_answers[row],
                    Ranking(spans, ranking.log_sum),
                    None if window.alone else (starts[row, part], ends[row, part]),
                )
            )
        return scores

    def decode(
        self, item: Item, encoded: EncodedQuestion, outputs: Sequence[WindowScores]
    ) -> Answers:
        """Rank the spans of all windows; raise `RowError` if a score is not a number."""
        ranking = self._ranking(encoded, outputs)
        no_answer = min(output.no_answer for output in outputs)
        total = _log_add(ranking.log_sum, no_answer)
        if not math.isfinite(total):
            raise no_number()
        found = []
        for logit, first, last in ranking.spans:
            start, end = encoded.offsets[first][0], encoded.offsets[last][1]
            text = encoded.context[start:end]
            found.append(Answer(text, math.exp(logit - total), start, end))
        none = Answer("", math.exp(no_answer - total))
        threshold = self._no_answer_threshold
        if not found or (threshold is not None and none.score > threshold):
            found.insert(0, none)
        return Answers(tuple(found[: self._top_k]), none.score, truncated=encoded.truncated)

    def agreement(self, first: Answers, second: Answers) -> float:
        """Compare the offsets of the best answers."""
        return float((first.best.start, first.best.end) == (second.best.start, second.best.end))

    def _ranking(self, encoded: EncodedQuestion, outputs: Sequence[WindowScores]) -> Ranking:
        if len(outputs) == 1:
            return outputs[0].ranking
        windows = [
            (piece.place, *output.logits)
            for piece, output in zip(encoded.pieces, outputs, strict=True)
            if isinstance(piece, ContextWindow) and output.logits is not None
        ]
        spans = merged(windows, self._max_answer_length)
        (ranking,) = ranked(spans.unsqueeze(0), self._top_k)
        return ranking


class AnswerColumns:
    """The columns of answers.

    `answer`, `score`, `start`, `end`, then `answer_2`, `score_2`, … up to `top_k`, and
    `no_answer_score`. With `counted_apart` the summary counts rows with and without an
    answer.
    """

    def __init__(self, *, top_k: int = 1, counted_apart: bool = False) -> None:
        self._top_k = top_k
        self._counted_apart = counted_apart

    @property
    def names(self) -> list[str]:
        """The new columns, in order."""
        further = [f"{name}_{n}" for n in range(2, self._top_k + 1) for name in ("answer", "score")]
        return ["answer", "score", "start", "end", *further, "no_answer_score"]

    def values(self, answers: Answers) -> list[object]:
        """Return the values of one row, in the order of `names`."""
        best = answers.best
        values: list[object] = [best.text, best.score, best.start, best.end]
        for place in range(1, self._top_k):
            other = answers.ranked[place] if place < len(answers.ranked) else None
            values += [None, None] if other is None else [other.text, other.score]
        return [*values, answers.no_answer_score]

    def counted(self, answers: Answers) -> list[str]:
        """Return whether the row has an answer, if rows can differ in that."""
        if not self._counted_apart:
            return []
        return ["no answer" if answers.best.start is None else "an answer"]


def _edges(offsets: Sequence[tuple[int, int]]) -> tuple[list[bool], list[bool]]:
    """Return for each token whether an answer may start there, and whether it may end there.

    Several tokens may have the same characters (after accents are stripped, say). Only the first
    of them starts a span and only the last ends one, so that no two spans have the same characters.
    """
    starts = [True, *(one[0] < other[0] for one, other in pairwise(offsets))]
    ends = [*(one[1] < other[1] for one, other in pairwise(offsets)), True]
    return starts[: len(offsets)], ends[: len(offsets)]


def _allowed(logits: Tensor, windows: Sequence[ContextWindow], edge: str) -> Tensor:
    """Return where in each sequence answers may start or end, as booleans (B, T)."""
    longest = logits.shape[1]
    rows = []
    for window in windows:
        part: list[bool] = getattr(window, edge)
        behind = longest - window.first - len(part)
        rows.append([False] * window.first + part + [False] * behind)
    return torch.tensor(rows, dtype=torch.bool, device=logits.device)


def _log_add(one: float, other: float) -> float:
    """Return log(exp(one) + exp(other))."""
    high, low = max(one, other), min(one, other)
    return high + math.log1p(math.exp(low - high))
