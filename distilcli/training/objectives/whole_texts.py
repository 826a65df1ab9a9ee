"""What the objectives over whole texts share: classify, multilabel and regress."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from distilcli.engine.batching import Batch
from distilcli.model.heads import SequenceClassifier
from distilcli.model.linear_fit import Problem
from distilcli.predictors.base import itself
from distilcli.tasks.classify import Classification, ClassifyTask, Kind, Texts
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.data_checks import CheckedRows
from distilcli.training.datasets.classify import UNLABELLED, Examples
from distilcli.training.objectives.base import Example, Objective, encoded_all
from distilcli.training.objectives.words import Words, augmented
from distilcli.training.options import ObjectiveOptions

Label = TypeVar("Label")
_SPECIALS, _SPECIALS_OF_A_PAIR = 2, 3


@dataclass(slots=True)
class LabelledExample(Example, Generic[Label]):
    """A text and its label."""

    label: Label


class TextObjective(
    Objective[Examples[Label], SequenceClassifier, LabelledExample[Label]], Generic[Label]
):
    """Learn from texts or pairs of texts, cut at the maximum length, and their labels."""

    head = SequenceClassifier
    kind: ClassVar[Kind]

    def __init__(
        self,
        train: Examples[Label],
        valid: Examples[Label],
        options: ObjectiveOptions | None = None,
    ) -> None:
        super().__init__(train, valid, options)
        self.varies = self.options.augment > 0

    def checked(self, rows: Examples[Label], name: str) -> CheckedRows:
        """Return the rows for the data checks; numbers are not checked as labels."""
        names = rows.label_names
        return CheckedRows(
            name=name,
            texts=rows.texts,
            pairs=rows.pairs,
            labels=[self._names_of(label, names) for label in rows.labels] if names else None,
            known=names,
            exclusive=self.kind == "single",
            places=rows.places,
        )

    def lengths(self, rows: Examples[Label], tokenizer: Tokenizer) -> list[int]:
        """Count the tokens of each text or pair, special tokens included."""
        firsts = map(len, tokenizer.ids(rows.texts))
        if rows.pairs is None:
            return [first + _SPECIALS for first in firsts]
        seconds = map(len, tokenizer.ids(rows.pairs))
        return [sum(pair) + _SPECIALS_OF_A_PAIR for pair in zip(firsts, seconds, strict=True)]

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[LabelledExample[Label]]:
        """Return the examples at these indices, augmented by seed, epoch and row."""
        if not self.varies:
            return super().examples(indices, epoch=epoch)
        return [self._augmented(index, epoch) for index in indices]

    def units(self, example: LabelledExample[Label]) -> int:
        """Count a row as one."""
        return 1

    def outputs(
        self, model: SequenceClassifier, batch: Batch, examples: Sequence[LabelledExample[Label]]
    ) -> Tensor:
        """Return the outputs of the head for each row (B, number of outputs)."""
        logits: Tensor = model(*batch.inputs)
        return logits.float()

    def balanced_weights(self) -> list[float]:
        """Return weights for the labels that make up for their rarity; numbers have none."""
        raise NotImplementedError

    def problem(self, features: Tensor, indices: Sequence[int]) -> Problem:
        """Return what a linear map fits to the features (N, D) of these rows."""
        raise NotImplementedError

    def classifications(self, device: torch.device) -> list[Classification]:
        """Return the model's predictions for the validation rows."""
        return self._predictions(self._task, _texts(self.valid), device)

    def _tokenized(
        self, model: SequenceClassifier, tokenizer: Tokenizer, max_length: int
    ) -> list[LabelledExample[Label]]:
        self._words = Words(tokenizer)
        if self.options.class_weights == "balanced":
            self.weights = torch.tensor(self.balanced_weights())
        self._task = ClassifyTask(
            model,
            tokenizer,
            texts_of=itself,
            kind=self.kind,
            long_texts=LongTexts(max_length=max_length),
        )
        encoded = encoded_all(self._task.encode, _texts(self.train))
        return [
            LabelledExample(row.pieces, label)
            for row, label in zip(encoded, self.train.labels, strict=True)
        ]

    def _names_of(self, label: Label, names: Sequence[str]) -> tuple[str, ...]:
        indices: Sequence[Any] = label if isinstance(label, tuple) else (label,)
        return tuple(names[index] for index in indices if index != UNLABELLED)

    def _augmented(self, index: int, epoch: int) -> LabelledExample[Label]:
        example = self._examples[index]
        draw = random.Random(f"{self.options.seed} {epoch} {index}")
        pieces = [
            augmented(piece, self._words, draw, rate=self.options.augment)
            for piece in example.pieces
        ]
        return LabelledExample(pieces, example.label)

    def _digested(self, rows: Examples[Label]) -> Iterable[object]:
        return zip(_texts(rows), rows.labels, strict=True)


def _texts(rows: Examples[Label]) -> list[Texts]:
    seconds: Sequence[str | None] = rows.pairs or [None] * len(rows.texts)
    return list(zip(rows.texts, seconds, strict=True))
