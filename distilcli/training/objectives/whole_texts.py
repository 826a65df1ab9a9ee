"""What learning from whole texts shares, whatever it is that they are labelled with."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from distilcli.engine.batching import Batch
from distilcli.model.heads import SequenceClassifier
from distilcli.predictors.base import itself
from distilcli.tasks.classify import Classification, ClassifyTask, Kind, Texts
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.datasets.classify import UNLABELLED, Examples
from distilcli.training.digests import rows_digest
from distilcli.training.objectives.base import Example, Metric, PlainLesson, encoded_all, values
from distilcli.training.objectives.words import Words, augmented
from distilcli.training.settings import LessonOptions

Label = TypeVar("Label")


@dataclass(slots=True)
class LabelledExample(Example):
    """A text and what it is labelled with."""

    label: Any = None


@dataclass(frozen=True, slots=True)
class TextLesson(PlainLesson, Generic[Label]):
    """Rows to learn from and to validate on, and how."""

    train: Examples[Label]
    valid: Examples[Label]
    options: LessonOptions = field(default_factory=LessonOptions)
    task: ClassVar[str]
    command: ClassVar[str] = "classify"

    @property
    def head(self) -> type[SequenceClassifier]:
        """The head that learns."""
        return SequenceClassifier

    def described(self) -> str:
        """Say in words what is learned from."""
        names = ", ".join(self.train.label_names[:10])
        labels = f"; labels: {names}" if names else ""
        return (
            f"from {len(self.train.texts):,} texts, is validated on "
            f"{len(self.valid.texts):,}{labels}"
        )

    def digests(self) -> dict[str, str]:
        """Tell the rows by what they hold."""
        return {
            "training data": rows_digest([self.train.label_names], _rows(self.train)),
            "validation data": rows_digest(_rows(self.valid)),
            **self.options.digests(),
        }


class TextObjective(ABC, Generic[Label]):
    """Examples of rows and outputs of the model; a task says what the loss is, and the score."""

    kind: ClassVar[Kind]
    metric: Metric

    def __init__(
        self,
        lesson: TextLesson[Label],
        model: SequenceClassifier,
        tokenizer: Tokenizer,
        *,
        max_length: int,
    ) -> None:
        self.varies = lesson.options.augment > 0
        self._lesson = lesson
        self._config = model.config
        self._words = Words(tokenizer)
        self._task = ClassifyTask(
            model,
            tokenizer,
            texts_of=itself,
            kind=self.kind,
            long_texts=LongTexts(max_length=max_length),
        )
        encoded = encoded_all(self._task.encode, _texts(lesson.train))
        self._examples = [
            LabelledExample(row.pieces, label)
            for row, label in zip(encoded, lesson.train.labels, strict=True)
        ]
        self.sizes = [example.size for example in self._examples]

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[LabelledExample]:
        """Return the examples of these numbers, augmented by what is drawn for row and epoch."""
        if not self.varies:
            return [self._examples[index] for index in indices]
        return [self._augmented(index, epoch) for index in indices]

    def units(self, example: LabelledExample) -> int:
        """Count a row as one."""
        return 1

    def labelled(self, example: LabelledExample) -> int:
        """Count a row with a label as one."""
        return int(example.label != UNLABELLED)

    def outputs(
        self, model: SequenceClassifier, batch: Batch, examples: Sequence[LabelledExample]
    ) -> Tensor:
        """Return the outputs of the head for each row (B, number of outputs)."""
        logits: Tensor = model(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        return logits.float()

    @abstractmethod
    def loss(self, outputs: Tensor, examples: Sequence[LabelledExample]) -> Tensor:
        """Return the loss, summed over rows."""

    @abstractmethod
    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the loss between a student's outputs and its teacher's, summed over rows."""

    @abstractmethod
    def scores(self, device: torch.device) -> dict[str, float]:
        """Score the model on the validation rows."""

    def found(self, device: torch.device) -> list[Classification]:
        """Return what the model says of the validation rows."""
        texts = _texts(self._lesson.valid)
        return values(self._task, texts, pad_token_id=self._config.pad_token_id, device=device)

    def _augmented(self, index: int, epoch: int) -> LabelledExample:
        options, example = self._lesson.options, self._examples[index]
        draw = random.Random(f"{options.seed} {epoch} {index}")
        pieces = [
            augmented(piece, self._words, draw, rate=options.augment) for piece in example.pieces
        ]
        return LabelledExample(pieces, example.label)


def _texts(rows: Examples[Any]) -> list[Texts]:
    seconds: Sequence[str | None] = rows.pairs or [None] * len(rows.texts)
    return list(zip(rows.texts, seconds, strict=True))


def _rows(rows: Examples[Any]) -> Iterable[object]:
    return zip(_texts(rows), rows.labels, strict=True)
