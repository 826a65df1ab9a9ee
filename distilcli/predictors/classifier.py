"""Classify texts, or pairs of texts."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar, overload

from distilcli.checkpoint.abstention import in_use
from distilcli.model.heads import SequenceClassifier
from distilcli.predictors.base import Predictor
from distilcli.tasks.classify import (
    KINDS,
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
    by itself. A model with thresholds (`abstention`) gives no label below them, unless
    `no_abstain`. Long texts are truncated unless `long_texts` says otherwise.
    """

    _head = SequenceClassifier
    _parts = ("", "the second text")

    def __init__(
        self,
        model: str = "sentiment",
        *,
        multi_label: bool = False,
        no_abstain: bool = False,
        **options: "Unpack[Options]",
    ) -> None:
        """See `Predictor`."""
        super().__init__(model, **options)
        self.labels = self.config.labels
        self.kind: Kind = kind_of(self.config, multi_label=multi_label)
        # The thresholds are of the scores that the head is for.
        found = self.config.abstention if self.kind == KINDS[self.config.problem_type] else None
        self.abstention = in_use(found, self.name, no_abstain=no_abstain)

    def described(self) -> str:
        """Say which model runs where, when it abstains, and what its scores are if that is open."""
        said = super().described()
        if self.abstention is not None:
            said += f"; it {self.abstention.described()}"
        if self.kind == "single" and is_one_output(self.config):
            said += "; config.json names no problem_type: the score is a sigmoid"
        return said

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
            abstention=self.abstention,
        )

    @staticmethod
    def _content(item: object) -> Texts:
        match item:
            case str():
                return item, None
            case tuple((str(first), str(second))):
                return first, second
        raise TypeError(f"give texts or pairs (tuples) of texts, not {item!r:.60}")
