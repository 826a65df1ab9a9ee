"""Choose between the options of a prompt."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, overload

from distilcli.model.heads import MultipleChoice
from distilcli.predictors.base import Predictor
from distilcli.tasks.choose import Choice, ChooseTask, Problem

Item = TypeVar("Item")


class Chooser(Predictor[MultipleChoice, tuple[str, Sequence[str]], Problem, Choice]):
    """A trained multiple-choice model, loaded once, for any number of prompts.

    A prompt and an option that are too long together are truncated, the longer one first, unless
    `long_texts` says otherwise.
    """

    _head = MultipleChoice
    _wanted = "problems"
    _parts = ("the prompt",)

    @overload
    def __call__(self, problems: tuple[str, Sequence[str]]) -> Choice: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, problems: Iterable[tuple[str, Sequence[str]]]) -> list[Choice]: ...

    def __call__(
        self, problems: tuple[str, Sequence[str]] | Iterable[tuple[str, Sequence[str]]]
    ) -> Choice | list[Choice]:
        """Choose for one problem or many, each a tuple (prompt, options).

        Raises `RowError` for the first one with fewer than two options or an empty text, and
        `TypeError` for anything that is not a problem.
        """
        return self._results(problems)

    def _task(
        self, model: MultipleChoice, content_of: Callable[[Item], Problem]
    ) -> ChooseTask[Item]:
        return ChooseTask(
            model, self._tokenizer, problem_of=content_of, long_texts=self._long_texts
        )

    @staticmethod
    def _content(item: object) -> Problem:
        match item:
            case (str(prompt), list() | tuple() as options) if isinstance(item, tuple):
                if all(isinstance(option, str) for option in options):
                    return prompt, options
        raise TypeError(
            f"give tuples (prompt, options), a text and a list of texts, not {item!r:.60}"
        )

    @staticmethod
    def _is_one(given: object) -> bool:
        return isinstance(given, str) or (
            isinstance(given, tuple) and bool(given) and isinstance(given[0], str)
        )
