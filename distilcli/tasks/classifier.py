"""A classifier ready to use: files to a model on a device, and texts to labels."""

from collections.abc import Callable, Iterable
from contextlib import closing
from time import perf_counter
from typing import TypeVar

from distilcli.checkpoint.locate import locate
from distilcli.engine.engine import Engine, OnError
from distilcli.model.device import Placement, place
from distilcli.model.heads import SequenceClassifier
from distilcli.model.loading import check_tokenizer, load_model
from distilcli.tasks.classify import (
    Classification,
    ClassifyTask,
    Kind,
    Texts,
    kind_of,
)
from distilcli.tasks.settings import BatchOptions, LongTexts, available_cores
from distilcli.tokenizer.loading import load_tokenizer

Item = TypeVar("Item")


class Classifier:
    """A trained classifier, loaded once, for any number of texts.

    `labels` are in the order of every result's `scores`; `unused` names the weights of the
    checkpoint that belong to other heads.
    """

    def __init__(
        self,
        model: str = "sentiment",
        *,
        device: str = "auto",
        multi_label: bool = False,
        offline: bool = False,
        batches: BatchOptions | None = None,
        long_texts: LongTexts | None = None,
    ) -> None:
        """Raise `ModelError`, `ResourceError` or `UsageError` where it cannot be had."""
        started = perf_counter()
        files = locate(model, offline=offline)
        loaded = load_model(files, SequenceClassifier)
        self.name = files.name
        self.labels = loaded.config.labels
        self.unused = loaded.unused
        self.kind: Kind = kind_of(loaded.config, multi_label=multi_label)
        self._model = loaded.model
        self._tokenizer = load_tokenizer(files)
        check_tokenizer(self._tokenizer, loaded.config, source=self.name)
        self._placement: Placement = place(self._model, device, vocab_size=loaded.config.vocab_size)
        self._batches = batches or BatchOptions()
        self._long_texts = long_texts or LongTexts()
        self.load_seconds = perf_counter() - started

    @property
    def device(self) -> str:
        """The device that the model is on."""
        return str(self._placement.device)

    @property
    def workers(self) -> int:
        """How many batches run side by side."""
        on_cpu = self._placement.device.type == "cpu"
        return (self._batches.threads or available_cores()) if on_cpu else 1

    def described(self) -> str:
        """Say in words which model runs where, and what of its checkpoint is not used."""
        threads = f", threads: {self.workers}" if self.device == "cpu" else ""
        unused = f", without {', '.join(self.unused)}" if self.unused else ""
        return f"model {self.name}{unused} on {self.device} ({self._placement.reason}{threads})"

    def __call__(self, texts: Iterable[str | tuple[str, str]]) -> list[Classification]:
        """Classify texts, or pairs of texts; raises `RowError` for one that cannot be.

        Anything else than a text or a pair of texts is a `TypeError`.
        """
        if isinstance(texts, str):
            raise TypeError("give a list of texts, not one text")
        engine = self.engine(_itself, on_error="stop")
        with closing(engine.run(map(_as_texts, texts))) as blocks:
            return [
                outcome.value for block in blocks for outcome in block if outcome.value is not None
            ]

    def engine(
        self, texts_of: Callable[[Item], Texts], *, on_error: OnError = "keep"
    ) -> Engine[Item, Classification]:
        """Return the engine that classifies items of any kind, given how to get their texts."""
        long_texts, batches, device = self._long_texts, self._batches, self._placement.device
        task = ClassifyTask(
            self._model,
            self._tokenizer,
            texts_of=texts_of,
            kind=self.kind,
            long=long_texts.long,
            max_length=long_texts.max_length,
            stride=long_texts.stride,
            window_pooling=long_texts.window_pooling,
        )
        return Engine(
            task,
            pad_token_id=self._model.config.pad_token_id,
            device=device,
            workers=self.workers,
            max_tokens=batches.tokens_on(device.type),
            max_rows=batches.rows,
            on_error=on_error,
        )


def _as_texts(item: object) -> Texts:
    match item:
        case str():
            return item, None
        case tuple((str(first), str(second))):
            return first, second
    raise TypeError(f"give texts or pairs (tuples) of texts, not {item!r:.60}")


def _itself(texts: Texts) -> Texts:
    return texts
