"""Find the entities of texts, and label words."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar, get_args, overload

from distilcli.checkpoint.abstention import in_use
from distilcli.errors import UsageError
from distilcli.model.heads import TokenClassifier
from distilcli.predictors.base import Predictor, checked_text, itself, values
from distilcli.tasks.labels import LabelScheme
from distilcli.tasks.settings import LongTexts, check_choice
from distilcli.tasks.tag import OF_WORDS, Aggregation, Content, Tagging, TagTask

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from distilcli.predictors.base import Options

Item = TypeVar("Item")


class Tagger(Predictor[TokenClassifier, str, Content, Tagging]):
    """A trained token classifier, loaded once, for any number of texts.

    `labels` are the model's own, `types` the kinds of entities in them. `aggregation` says how
    scores of tokens become entities. Word by word: by the `first` token of a word, the `average`
    of its tokens or its most confident one (`max`). Token by token: `simple` joins tokens of one
    entity, `none` gives each token that is not outside, with its whole label. A model with
    thresholds (`abstention`), which are of the aggregation `first`, gives an entity below them no
    label, unless `no_abstain`. Long texts are read in windows, unless `long_texts` says otherwise.
    """

    _head = TokenClassifier
    _long_texts = LongTexts(long="window")

    def __init__(
        self,
        model: str = "entities",
        *,
        aggregation: Aggregation = "first",
        no_abstain: bool = False,
        **options: "Unpack[Options]",
    ) -> None:
        """See `Predictor`."""
        check_choice("aggregation", aggregation, get_args(Aggregation))
        super().__init__(model, **options)
        self.aggregation: Aggregation = aggregation
        self._scheme = LabelScheme(self.config.labels, source=self.name)
        self.labels = self._scheme.labels
        self.types = self._scheme.types
        found = self.config.abstention if aggregation == "first" else None
        self.abstention = in_use(found, self.name, no_abstain=no_abstain)

    def described(self) -> str:
        """Say which model runs where, and when it abstains."""
        said = super().described()
        return said if self.abstention is None else f"{said}; it {self.abstention.described()}"

    @overload
    def __call__(self, texts: str) -> Tagging: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, texts: Iterable[str]) -> list[Tagging]: ...

    def __call__(self, texts: str | Iterable[str]) -> Tagging | list[Tagging]:
        """Return the entities of one text, or of many: a list of entities each.

        Raises `RowError` for the first text that cannot be tagged, and `TypeError` for anything
        that is not a text.
        """
        return self._results(texts)

    def tag_words(self, sentences: Iterable[Sequence[str]]) -> list[list[str | None]]:
        """Return a label per word for sentences that are lists of words.

        A word that was cut off with the end of its sentence has None. Raises `UsageError` for an
        aggregation of tokens, `TypeError` for anything that is not a list of words.
        """
        if self.aggregation not in OF_WORDS:
            raise UsageError(
                f"`aggregation` {self.aggregation} gives no label per word; "
                f"take one of {', '.join(OF_WORDS)}"
            )
        engine = self.engine(itself, on_error="stop")
        return [list(tagging.tags) for tagging in values(engine, map(_checked_words, sentences))]

    def _task(self, model: TokenClassifier, content_of: Callable[[Item], Content]) -> TagTask[Item]:
        return TagTask(
            model,
            self._tokenizer,
            content_of=content_of,
            scheme=self._scheme,
            aggregation=self.aggregation,
            long_texts=self._long_texts,
            abstention=self.abstention,
        )

    _content = staticmethod(checked_text)


def _checked_words(words: object) -> Content:
    if not isinstance(words, list | tuple) or not all(isinstance(w, str) for w in words):
        raise TypeError(f"give lists of words, not {words!r:.60}")
    return list(words)
