"""Text classification: a row, or a pair of texts, to labels with scores.

Three kinds of heads: one label of several (softmax), any number of labels (sigmoid and a
threshold), and regression (the head's own numbers). Logits of a calibrated model are divided by
its temperature first (Guo et al. 2017). A model with thresholds abstains from a label whose score
is below. A text longer than the model reads is cut off, or read in windows whose scores are pooled.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import torch

from distilcli.checkpoint.abstention import Abstention
from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Batch
from distilcli.engine.task import Encoded
from distilcli.errors import ModelError, RowError, UsageError
from distilcli.model.heads import SequenceClassifier
from distilcli.tasks.result import ABSTAINED, Result
from distilcli.tasks.sequences import Framer, encode_each, no_number, or_error, pool_windows
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Ids, Tokenizer

Item = TypeVar("Item")
Texts = tuple[str, str | None]
Kind = Literal["single", "multi", "regression"]

HALF = 0.5
"""The least score of one of several labels."""
_CLOSE = 0.02  # relative difference of regression outputs that count as equal

KINDS: dict[str | None, Kind] = {
    None: "single",
    "single_label_classification": "single",
    "multi_label_classification": "multi",
    "regression": "regression",
}
"""The kind of a head by its `problem_type` in config.json."""


def kind_of(config: ModelConfig, *, multi_label: bool = False) -> Kind:
    """Return the kind of a head.

    Raises `UsageError` for `multi_label` with a head that gives plain numbers, and `ModelError`
    for a head of one output that claims to choose one label of several: it would always score 1.
    """
    kind = KINDS[config.problem_type]
    chooses = config.problem_type == "single_label_classification"
    if chooses and len(config.labels) == 1 and not multi_label:
        raise ModelError(
            "the model chooses one label of several and has only one, so that each row would "
            "score 1; use `multi_label` for its sigmoid, or correct problem_type in config.json"
        )
    if multi_label and kind == "regression":
        raise UsageError("`multi_label`: the model gives numbers, not labels; leave it out")
    return "multi" if multi_label else kind


def is_one_output(config: ModelConfig) -> bool:
    """Whether a head has one output and no `problem_type`: one label's logit, or a number."""
    return len(config.labels) == 1 and config.problem_type is None


@dataclass(frozen=True, slots=True, repr=False)
class Classification(Result):
    """The prediction for one row.

    `scores` has one number per label, in the order of `labels`: a probability, or for regression
    the plain output, which has no label. The model has `abstained` if the score of a label that it
    would give is below its threshold.
    """

    _shown = ("label", "score")
    scores: tuple[float, ...]
    labels: tuple[str, ...] = ()
    kind: Kind = "single"
    abstained: bool = False

    @property
    def label(self) -> str | None:
        """The likeliest label; None for regression, and if the model has abstained."""
        return self.labels[self.ranked(1)[0]] if self.labels and not self.abstained else None

    @property
    def score(self) -> float:
        """The highest probability; for regression the number, the first if there are more."""
        return max(self.scores) if self.labels else self.scores[0]

    def ranked(self, count: int | None = None) -> list[int]:
        """Return the indices of the labels, the likeliest first: `count` of them, or all."""
        if count == 1:
            return [self.scores.index(max(self.scores))]
        return sorted(range(len(self.scores)), key=lambda index: -self.scores[index])[:count]


class ClassifyTask(Generic[Item]):
    """Classification as the engine runs it, over items from which `texts_of` takes the texts.

    `texts_of` returns a text and, for pairs, a second one; it may raise `RowError`.
    """

    def __init__(
        self,
        model: SequenceClassifier,
        tokenizer: Tokenizer,
        *,
        texts_of: Callable[[Item], Texts],
        kind: Kind,
        long_texts: LongTexts,
        abstention: Abstention | None = None,
    ) -> None:
        """Raise `UsageError` for lengths without room for text, or a stride as long as a window."""
        self._model = model
        self._texts_of = texts_of
        self._kind = kind
        self._labels = () if kind == "regression" else model.config.labels
        self._temperature = model.config.temperature
        self._framer = Framer(tokenizer, model.config, long_texts)
        self._window_pooling = long_texts.window_pooling
        self._least = None if abstention is None else least_scores(self._labels, abstention)

    def size(self, item: Item) -> int:
        """Return the number of characters of an item."""
        texts = or_error(self._texts_of, item)
        return 0 if isinstance(texts, RowError) else len(texts[0]) + len(texts[1] or "")

    def encode(self, items: Sequence[Item]) -> list[Encoded | RowError]:
        """Tokenize items at once; an item whose texts cannot be read gives its `RowError`."""
        return encode_each(items, self._texts_of, self._encode_texts)

    def _encode_texts(self, texts: Sequence[Texts]) -> list[Encoded | RowError]:
        firsts = self._framer.ids([first for first, _ in texts])
        seconds = iter(self._framer.ids([second for _, second in texts if second is not None]))
        return [
            or_error(self._framer.frame, ids)
            if second is None
            else or_error(self._frame_pair, (first, second), (ids, next(seconds)))
            for ids, (first, second) in zip(firsts, texts, strict=True)
        ]

    def _frame_pair(self, texts: tuple[str, str], ids: tuple[Ids, Ids]) -> Encoded:
        return self._framer.frame(*self._framer.ids_of_pair(texts, ids))

    def forward(self, batch: Batch) -> list[list[float]]:
        """Return the scores of each piece, one per label."""
        logits = self._model(batch.input_ids, batch.attention_mask, batch.token_type_ids).float()
        if self._kind != "regression" and self._temperature != 1:
            logits = logits / self._temperature
        # As in transformers, the probability of a single output is its sigmoid.
        if self._kind == "multi" or (self._kind == "single" and logits.size(-1) == 1):
            logits = logits.sigmoid()
        elif self._kind == "single":
            logits = logits.softmax(dim=-1)
        scores: list[list[float]] = logits.tolist()
        return scores

    def decode(
        self, item: Item, encoded: Encoded, outputs: Sequence[list[float]]
    ) -> Classification:
        """Pool the scores of an item's windows; raise `RowError` if one is not a number."""
        scores = self._pooled(encoded, outputs)
        if not all(map(math.isfinite, scores)):
            raise no_number()
        return Classification(
            tuple(scores),
            self._labels,
            self._kind,
            self._abstains(scores),
            truncated=encoded.truncated,
        )

    def _abstains(self, scores: Sequence[float]) -> bool:
        if self._least is None:
            return False
        if self._kind == "single":
            best = max(scores)
            return best < self._least[scores.index(best)]
        return any(HALF <= score < least for score, least in zip(scores, self._least, strict=True))

    def agreement(self, first: Classification, second: Classification) -> float:
        """Compare the likeliest labels, the labels above one half, or the numbers."""
        if self._kind == "single" and len(first.scores) > 1:
            return float(first.ranked(1) == second.ranked(1))
        pairs = zip(first.scores, second.scores, strict=True)
        if self._kind != "regression":
            same = [(a >= HALF) == (b >= HALF) for a, b in pairs]
        else:
            same = [math.isclose(a, b, rel_tol=_CLOSE, abs_tol=_CLOSE) for a, b in pairs]
        return sum(same) / len(same)

    def _pooled(self, encoded: Encoded, outputs: Sequence[list[float]]) -> list[float]:
        if len(outputs) == 1:
            return outputs[0]
        pooled = pool_windows(torch.tensor(outputs), encoded.pieces, self._window_pooling)
        if self._window_pooling == "max" and self._kind == "single" and len(pooled) > 1:
            pooled = pooled / pooled.sum()
        found: list[float] = pooled.tolist()
        return found


