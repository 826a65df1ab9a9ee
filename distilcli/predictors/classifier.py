"""Classify texts, or pairs of texts."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar, overload

from distilcli.model.heads import SequenceClassifier
from distilcli.predictors.base import Predictor
from distilcli.tasks.classify import (
    Classification,
    ClassifyTask,
    Kind,
    Texts,
    is_one_output,
    kind_of,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from distilcli.predictors.base import Options

Item = TypeVar("Item")


class Classifier(Predictor[SequenceClassifier, str | tuple[str, str], Texts, Classification]):
    """A trained classifier, loaded once, for any number of texts.

    `labels` are in the order of every result's `scores`. With `multi_label` each label is scored
    by itself. Long texts are truncated unless `long_texts` says otherwise.
    """

    _head = SequenceClassifier
    _parts = ("", "the second text")

    def __init__(
        self, model: str = "sentiment", *, multi_label: bool = False, **options: "Unpack[Options]"
    ) -> None:
        """See `Predictor`."""
        super().__init__(model, **options)
        self.labels = self.config.labels
        self.kind: Kind = kind_of(self.config, multi_label=multi_label)

    def described(self) -> str:
        """Say which model runs where, and what its scores are if config.json does not say."""
        if self.kind != "single" or not is_one_output(self.config):
            return super().described()
        return f"{super().described()}; config.json names no problem_type: the score is a sigmoid"

    @overload
    def __call__(self, texts: str) -> Classification: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, texts: Iterable[str | tuple[str, str]]) -> list[Classification]: ...

    def __call__(
        self, texts: str | Iterable[str | tuple[str, str]]
    ) -> Classification | list[Classification]:
        """Classify one text, or many texts or pairs (tuples) of texts.

        Raises `RowError` for the first one that cannot be classified, and `TypeError` for
        anything that is not a text or a pair.
        """
        return self._results(texts)

    def _task(
        self, model: SequenceClassifier, content_of: Callable[[Item], Texts]
    ) -> ClassifyTask[Item]:
        return ClassifyTask(
            model,
            self._tokenizer,
            texts_of=content_of,
            kind=self.kind,
            long_texts=self._long_texts,
        )

    @staticmethod
    def _content(item: object) -> Texts:
        match item:
            case str():
                return item, None
            case tuple((str(first), str(second))):
                return first, second
        raise TypeError(f"give texts or pairs (tuples) of texts, not {item!r:.60}")
