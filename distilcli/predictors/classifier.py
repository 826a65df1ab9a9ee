"""A classifier ready to use: files to a model on a device, and texts to labels."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from distilcli.engine.engine import Engine, OnError
from distilcli.model.heads import SequenceClassifier
from distilcli.model.precision import Precision
from distilcli.predictors.base import Predictor, itself, values_of
from distilcli.tasks.classify import (
    Classification,
    ClassifyTask,
    Kind,
    Texts,
    kind_of,
)
from distilcli.tasks.settings import MIN_AGREEMENT, BatchOptions, LongTexts

Item = TypeVar("Item")


class Classifier(Predictor[SequenceClassifier]):
    """A trained classifier, loaded once, for any number of texts.

    `labels` are in the order of every result's `scores`; `unused` names the weights of the
    checkpoint that belong to other heads.
    """

    def __init__(
        self,
        model: str = "sentiment",
        *,
        device: str = "auto",
        precision: Precision = "fp32",
        min_agreement: float = MIN_AGREEMENT,
        multi_label: bool = False,
        offline: bool = False,
        batches: BatchOptions | None = None,
        long_texts: LongTexts | None = None,
    ) -> None:
        """Raise `ModelError`, `ResourceError` or `UsageError` where it cannot be had."""
        super().__init__(
            SequenceClassifier,
            model,
            device=device,
            precision=precision,
            min_agreement=min_agreement,
            offline=offline,
            batches=batches,
            long_texts=long_texts or LongTexts(),
        )
        self.labels = self.config.labels
        self.kind: Kind = kind_of(self.config, multi_label=multi_label)

    def __call__(self, texts: Iterable[str | tuple[str, str]]) -> list[Classification]:
        """Classify texts, or pairs of texts; raises `RowError` for one that cannot be.

        Anything else than a text or a pair of texts is a `TypeError`.
        """
        if isinstance(texts, str):
            raise TypeError("give a list of texts, not one text")
        return values_of(self.engine(itself, on_error="stop"), map(_as_texts, texts))

    def engine(
        self, texts_of: Callable[[Item], Texts], *, on_error: OnError = "keep"
    ) -> Engine[Item, Classification]:
        """Return the engine that classifies items of any kind, given how to get their texts."""

        def task(model: SequenceClassifier) -> ClassifyTask[Item]:
            return ClassifyTask(
                model,
                self._tokenizer,
                texts_of=texts_of,
                kind=self.kind,
                long_texts=self._long_texts,
            )

        return self._engine(task, on_error=on_error)


def _as_texts(item: object) -> Texts:
    match item:
        case str():
            return item, None
        case tuple((str(first), str(second))):
            return first, second
    raise TypeError(f"give texts or pairs (tuples) of texts, not {item!r:.60}")
