"""Settings that every task shares: how rows are batched, and what is done with long texts."""

from dataclasses import dataclass
from typing import Literal

from distilcli.errors import UsageError
from distilcli.tokenizer.windows import DEFAULT_STRIDE, Long

WindowPooling = Literal["mean", "max", "first"]

SPECIALS_OF_A_PAIR = 3
"""The most special tokens of a sequence: `[CLS] a [SEP] b [SEP]`."""

MIN_AGREEMENT = 0.99
"""The share of a sample of rows on which an int8 model has to say what it says in fp32."""

# About half a megabyte of activations a layer in fp32: what stays in a core's cache. An
# accelerator wants its thousands of lanes filled instead.
_CPU_TOKENS, _ACCELERATOR_TOKENS = 512, 16_384


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchOptions:
    """How rows are put into batches; what is None is chosen by the device.

    `rows` bounds the rows of a batch, `tokens` its positions, padding included; `threads` counts
    the workers on the CPU, each on a core of its own.
    """

    rows: int | None = None
    tokens: int | None = None
    threads: int | None = None

    def tokens_on(self, device_type: str) -> int:
        """Return the token budget of a batch on a device."""
        return self.tokens or (_CPU_TOKENS if device_type == "cpu" else _ACCELERATOR_TOKENS)


@dataclass(frozen=True, kw_only=True, slots=True)
class LongTexts:
    """What is done with texts longer than the model reads: cut off, windowed, or an error.

    `max_length` counts the tokens of a sequence, specials included; `stride` those by which
    windows overlap.
    """

    long: Long = "truncate"
    max_length: int | None = None
    stride: int = DEFAULT_STRIDE
    window_pooling: WindowPooling = "mean"


def usable_length(*limits: int | None) -> int:
    """Return the smallest of the limits that are known; raise `UsageError` if no text would fit."""
    length = min(limit for limit in limits if limit is not None)
    if length <= SPECIALS_OF_A_PAIR:
        raise UsageError(f"--max-length {length} leaves no room for text; raise it")
    return length
