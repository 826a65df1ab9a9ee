"""Learning to tag: one label for each word of a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Batch
from distilcli.model.heads import TokenClassifier
from distilcli.predictors.base import itself
from distilcli.scores.entities import OUTSIDE, entity_scores
from distilcli.tasks.labels import LabelScheme
from distilcli.tasks.settings import LongTexts
from distilcli.tasks.tag import TagTask
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.datasets.tag import TaggedSentences
from distilcli.training.digests import rows_digest
from distilcli.training.objectives.base import Example, Metric, PlainLesson, encoded_all, values
from distilcli.training.objectives.soft_targets import soft_cross_entropy
from distilcli.training.settings import LessonOptions


@dataclass(slots=True)
class TaggedExample(Example):
    """A sentence in one or more windows; a word is learned at its first token.

    `places` are the window and the token in it of each word that has a token, `labels` the
    indices of their labels.
    """

    places: list[tuple[int, int]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TagLesson(PlainLesson):
    """Sentences with a label for each word, of `train.label_names`."""

    train: TaggedSentences
    valid: TaggedSentences
    options: LessonOptions = field(default_factory=LessonOptions)
    task: ClassVar[str] = "tag"
    command: ClassVar[str] = "tag"

    @property
    def head(self) -> type[TokenClassifier]:
        """The head that learns."""
        return TokenClassifier

    def described(self) -> str:
        """Say in words what is learned from."""
        names = ", ".join(self.train.label_names[:10])
        return (
            f"from {self.train.count:,} sentences, is validated on {self.valid.count:,}; "
            f"labels: {names}"
        )

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration with the labels of the words."""
        return replace(config, labels=self.train.label_names, problem_type=None)

    def objective(
        self, model: TokenClassifier, tokenizer: Tokenizer, *, max_length: int
    ) -> "TagObjective":
        """Tokenize the sentences; long ones are learned in windows."""
        return TagObjective(self, model, tokenizer, max_length=max_length)

    def digests(self) -> dict[str, str]:
        """Tell the sentences by what they hold."""
        return {
            "training data": rows_digest([self.train.label_names], self.train.rows()),
            "validation data": rows_digest(self.valid.rows()),
            **self.options.digests(),
        }


class TagObjective:
    """Cross-entropy of the words' labels; the best model has the best F1 of entities."""

    metric = Metric("f1")
    varies = False

    def __init__(
        self, lesson: TagLesson, model: TokenClassifier, tokenizer: Tokenizer, *, max_length: int
    ) -> None:
        self._valid = lesson.valid
        self._smoothing = lesson.options.label_smoothing
        self._pad_token_id = model.config.pad_token_id
        self._scheme = LabelScheme(model.config.labels, source="the training rows")
        self._task = TagTask(
            model,
            tokenizer,
            content_of=itself,
            scheme=self._scheme,
            aggregation="first",
            long_texts=LongTexts(long="window", max_length=max_length),
        )
        sentences = zip(
            encoded_all(self._task.encode, lesson.train.words), lesson.train.labels, strict=True
        )
        self._examples = [
            TaggedExample(
                row.pieces,
                places=[row.places[token] for token in row.firsts],
                labels=[labels[owner] for owner in row.owners],
            )
            for row, labels in sentences
            if row.pieces
        ]
        self.sizes = [example.size for example in self._examples]

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[TaggedExample]:
        """Return the examples of these numbers."""
        return [self._examples[index] for index in indices]

    def units(self, example: TaggedExample) -> int:
        """Count the words that are learned."""
        return len(example.labels)

    def labelled(self, example: TaggedExample) -> int:
        """Count the words with a label."""
        return sum(label != UNLABELLED for label in example.labels)

    def outputs(
        self, model: TokenClassifier, batch: Batch, examples: Sequence[TaggedExample]
    ) -> Tensor:
        """Return a logit per label (words, labels) of all words, sentence by sentence."""
        logits: Tensor = model(
            batch.input_ids, batch.attention_mask, batch.token_type_ids
        )  # (B, T, L)
        rows, tokens, before = [], [], 0
        for example in examples:
            rows += [before + window for window, _ in example.places]
            tokens += [token for _, token in example.places]
            before += len(example.pieces)
        return logits[rows, tokens].float()

    def loss(self, outputs: Tensor, examples: Sequence[TaggedExample]) -> Tensor:
        """Return the cross-entropy, summed over words."""
        labels = [label for example in examples for label in example.labels]
        return F.cross_entropy(
            outputs,
            torch.tensor(labels, device=outputs.device),
            label_smoothing=self._smoothing,
            reduction="sum",
        )

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the cross-entropy with the teacher's softened outputs."""
        return soft_cross_entropy(student, teacher, temperature)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return precision, recall and F1 of entities, and the accuracy of words."""
        taggings = values(
            self._task, self._valid.words, pad_token_id=self._pad_token_id, device=device
        )
        names = self._scheme.labels
        scores = entity_scores(
            [[names[label] for label in labels] for labels in self._valid.labels],
            [[tag or OUTSIDE for tag in tagging.tags] for tagging in taggings],
        )
        return {
            "f1": scores.micro.f1,
            "precision": scores.micro.precision,
            "recall": scores.micro.recall,
            "accuracy": scores.accuracy,
        }
