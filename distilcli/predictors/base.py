"""What all predictors share: a model loaded once, and items run through the engine.

`Predictor(model)(items)` returns a result per item, and `.stream(items)` yields them. Threads run
only while a stream is open: they end when it is exhausted, closed, garbage-collected, or when
Python exits.
"""

import atexit
import copy
import math
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence, Sized
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, ClassVar, Generic, TypedDict, TypeVar, cast, get_args

from distilcli.checkpoint.digest import model_digest
from distilcli.checkpoint.locate import locate
from distilcli.checkpoint.sentence_transformers import SENTENCE_NAMES, sentence_files
from distilcli.engine.engine import Engine, OnError
from distilcli.engine.replicated import ReplicatedTask
from distilcli.engine.workers import workers_on
from distilcli.errors import ResourceError, UsageError, tell
from distilcli.model.device import names_of, place_copies
from distilcli.model.hardware import available_cores
from distilcli.model.heads import TaskModel
from distilcli.model.inference import for_inference
from distilcli.model.int8 import has_kernel
from distilcli.model.loading import check_tokenizer, load_model
from distilcli.model.precision import require_precision
from distilcli.model.precision_name import Precision, PrecisionChoice
from distilcli.model.speed import reduced_precisions
from distilcli.predictors.agreement import Agreement, ComparableTask, VerifiedTask
from distilcli.predictors.precision import agreement_of, choose_precision, model_here
from distilcli.tasks.settings import (
    BatchOptions,
    LongTexts,
    check_choice,
    check_reproducible,
    required_agreement,
)
from distilcli.tasks.texts import refusing_empty
from distilcli.tokenizer.loading import load_tokenizer

Head = TypeVar("Head", bound=TaskModel)
Given = TypeVar("Given")
Content = TypeVar("Content")
Item = TypeVar("Item")
Value = TypeVar("Value")
Other = TypeVar("Other")


class Options(TypedDict, total=False):
    """The keywords that every predictor takes, with the meaning they have for the commands.

    `device`: auto (default), cpu, cuda, cuda:N, cuda:all (a copy of the model on every GPU) or mps.
    `precision`: fp32 (default), tf32, bf16, fp16, int8, or auto for the fastest that agrees with
    fp32. `min_agreement`: the share of a sample of rows, 0 to 1, on which int8 and auto must agree
    with fp32 (default 0.99). `offline`: never ask the network for a model. `keep_empty`: run empty
    texts like any others; by default they give a `RowError`. `deterministic`: the same bits for a
    text in any batch, in any order and on any number of threads; slower, and CPU only.
    """

    device: str
    precision: PrecisionChoice
    min_agreement: float | None
    offline: bool
    keep_empty: bool
    deterministic: bool
    batches: BatchOptions | None
    long_texts: LongTexts | None


