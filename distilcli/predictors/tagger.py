"""A tagger ready to use: files to a model on a device, and texts to entities."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar, get_args

from distilcli.engine.engine import Engine, OnError
from distilcli.errors import UsageError
from distilcli.model.heads import TokenClassifier
from distilcli.model.precision import Precision
from distilcli.predictors.base import Predictor, checked_texts, itself, values_of
from distilcli.tasks.labels import LabelScheme
from distilcli.tasks.settings import MIN_AGREEMENT, BatchOptions, LongTexts
from distilcli.tasks.tag import OF_WORDS, Aggregation, Content, Entity, Tagging, TagTask

Item = TypeVar("Item")


class Tagger(Predictor[TokenClassifier]):
    """A trained token classifier, loaded once, for any number of texts.

    `labels` are the model's own, `types` the kinds of entities that they speak of. `aggregation`
    says how the scores of tokens become entities: word by word, by a word's `first` token, the
    `average` of its tokens or the surest of them (`max`); or by tokens: `simple` joins those of
    one entity, `none` leaves every token that is not outside by itself, with its whole label.
    Long texts are read in windows, unless `long_texts` says otherwise.
    """

    def __init__(
        self,
        model: str = "entities",
        *,
        aggregation: Aggregation = "first",
        device: str = "auto",
        precision: Precision = "fp32",
        min_agreement: float = MIN_AGREEMENT,
        offline: bool = False,
        batches: BatchOptions | None = None,
        long_texts: LongTexts | None = None,
    ) -> None:
        """Raise `ModelError`, `ResourceError` or `UsageError` where it cannot be had."""
        if aggregation not in get_args(Aggregation):
            known = ", ".join(get_args(Aggregation))
            raise UsageError(f"--aggregation {aggregation} is not known; take one of {known}")
        super().__init__(
            TokenClassifier,
            model,
            device=device,
            precision=precision,
            min_agreement=min_agreement,
            offline=offline,
            batches=batches,
            long_texts=long_texts or LongTexts(long="window"),
        )
        self.aggregation: Aggregation = aggregation
        self._scheme = LabelScheme(self.config.labels, source=self.name)
        self.labels = self._scheme.labels
        self.types = self._scheme.types

    def __call__(self, texts: Iterable[str]) -> list[list[Entity]]:
        """Return the entities of each text, in order; raises `RowError` for one that cannot be.

        Anything else than a list of texts is a `TypeError`.
        """
        engine = self.engine(itself, on_error="stop")
        return [list(tagging.entities) for tagging in values_of(engine, checked_texts(texts))]

    def tag_words(self, sentences: Iterable[Sequence[str]]) -> list[list[str | None]]:
        """Return a label for each word of sentences that are lists of words.

        A word that was cut off with the end of its sentence has None. Raises `UsageError` for an
        aggregation that goes by tokens, `TypeError` for what is no list of words.
        """
        engine = self.engine(itself, on_error="stop")
        if self.aggregation not in OF_WORDS:
            raise UsageError(
                f"--aggregation {self.aggregation} gives no label per word; "
                f"take one of {', '.join(OF_WORDS)}"
            )
        return [list(tagging.tags) for tagging in values_of(engine, _checked_words(sentences))]

    def engine(
        self, content_of: Callable[[Item], Content], *, on_error: OnError = "keep"
    ) -> Engine[Item, Tagging]:
        """Return the engine that tags items of any kind, given how to get their text or words."""

        def task(model: TokenClassifier) -> TagTask[Item]:
            return TagTask(
                model,
                self._tokenizer,
                content_of=content_of,
                scheme=self._scheme,
                aggregation=self.aggregation,
                long_texts=self._long_texts,
            )

        return self._engine(task, on_error=on_error)


def _checked_words(sentences: Iterable[object]) -> Iterator[Content]:
    for words in sentences:
        if not isinstance(words, list | tuple) or not all(isinstance(w, str) for w in words):
            raise TypeError(f"give lists of words, not {words!r:.60}")
        yield words
