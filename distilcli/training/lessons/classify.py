"""Learning to classify: one label of several for a text or a pair of texts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Batch
from distilcli.model.heads import SequenceClassifier
from distilcli.scores.classification import classification_scores
from distilcli.tasks.classify import ClassifyTask, Texts
from distilcli.tasks.predictor import itself
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.data.labelled import Examples
from distilcli.training.digests import rows_digest
from distilcli.training.lessons.lesson import Example, Metric, encoded_all, values
from distilcli.training.soft_targets import soft_cross_entropy


@dataclass(slots=True)
class LabelledExample(Example):
    """A text and the index of its label."""

    label: int = 0


@dataclass(frozen=True, slots=True)
class ClassifyLesson:
    """Rows with one label each, of `train.label_names`."""

    train: Examples
    valid: Examples
    task: ClassVar[str] = "classify"
    command: ClassVar[str] = "classify"

    @property
    def head(self) -> type[SequenceClassifier]:
        """The head that learns."""
        return SequenceClassifier

    def described(self) -> str:
        """Say in words what is learned from."""
        names = ", ".join(self.train.label_names[:10])
        return (
            f"from {len(self.train.texts):,} texts, is validated on {len(self.valid.texts):,}; "
            f"labels: {names}"
        )

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration with the labels of the rows."""
        return config.with_labels(
            self.train.label_names, problem_type="single_label_classification"
        )

    def objective(
        self, model: SequenceClassifier, tokenizer: Tokenizer, *, max_length: int
    ) -> "ClassifyObjective":
        """Tokenize the rows; longer ones are cut off."""
        return ClassifyObjective(self, model, tokenizer, max_length=max_length)

    def digests(self) -> dict[str, str]:
        """Tell the rows by what they hold."""
        return {
            "training data": rows_digest([self.train.label_names], _rows(self.train)),
            "validation data": rows_digest(_rows(self.valid)),
        }


class ClassifyObjective:
    """Cross-entropy of the labels; the best model is the most accurate one."""

    metric = Metric("accuracy")
    varies = False

    def __init__(
        self,
        lesson: ClassifyLesson,
        model: SequenceClassifier,
        tokenizer: Tokenizer,
        *,
        max_length: int,
    ) -> None:
        self._valid = lesson.valid
        self._config = model.config
        self._task = ClassifyTask(
            model,
            tokenizer,
            texts_of=itself,
            kind="single",
            long_texts=LongTexts(max_length=max_length),
        )
        encoded = encoded_all(self._task.encode, _texts(lesson.train))
        self._examples = [
            LabelledExample(row.pieces, label)
            for row, label in zip(encoded, lesson.train.labels, strict=True)
        ]
        self.sizes = [example.size for example in self._examples]

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[LabelledExample]:
        """Return the examples of these numbers."""
        return [self._examples[index] for index in indices]

    def units(self, example: LabelledExample) -> int:
        """Count a row as one."""
        return 1

    def outputs(
        self, model: SequenceClassifier, batch: Batch, examples: Sequence[LabelledExample]
    ) -> Tensor:
        """Return a logit per label of each row (B, labels)."""
        logits: Tensor = model(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        return logits.float()

    def loss(self, outputs: Tensor, examples: Sequence[LabelledExample]) -> Tensor:
        """Return the cross-entropy, summed over rows."""
        labels = torch.tensor([example.label for example in examples], device=outputs.device)
        return F.cross_entropy(outputs, labels, reduction="sum")

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the cross-entropy with the teacher's softened outputs."""
        return soft_cross_entropy(student, teacher, temperature)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return accuracy and macro-F1 on the validation rows."""
        found = values(
            self._task, _texts(self._valid), pad_token_id=self._config.pad_token_id, device=device
        )
        labels = self._config.labels
        predicted = [row.scores.index(max(row.scores)) for row in found]
        scores = classification_scores(self._valid.labels, predicted, n_labels=len(labels))
        return {"accuracy": scores.accuracy, "macro_f1": scores.macro_f1}


def _texts(rows: Examples) -> list[Texts]:
    seconds: Sequence[str | None] = rows.pairs or [None] * len(rows.texts)
    return list(zip(rows.texts, seconds, strict=True))


def _rows(rows: Examples) -> Iterable[object]:
    return zip(_texts(rows), rows.labels, strict=True)
