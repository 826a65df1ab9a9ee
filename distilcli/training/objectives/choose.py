"""Learning to choose: the option that goes best with a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Batch
from distilcli.model.heads import MultipleChoice
from distilcli.predictors.base import itself
from distilcli.tasks.choose import ChooseTask, Problem
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.datasets.choose import SolvedProblem
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.digests import rows_digest
from distilcli.training.objectives.base import Example, Metric, PlainLesson, encoded_all, values
from distilcli.training.objectives.soft_targets import soft_cross_entropy


@dataclass(slots=True)
class ChoiceExample(Example):
    """A prompt with each of its options, and the place of the right one among them."""

    answer: int = 0


@dataclass(frozen=True, slots=True)
class ChooseLesson(PlainLesson):
    """Problems with the right option."""

    train: list[SolvedProblem]
    valid: list[SolvedProblem]
    task: ClassVar[str] = "choose"
    command: ClassVar[str] = "choose"

    @property
    def head(self) -> type[MultipleChoice]:
        """The head that learns."""
        return MultipleChoice

    def described(self) -> str:
        """Say in words what is learned from."""
        return f"from {len(self.train):,} problems, is validated on {len(self.valid):,}"

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration; options are no labels."""
        return replace(config, labels=(), problem_type=None)

    def objective(
        self, model: MultipleChoice, tokenizer: Tokenizer, *, max_length: int
    ) -> "ChooseObjective":
        """Tokenize the problems; a prompt and an option that are too long together are cut."""
        return ChooseObjective(self, model, tokenizer, max_length=max_length)

    def digests(self) -> dict[str, str]:
        """Tell the problems by what they hold."""
        return {
            "training data": rows_digest(self.train),
            "validation data": rows_digest(self.valid),
        }


class ChooseObjective:
    """Cross-entropy over the options of a problem; the best model is the most accurate one."""

    metric = Metric("accuracy")
    varies = False

    def __init__(
        self, lesson: ChooseLesson, model: MultipleChoice, tokenizer: Tokenizer, *, max_length: int
    ) -> None:
        self._valid = lesson.valid
        self._pad_token_id = model.config.pad_token_id
        self._task = ChooseTask[Problem](
            model, tokenizer, problem_of=itself, long_texts=LongTexts(max_length=max_length)
        )
        encoded = encoded_all(self._task.encode, [solved.problem for solved in lesson.train])
        self._examples = [
            ChoiceExample(row.pieces, _place(solved))
            for row, solved in zip(encoded, lesson.train, strict=True)
        ]
        self.sizes = [example.size for example in self._examples]

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[ChoiceExample]:
        """Return the examples of these numbers."""
        return [self._examples[index] for index in indices]

    def units(self, example: ChoiceExample) -> int:
        """Count a problem as one."""
        return 1

    def labelled(self, example: ChoiceExample) -> int:
        """Count a problem with an answer as one."""
        return int(example.answer != UNLABELLED)

    def outputs(
        self, model: MultipleChoice, batch: Batch, examples: Sequence[ChoiceExample]
    ) -> Tensor:
        """Return a logit per option (B, most options), the lowest number where there is none."""
        logits = model(batch.input_ids, batch.attention_mask, batch.token_type_ids).float()
        counts = [len(example.pieces) for example in examples]
        return torch.nn.utils.rnn.pad_sequence(
            list(torch.split(logits[:, 0], counts)),
            batch_first=True,
            padding_value=torch.finfo(logits.dtype).min,
        )

    def loss(self, outputs: Tensor, examples: Sequence[ChoiceExample]) -> Tensor:
        """Return the cross-entropy, summed over problems."""
        answers = [example.answer for example in examples]
        return F.cross_entropy(
            outputs, torch.tensor(answers, device=outputs.device), reduction="sum"
        )

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the cross-entropy with the teacher's softened outputs."""
        return soft_cross_entropy(student, teacher, temperature)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return the share of the validation problems that are solved."""
        problems = [solved.problem for solved in self._valid]
        found = values(self._task, problems, pad_token_id=self._pad_token_id, device=device)
        hits = [
            choice.choice_index == solved.answer
            for choice, solved in zip(found, self._valid, strict=True)
        ]
        return {"accuracy": sum(hits) / len(hits)}


def _place(solved: SolvedProblem) -> int:
    """Return the place of the right option among those that there are, if it is known."""
    if solved.answer == UNLABELLED:
        return UNLABELLED
    return sum(option is not None for option in solved.options[: solved.answer])
