"""A mask filler ready to use: files to a model on a device, and texts with masks to words."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from distilcli.engine.engine import Engine, OnError
from distilcli.model.heads import MaskedLanguageModel
from distilcli.model.precision import Precision
from distilcli.predictors.base import Predictor, checked_texts, itself, values_of
from distilcli.tasks.candidates import candidate_ids, mask_id
from distilcli.tasks.fill import Filling, FillTask
from distilcli.tasks.perplexity import PerplexityTask, PseudoPerplexity
from distilcli.tasks.settings import MIN_AGREEMENT, BatchOptions, LongTexts

Item = TypeVar("Item")


class MaskFiller(Predictor[MaskedLanguageModel]):
    """A trained masked language model, loaded once, for any number of texts.

    A mask gets the `top_k` likeliest tokens: of all, of `targets`, or of `whole_word` only those
    that are words by themselves. `mask_token` is what stands for a mask in texts. `long_texts`
    left out reads long texts in windows that share 128 tokens, at most half of one.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        precision: Precision = "fp32",
        min_agreement: float = MIN_AGREEMENT,
        top_k: int = 5,
        targets: Sequence[str] | None = None,
        whole_word: bool = False,
        offline: bool = False,
        batches: BatchOptions | None = None,
        long_texts: LongTexts | None = None,
    ) -> None:
        """Raise `ModelError`, `ResourceError` or `UsageError` where it cannot be had."""
        super().__init__(
            MaskedLanguageModel,
            model,
            device=device,
            precision=precision,
            min_agreement=min_agreement,
            offline=offline,
            batches=batches,
            long_texts=long_texts or LongTexts(long="window"),
        )
        mask_id(self._tokenizer)
        self.mask_token = self._tokenizer.options.mask_token
        self._top_k = top_k
        self._candidates = candidate_ids(
            self._tokenizer, self.config.vocab_size, targets=targets, whole_word=whole_word
        )

    def __call__(self, texts: Iterable[str]) -> list[Filling]:
        """Fill in the masks of texts; raises `RowError` for a text without one.

        Anything else than a list of texts is a `TypeError`.
        """
        return values_of(self.engine(itself, on_error="stop"), checked_texts(texts))

    def pseudo_perplexity(self, texts: Iterable[str]) -> list[PseudoPerplexity]:
        """Say how hard to foresee texts are; raises `RowError` for one that is empty or masked.

        Anything else than a list of texts is a `TypeError`. A text of T tokens costs T times
        what it costs to read it.
        """
        return values_of(self.perplexity_engine(itself, on_error="stop"), checked_texts(texts))

    def engine(
        self, text_of: Callable[[Item], str], *, on_error: OnError = "keep"
    ) -> Engine[Item, Filling]:
        """Return the engine that fills in items of any kind, given how to get their text."""

        def task(model: MaskedLanguageModel) -> FillTask[Item]:
            return FillTask(
                model,
                self._tokenizer,
                text_of=text_of,
                long_texts=self._long_texts,
                candidates=self._candidates,
                top_k=self._top_k,
            )

        return self._engine(task, on_error=on_error)

    def perplexity_engine(
        self, text_of: Callable[[Item], str], *, on_error: OnError = "keep"
    ) -> Engine[Item, PseudoPerplexity]:
        """Return the engine that gives the pseudo-perplexity of items of any kind."""

        def task(model: MaskedLanguageModel) -> PerplexityTask[Item]:
            return PerplexityTask(
                model, self._tokenizer, text_of=text_of, long_texts=self._long_texts
            )

        return self._engine(task, on_error=on_error)
