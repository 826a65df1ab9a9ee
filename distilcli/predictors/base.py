"""What every task does with a model: files to a head on a device, and items through the engine."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from time import perf_counter
from typing import Generic, TypeVar

from distilcli.checkpoint.locate import locate
from distilcli.engine.engine import Engine, OnError
from distilcli.engine.workers import workers_on
from distilcli.model.device import place
from distilcli.model.hardware import available_cores
from distilcli.model.heads import TaskModel
from distilcli.model.inference import for_inference
from distilcli.model.int8 import has_kernel
from distilcli.model.loading import check_tokenizer, load_model
from distilcli.model.precision import Precision
from distilcli.predictors.int8_check import Agreement, ComparableTask, VerifiedTask
from distilcli.tasks.settings import BatchOptions, LongTexts
from distilcli.tokenizer.loading import load_tokenizer

Head = TypeVar("Head", bound=TaskModel)
Item = TypeVar("Item")
Value = TypeVar("Value")


class Predictor(Generic[Head]):
    """A trained model, loaded once, for any number of rows.

    `name` is what the user called it; `unused` names the weights of the checkpoint that belong
    to other heads. (BERT's pooler, which most heads do without, is not worth a word.)
    With `precision="int8"` the first rows are run in fp32 as well: `agreement` says how far both
    gave the same, and less than `min_agreement` of it is a `ModelError`.
    """

    def __init__(
        self,
        head: type[Head],
        model: str,
        *,
        device: str,
        precision: Precision,
        min_agreement: float,
        offline: bool,
        batches: BatchOptions | None,
        long_texts: LongTexts,
    ) -> None:
        """Raise `ModelError`, `ResourceError` or `UsageError` where it cannot be had."""
        started = perf_counter()
        self._files = locate(model, offline=offline)
        loaded = load_model(self._files, head)
        self.name = self._files.name
        self.config = loaded.config
        self.unused = tuple(key for key in loaded.unused if ".pooler." not in key)
        self._tokenizer = load_tokenizer(self._files)
        check_tokenizer(self._tokenizer, self.config, source=self.name)
        self._placement = place(loaded.model, device, vocab_size=self.config.vocab_size)
        self.precision = precision
        self._original = loaded.model if precision == "int8" else None
        self._model = for_inference(loaded.model, precision, self._placement.device)
        self.agreement = Agreement(least=min_agreement)
        self._batches = batches or BatchOptions()
        self._long_texts = long_texts
        self.load_seconds = perf_counter() - started

    @property
    def device(self) -> str:
        """The device that the model is on."""
        return str(self._placement.device)

    @property
    def workers(self) -> int:
        """How many batches run side by side."""
        return workers_on(self._placement.device, cores=self._batches.threads or available_cores())

    def described(self) -> str:
        """Say in words which model runs where, and what of its checkpoint is not used."""
        threads = f", threads: {self.workers}" if self.device == "cpu" else ""
        unused = f", without {', '.join(self.unused)}" if self.unused else ""
        precision = "" if self.precision == "fp32" else f" in {self.precision}"
        if self.precision == "int8" and not has_kernel():
            precision += " (no int8 kernels here: slower than fp32)"
        where = f"on {self.device}{precision} ({self._placement.reason}{threads})"
        return f"model {self.name}{unused} {where}"

    def _engine(
        self, task_of: Callable[[Head], ComparableTask[Item, Value]], *, on_error: OnError
    ) -> Engine[Item, Value]:
        """Return the engine of the task that `task_of` makes with a model."""
        device = self._placement.device
        task = task_of(self._model)
        engine: Engine[Item, Value] = Engine(
            task,
            pad_token_id=self.config.pad_token_id,
            device=device,
            workers=self.workers,
            max_tokens=self._batches.tokens_on(device.type),
            max_rows=self._batches.rows,
            on_error=on_error,
        )
        if self._original is None:
            return engine
        verified = VerifiedTask(
            task,
            task_of(self._original),
            self.agreement,
            name=self.name,
            pad_token_id=self.config.pad_token_id,
            on_complete=self._let_go_of_original,
        )
        return replace(engine, task=verified, on_end=verified.finish)

    def _let_go_of_original(self) -> None:
        """Free the fp32 model: it has done its part, and is four times as large."""
        self._original = None


def values_of(engine: Engine[Item, Value], items: Iterable[Item]) -> list[Value]:
    """Return the value of every item, in order; the engine stops at a row that has none."""
    with closing(engine.run(items)) as blocks:
        return [outcome.value for block in blocks for outcome in block if outcome.value is not None]


def itself(item: Item) -> Item:
    """Return the item: the content of one that is nothing else."""
    return item


def checked_texts(texts: Iterable[object]) -> Iterable[str]:
    """Yield texts as they come; anything else than a list of texts is a `TypeError`."""
    if isinstance(texts, str):
        raise TypeError("give a list of texts, not one text")
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"give texts, not {text!r:.60}")
        yield text
