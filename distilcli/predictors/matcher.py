"""Label texts by the names of labels, without training."""

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar, overload

from distilcli.errors import UsageError
from distilcli.model.heads import BaseModel
from distilcli.predictors.encoder import TextEncoder
from distilcli.predictors.label_heads import common_words, label_head
from distilcli.tasks.embed import EmbedTask
from distilcli.tasks.label_sets import LabelSet, LabelsGiven, label_sets
from distilcli.tasks.match import LabelHead, Match, MatchTask

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from distilcli.predictors.base import Options

Item = TypeVar("Item")


class LabelMatcher(TextEncoder[Match]):
    """An encoder and sets of labels, of which a text gets the one nearest in meaning.

    `sets` are those that were given: names in a list or a text ("billing, delivery"), mappings
    with `name`, `description` and `examples`, or the path of a file with such columns. A set in a
    text may have a name: "topic=sports, politics". Examples are learned from, in seconds.
    """

    def __init__(
        self, *labels: LabelsGiven, model: str = "mini", **options: "Unpack[Options]"
    ) -> None:
        """See `Predictor`; raises `UsageError` and `InputError` for labels of no use."""
        if not labels:
            raise UsageError("give `labels`")
        started = perf_counter()
        self.sets: list[LabelSet] = label_sets(labels)
        super().__init__(model, normalize=True, **options)
        # int8 is compared with fp32 on texts, not on labels.
        original, self._original = self._original, None
        self._heads = self._made_heads()
        self._original = original
        self.load_seconds = perf_counter() - started

    def _made_heads(self) -> list[LabelHead]:
        words = self._floats(common_words(self._tokenizer.tokens))
        return [label_head(each, self._floats, words) for each in self.sets]

    def described(self) -> str:
        """Say which model runs where, and how many labels there are."""
        counts = ", ".join(str(len(each.labels)) for each in self.sets)
        return f"{super().described()}, labels: {counts}"

    @overload
    def __call__(self, texts: str) -> Match: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, texts: Iterable[str]) -> list[Match]: ...

    def __call__(self, texts: str | Iterable[str]) -> Match | list[Match]:
        """Label one text or many.

        Raises `RowError` for the first text that cannot be labelled, and `TypeError` for anything
        that is not a text.
        """
        return self._results(texts)

    def _task(self, model: BaseModel, content_of: Callable[[Item], str]) -> MatchTask[Item]:
        return MatchTask(self._maker(EmbedTask[Item], content_of, self._finish)(model), self._heads)