class Predictor(ABC, Generic[Head, Given, Content, Value]):
    """A trained model, loaded once, for any number of items.

    `name` is the model as it was asked for, and `unused` the weights of the checkpoint that
    belong to other heads (BERT's pooler, which most heads ignore, is not mentioned). In int8, and
    in what auto chose, a sample of the first rows also runs in fp32, unless an earlier run has
    come to a verdict: `agreement` says how often both agree.
    """

    _head: type[Head]
    _long_texts: LongTexts = LongTexts()
    _wanted: ClassVar[str] = "texts"
    _parts: ClassVar[Sequence[str]] = ("",)

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        precision: PrecisionChoice = "fp32",
        min_agreement: float | None = None,
        offline: bool = False,
        keep_empty: bool = False,
        deterministic: bool = False,
        batches: BatchOptions | None = None,
        long_texts: LongTexts | None = None,
        **unknown: object,
    ) -> None:
        """Load `model`: a folder, a hub id, or the name of a built-in model; see `Options`.

        Raises `UsageError` for wrong options, `ModelError` for a model that cannot be used,
        `ResourceError` for a device that cannot be used, and `TypeError` for an `unknown` keyword.
        """
        started = perf_counter()
        if unknown:
            raise TypeError(f"{type(self).__name__}() has no setting {min(unknown)!r}")
        check_choice("precision", precision, get_args(PrecisionChoice))
        check_reproducible(precision, deterministic=deterministic)
        required = required_agreement(min_agreement, precision)
        self._keep_empty = keep_empty
        self._deterministic = deterministic
        self._digest: str | None = None
        self._batches = batches or BatchOptions()
        self._long_texts = long_texts or self._long_texts
        self._files = locate(model, offline=offline)
        loaded = load_model(self._files, self._head)
        self.name = self._files.name
        self.config = loaded.config
        self._wrapper = loaded.wrapper
        self.unused = tuple(key for key in loaded.unused if ".pooler." not in key)
        self._tokenizer = load_tokenizer(self._files, overrides=self._tokenizer_settings())
        check_tokenizer(self._tokenizer, self.config, source=self.name, framing_only=True)
        placed = place_copies(loaded.model, device, vocab_size=self.config.vocab_size)
        self.devices = tuple(placement.device for _, placement in placed)
        self._reason = placed[0][1].reason
        if deterministic and self.device != "cpu":
            raise ResourceError(
                f"`deterministic` works only on the CPU, not on {self.device}; add `device` cpu"
            )
        self._prepare([model for model, _ in placed], precision, required)
        self.load_seconds = perf_counter() - started

    def _prepare(self, models: Sequence[Head], asked: PrecisionChoice, required: float) -> None:
        """Choose the precision and lay the models out for it; keep the original for a check.

        Raises `ModelError` if an earlier run found that this precision does not agree, and
        `UsageError` for a choice on several devices.
        """
        model, device = models[0], self.devices[0]
        self.precision: Precision = "fp32" if asked == "auto" else asked
        self._why = ""
        self._is_auto = asked == "auto"
        self._original: Head | None = None
        self.agreement = Agreement(required)
        if self._is_auto and len(models) > 1:
            raise UsageError(
                f"`precision` auto works on one device, not on {self.device}; name a precision"
            )
        if asked in {"int8", "auto"}:
            require_precision(self.precision, device)
            about = model_here(self.digest(), device)
            agreement = partial(
                agreement_of, about=about, predictor=type(self).__name__, required=required
            )
            if self._is_auto:
                self.precision, self._why = choose_precision(model, device, about, agreement)
            self.agreement = agreement(self.precision)
            if not self.agreement.can_be_enough:
                raise self.agreement.refusal(self.name)
            if self.precision != "fp32" and not self.agreement.is_complete:
                self._original = model
        if self._original is not None and self.precision != "int8":
            models = [copy.deepcopy(model)]  # which is converted, not copied
        self._models = [
            for_inference(each, self.precision, where)
            for each, where in zip(models, self.devices, strict=True)
        ]

    def _tokenizer_settings(self) -> Mapping[str, object]:
        """Return settings that override those of the tokenizer's files."""
        return {}

    @property
    def device(self) -> str:
        """The device that the model is on; several with commas between them."""
        return names_of(self.devices)

    @property
    def workers(self) -> int:
        """The number of batches that run side by side."""
        return workers_on(*self.devices, cores=self._batches.threads or available_cores())

    @property
    def may_be_slow(self) -> bool:
        """Whether it runs in fp32 on a CPU that has something faster, which `auto` could take."""
        is_fixed = self._is_auto or self._deterministic
        on_cpu = self.device == "cpu" and self.precision == "fp32"
        return on_cpu and not is_fixed and bool(reduced_precisions(self.devices[0]))

    def digest(self) -> str:
        """Return the digest of the model's content, which is the same wherever its files are."""
        if self._digest is None:
            folder = self._files.folder
            names = (*SENTENCE_NAMES, *sentence_files(folder))
            others = [folder / name for name in names]
            found = model_digest(self._files, (path for path in others if path.is_file()))
            self._digest = found
        return self._digest

    def described(self) -> str:
        """Say in words which model runs where, and which of its weights are not used."""
        threads = f", threads: {self.workers}" if self.device == "cpu" else ""
        unused = f", without {', '.join(self.unused)}" if self.unused else ""
        if self._wrapper:
            unused += f", its weights named under '{self._wrapper}'"
        precision = f" in {self.precision}" if self.precision != "fp32" or self._is_auto else ""
        precision += f", {self._why}" if self._why else ""
        if self.precision == "int8" and not has_kernel():
            precision += " (no int8 kernels here: slower than fp32)"
        where = f"on {self.device}{precision} ({self._reason}{threads})"
        return f"model {self.name}{unused} {where}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.described()}>"

    def stream(self, items: Iterable[Given]) -> Generator[Value, None, None]:
        """Yield a result per item, in order, in bounded memory.

        Items are read ahead on another thread. A list (or anything with a length) is read in full
        windows, so that each run gives the same bits; what comes from an iterator is run as soon
        as it arrives. Raises what calling the predictor raises, after the results before it.
        """
        if self._is_one(items):
            raise TypeError(f"give many {self._wanted} to stream, not one")
        self._check_many(items)
        engine = self.engine(itself, on_error="stop")
        live = not isinstance(items, Sized)
        results = values(engine, map(self._content, map(_present, items)), live=live)
        _streams.add(results)
        return results

    def engine(
        self, content_of: Callable[[Item], Content], *, on_error: OnError = "keep"
    ) -> Engine[Item, Value]:
        """Return the engine for items of any kind, given how to get their content.

        Raises `UsageError` for settings that do not fit the model.
        """
        read = self._checked(content_of)
        return self._engine(lambda model: self._task(model, read), on_error=on_error)

    def _checked(self, content_of: Callable[[Item], Other]) -> Callable[[Item], Other]:
        """Return how to get the content of items, where empty texts are refused unless kept."""
        return content_of if self._keep_empty else refusing_empty(content_of, self._parts)

    @abstractmethod
    def _task(
        self, model: Head, content_of: Callable[[Item], Content]
    ) -> ComparableTask[Item, Value]:
        """Return the task that the engine runs."""

    @staticmethod
    @abstractmethod
    def _content(item: object) -> Content:
        """Return an item as the task takes it; raise `TypeError` for anything else."""

    @staticmethod
    def _is_one(given: object) -> bool:
        """Say whether what was given is one item rather than many."""
        return isinstance(given, str)

    def _check_many(self, given: object) -> None:
        """Raise `TypeError` unless given a collection of items; bytes and mappings do not count."""
        if not isinstance(given, Iterable) or isinstance(given, bytes | bytearray | Mapping):
            raise TypeError(f"give {self._wanted}, one or many, not {given!r:.60}")

    def _results(self, given: object) -> Value | list[Value]:
        """Return the result of one item, or the list of those of many."""
        return self._results_of(self.engine(itself, on_error="stop"), given)

    def _results_of(self, engine: Engine[Content, Other], given: object) -> Other | list[Other]:
        is_one = self._is_one(given)
        if not is_one:
            self._check_many(given)
        items = cast("Iterable[object]", [given] if is_one else given)
        results = list(values(engine, map(self._content, map(_present, items))))
        return results[0] if is_one else results

    def _engine(
        self, task_of: Callable[[Head], ComparableTask[Item, Other]], *, on_error: OnError
    ) -> Engine[Item, Other]:
        """Return the engine of the task that `task_of` makes with a model."""
        tasks = [task_of(model) for model in self._models]
        engine: Engine[Item, Other] = Engine(
            tasks[0] if len(tasks) == 1 else ReplicatedTask(self.devices, tasks),
            pad_token_id=self.config.pad_token_id,
            devices=self.devices,
            workers=self._batches.threads or available_cores(),
            max_tokens=self._batches.tokens_on(self.devices[0].type),
            max_rows=self._batches.rows,
            on_error=on_error,
            deterministic=self._deterministic,
        )
        if self._original is None:
            return engine
        original = replace(engine, task=task_of(self._original))
        verified = VerifiedTask(
            tasks[0],
            engine,
            original,
            self.agreement,
            name=self.name,
            on_complete=self._free_original,
            fall_back=self._fall_back if self._is_auto else None,
        )
        return replace(
            engine, task=verified, on_end=verified.finish, is_settled=verified.is_settled
        )

    def _free_original(self) -> None:
        """Free the fp32 model, which is four times as large and needed no more."""
        self._original = None

    def _fall_back(self) -> None:
        """Go on in fp32, because what auto chose does not agree on enough."""
        original, self._original = self._original, None
        if original is not None:
            found, required = self.agreement.described(), self.agreement.required
            tell(f"{self.name}: {found}, less than {required:.1%}; running in fp32")
            self.precision = "fp32"
            self._why = f"because {self.agreement.precision} did not agree with it"
            self._models = [for_inference(original, "fp32", self.devices[0])]