def least_scores(labels: Sequence[str], abstention: Abstention) -> tuple[float, ...]:
    """Return the lowest score at which a model gives each of its labels."""
    return tuple(abstention.threshold(label) for label in labels)


class ClassificationColumns:
    """The columns of a classification.

    One label of several: `label`, `score`, then `label_2`, `score_2`, … up to `top_k`. Several
    labels: `labels` and `scores`, those at or above `threshold`, the likeliest first. Regression:
    `score`, or `score_NAME` for each of several outputs. `all_scores` adds `score_NAME` for every
    label. With the thresholds of a model the labels that it does not give are empty, and
    `abstained` is last.
    """

    def __init__(
        self,
        labels: Sequence[str],
        kind: Kind,
        *,
        top_k: int = 1,
        all_scores: bool = False,
        threshold: float = HALF,
        abstention: Abstention | None = None,
    ) -> None:
        """Raise `UsageError` if two columns would have the same name."""
        self._labels = tuple(labels)
        self._kind = kind
        self._top_k = min(top_k, len(labels))
        self._abstains = abstention is not None
        self._least = [threshold] * len(labels)
        if abstention is not None:
            self._least = [max(threshold, least) for least in least_scores(labels, abstention)]
        self._several_numbers = kind == "regression" and len(labels) > 1
        named = all_scores or self._several_numbers
        self._score_names = [f"score_{label}" for label in labels] if named else []
        if twice := sorted(name for name, count in Counter(self.names).items() if count > 1):
            raise UsageError(
                f"the labels {', '.join(self._labels)} would give two columns {twice[0]!r}; "
                "leave out `all_scores` or `top_k`, or rename the model's labels"
            )

    @property
    def names(self) -> list[str]:
        """The new columns, in order."""
        if self._kind == "multi":
            leading = ["labels", "scores"]
        elif self._kind == "regression":
            leading = [] if self._several_numbers else ["score"]
        else:
            ends = ["", *(f"_{rank}" for rank in range(2, self._top_k + 1))]
            leading = [name + end for end in ends for name in ("label", "score")]
        return leading + self._score_names + (["abstained"] if self._abstains else [])

    def values(self, classification: Classification) -> list[object]:
        """Return the values of one row, in the order of `names`."""
        scores = classification.scores
        leading: list[object]
        if self._kind == "multi":
            chosen = self.chosen(classification)
            leading = [[self._labels[i] for i in chosen], [scores[i] for i in chosen]]
        elif self._kind == "regression":
            leading = [] if self._several_numbers else [scores[0]]
        else:
            leading = []
            for index in classification.ranked(self._top_k):
                label = None if classification.abstained else self._labels[index]
                leading += [label, scores[index]]
        if self._score_names:
            leading += scores
        return [*leading, classification.abstained] if self._abstains else leading

    def chosen(self, classification: Classification) -> list[int]:
        """Return the indices of the labels that a row gets, the likeliest first."""
        if self._kind == "regression":
            return []
        if self._kind == "single":
            return [] if classification.abstained else classification.ranked(1)
        return [i for i in classification.ranked() if classification.scores[i] >= self._least[i]]

    def counted(self, classification: Classification) -> list[str]:
        """Return the labels that a row gets, and `ABSTAINED` for those that it does not get."""
        given = [self._labels[index] for index in self.chosen(classification)]
        return [*given, ABSTAINED] if classification.abstained else given
