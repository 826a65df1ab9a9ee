"""Multiple choice: the option that fits a prompt best."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from distilcli.engine.batching import Batch
from distilcli.model.heads import MultipleChoice
from distilcli.predictors.base import itself
from distilcli.tasks.choose import ChooseTask, Problem
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.data_checks import CheckedRows
from distilcli.training.datasets.choose import SolvedProblem
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.objectives.base import Example, Metric, Objective, encoded_all

_SPECIALS = 3


@dataclass(slots=True)
class ChoiceExample(Example):
    """A prompt with each of its options, and the index of the right one among them."""

    answer: int = 0


class ChooseObjective(Objective[list[SolvedProblem], MultipleChoice, ChoiceExample]):
    """Cross-entropy over the options of a problem; the best model is the most accurate one."""

    task = "choose"
    head = MultipleChoice
    noun = "problem"
    metric = Metric("accuracy")

    def checked(self, rows: list[SolvedProblem], name: str) -> CheckedRows:
        """Return the problems for the data checks; the options of one are a single text."""
        return CheckedRows(
            name=name,
            texts=[row.prompt for row in rows],
            pairs=["\n".join(option or "" for option in row.options) for row in rows],
            places=[row.place for row in rows],
        )

    def lengths(self, rows: list[SolvedProblem], tokenizer: Tokenizer) -> list[int]:
        """Count the tokens of each prompt with its longest option."""
        prompts = map(len, tokenizer.ids([row.prompt for row in rows]))
        options = map(len, tokenizer.ids([option or "" for row in rows for option in row.options]))
        longest = [max(next(options) for _ in row.options) for row in rows]
        return [sum(both) + _SPECIALS for both in zip(prompts, longest, strict=True)]

    def gold(self, example: ChoiceExample) -> tuple[int]:
        """Return the index of the right option."""
        return (example.answer,)

    def outputs(
        self, model: MultipleChoice, batch: Batch, examples: Sequence[ChoiceExample]
    ) -> Tensor:
        """Return a logit per option (B, most options), the dtype's lowest number as padding."""
        logits = model(*batch.inputs).float()
        counts = [len(example.pieces) for example in examples]
        return torch.nn.utils.rnn.pad_sequence(
            list(torch.split(logits[:, 0], counts)),
            batch_first=True,
            padding_value=torch.finfo(logits.dtype).min,
        )

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return the share of the validation problems that are solved."""
        choices = self._predictions(self._task, [row.problem for row in self.valid], device)
        hits = [
            choice.choice_index == row.answer
            for choice, row in zip(choices, self.valid, strict=True)
        ]
        return {"accuracy": sum(hits) / len(hits)}

    def _tokenized(
        self, model: MultipleChoice, tokenizer: Tokenizer, max_length: int
    ) -> list[ChoiceExample]:
        self._task = ChooseTask[Problem](
            model, tokenizer, problem_of=itself, long_texts=LongTexts(max_length=max_length)
        )
        encoded = encoded_all(self._task.encode, [row.problem for row in self.train])
        return [
            ChoiceExample(pieces.pieces, _answer(row))
            for pieces, row in zip(encoded, self.train, strict=True)
        ]


def _answer(row: SolvedProblem) -> int:
    """Return the index of the right option among those that are not missing, if it is known."""
    if row.answer == UNLABELLED:
        return UNLABELLED
    return sum(option is not None for option in row.options[: row.answer])