AnyPredictor = Predictor[Any, Any, Any, Any]


def values(
    engine: Engine[Item, Value], items: Iterable[Item], *, live: bool = False
) -> Generator[Value, None, None]:
    """Yield the value of every item that has one, in order."""
    with closing(engine.run(items, live=live)) as blocks:
        for block in blocks:
            yield from (outcome.value for outcome in block if outcome.value is not None)


def itself(item: Item) -> Item:
    """Return the item: the content of items that are nothing else."""
    return item


def _present(item: object) -> object:
    """Return an item with an empty text for each missing one, None or NaN."""
    if isinstance(item, tuple):
        return tuple(map(_present, item))
    if isinstance(item, Mapping):
        return {key: _present(value) for key, value in item.items()}
    missing = item is None or (isinstance(item, float) and math.isnan(item))
    return "" if missing else item


def checked_text(item: object) -> str:
    """Return a text; raise `TypeError` for anything else."""
    if not isinstance(item, str):
        raise TypeError(f"give texts, not {item!r:.60}")
    return item


_streams: "weakref.WeakSet[Generator[object, None, None]]" = weakref.WeakSet()


@atexit.register
def _close_streams() -> None:
    """End the threads of streams that are still open when Python exits."""
    for stream in list(_streams):
        with suppress(ValueError):  # it is running, on a daemon thread
            stream.close()
