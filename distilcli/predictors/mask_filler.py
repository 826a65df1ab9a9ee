"""Fill in the masks of texts, and score texts by pseudo-perplexity."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar, overload

from distilcli.engine.engine import Engine, OnError
from distilcli.model.heads import MaskedLanguageModel
from distilcli.predictors.base import Predictor, checked_text, itself
from distilcli.tasks.candidates import candidate_ids, mask_id
from distilcli.tasks.fill import Filling, FillTask
from distilcli.tasks.perplexity import PerplexityTask, PseudoPerplexity
from distilcli.tasks.settings import LongTexts, check_least

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from distilcli.predictors.base import Options

Item = TypeVar("Item")


class MaskFiller(Predictor[MaskedLanguageModel, str, str, Filling]):
    """A trained masked language model, loaded once, for any number of texts.

    A mask gets the `top_k` most likely tokens: of all, of `targets`, or with `whole_word` of
    those that are whole words. `mask_token` stands for a mask in texts. Long texts are read in
    windows that overlap by 128 tokens, at most half a window, unless `long_texts` says otherwise.
    """

    _head = MaskedLanguageModel
    _long_texts = LongTexts(long="window")

    def __init__(
        self,
        model: str,
        *,
        top_k: int = 5,
        targets: Sequence[str] | None = None,
        whole_word: bool = False,
        **options: "Unpack[Options]",
    ) -> None:
        """See `Predictor`."""
        check_least("top_k", top_k, 1)
        super().__init__(model, **options)
        mask_id(self._tokenizer)
        self.mask_token = self._tokenizer.options.mask_token
        self._top_k = top_k
        self._candidates = candidate_ids(
            self._tokenizer, self.config.vocab_size, targets=targets, whole_word=whole_word
        )

    @overload
    def __call__(self, texts: str) -> Filling: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, texts: Iterable[str]) -> list[Filling]: ...

    def __call__(self, texts: str | Iterable[str]) -> Filling | list[Filling]:
        """Fill in the masks of one text or many.

        Raises `RowError` for the first text without a mask, and `TypeError` for anything that is
        not a text.
        """
        return self._results(texts)

    @overload
    def pseudo_perplexity(self, texts: str) -> PseudoPerplexity: ...  # type: ignore[overload-overlap]
    @overload
    def pseudo_perplexity(self, texts: Iterable[str]) -> list[PseudoPerplexity]: ...

    def pseudo_perplexity(
        self, texts: str | Iterable[str]
    ) -> PseudoPerplexity | list[PseudoPerplexity]:
        """Return how well the model predicts each token of one text or many.

        Raises `RowError` for the first text that is empty or has a mask, and `TypeError` for
        anything that is not a text. A text of T tokens takes T forward passes.
        """
        return self._results_of(self.perplexity_engine(itself, on_error="stop"), texts)

    def perplexity_engine(
        self, text_of: Callable[[Item], str], *, on_error: OnError = "keep"
    ) -> Engine[Item, PseudoPerplexity]:
        """Return the engine for the pseudo-perplexity of items of any kind."""
        read = self._checked(text_of)

        def task(model: MaskedLanguageModel) -> PerplexityTask[Item]:
            return PerplexityTask(model, self._tokenizer, text_of=read, long_texts=self._long_texts)

        return self._engine(task, on_error=on_error)

    def _task(
        self, model: MaskedLanguageModel, content_of: Callable[[Item], str]
    ) -> FillTask[Item]:
        return FillTask(
            model,
            self._tokenizer,
            text_of=content_of,
            long_texts=self._long_texts,
            candidates=self._candidates,
            top_k=self._top_k,
        )

    _content = staticmethod(checked_text)
