"""A chooser ready to use: files to a model on a device, and prompts with options to choices."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from distilcli.engine.engine import Engine, OnError
from distilcli.model.heads import MultipleChoice
from distilcli.model.precision import Precision
from distilcli.predictors.base import Predictor, itself, values_of
from distilcli.tasks.choose import Choice, ChooseTask, Problem
from distilcli.tasks.settings import MIN_AGREEMENT, BatchOptions, LongTexts

Item = TypeVar("Item")


class Chooser(Predictor[MultipleChoice]):
    """A trained multiple-choice model, loaded once, for any number of prompts.

    `long_texts` left out cuts a prompt and an option that are too long together, the longer of
    them first.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        precision: Precision = "fp32",
        min_agreement: float = MIN_AGREEMENT,
        offline: bool = False,
        batches: BatchOptions | None = None,
        long_texts: LongTexts | None = None,
    ) -> None:
        """Raise `ModelError`, `ResourceError` or `UsageError` where it cannot be had."""
        super().__init__(
            MultipleChoice,
            model,
            device=device,
            precision=precision,
            min_agreement=min_agreement,
            offline=offline,
            batches=batches,
            long_texts=long_texts or LongTexts(),
        )

    def __call__(self, problems: Iterable[tuple[str, Sequence[str]]]) -> list[Choice]:
        """Choose for each prompt between its options; raises `RowError` for fewer than two.

        A problem is a tuple (prompt, options) of a text and a list of texts; anything else is a
        `TypeError`. Choices come in the order of the problems.
        """
        return values_of(self.engine(itself, on_error="stop"), map(_as_problem, problems))

    def engine(
        self, problem_of: Callable[[Item], Problem], *, on_error: OnError = "keep"
    ) -> Engine[Item, Choice]:
        """Return the engine that chooses for items of any kind, given how to get their problem."""

        def task(model: MultipleChoice) -> ChooseTask[Item]:
            return ChooseTask(
                model, self._tokenizer, problem_of=problem_of, long_texts=self._long_texts
            )

        return self._engine(task, on_error=on_error)


def _as_problem(item: object) -> Problem:
    match item:
        case (str(prompt), list() | tuple() as options) if isinstance(item, tuple):
            if all(isinstance(option, str) for option in options):
                return prompt, options
    raise TypeError(f"give tuples (prompt, options), a text and a list of texts, not {item!r:.60}")
