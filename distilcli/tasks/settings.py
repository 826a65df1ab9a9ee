"""Settings that every task shares: batches and long texts."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from distilcli.errors import UsageError
from distilcli.tokenizer.windows import DEFAULT_STRIDE, Long

WindowPooling = Literal["mean", "max", "first"]

SPECIALS_OF_A_PAIR = 3
"""The most special tokens of a sequence: `[CLS] a [SEP] b [SEP]`."""

MIN_AGREEMENT = 0.99
"""The share of a sample of rows on which a faster precision must agree with fp32."""

# About half a megabyte of activations per layer in fp32, which stays in the cache of a core. An
# accelerator needs enough work for its thousands of lanes instead.
_CPU_TOKENS, _ACCELERATOR_TOKENS = 512, 16_384


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchOptions:
    """How rows are batched; None is chosen by the device.

    `rows` is the maximum of rows in a batch, `tokens` that of positions, padding included;
    `threads` is the number of workers on the CPU, each on its own core.
    """

    rows: int | None = None
    tokens: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        """Raise `UsageError` for numbers below 1."""
        check_least("batch", self.rows, 1)
        check_least("max_tokens", self.tokens, 1)
        check_least("threads", self.threads, 1)

    def tokens_on(self, device_type: str) -> int:
        """Return the token budget of a batch on a device."""
        return self.tokens or (_CPU_TOKENS if device_type == "cpu" else _ACCELERATOR_TOKENS)


@dataclass(frozen=True, kw_only=True, slots=True)
class LongTexts:
    """How texts longer than the model reads are handled: truncated, windowed, or an error.

    `max_length` counts the tokens of a sequence, specials included; `stride` is the overlap of
    windows in tokens.
    """

    long: Long = "truncate"
    max_length: int | None = None
    stride: int = DEFAULT_STRIDE
    window_pooling: WindowPooling = "mean"

    def __post_init__(self) -> None:
        """Raise `UsageError` for unknown choices and negative numbers."""
        check_choice("long", self.long, get_args(Long))
        check_choice("window_pooling", self.window_pooling, get_args(WindowPooling))
        check_least("stride", self.stride, 0)


def check_choice(setting: str, value: str, choices: Collection[str]) -> None:
    """Raise `UsageError` if a setting is not one of its choices."""
    if value not in choices:
        raise UsageError(f"`{setting}` {value!r} is unknown; take one of {', '.join(choices)}")


def check_least(setting: str, value: float | None, least: float) -> None:
    """Raise `UsageError` if a setting is below its least value."""
    if value is not None and value < least:
        raise UsageError(f"`{setting}` {value} must be at least {least}")


def required_agreement(min_agreement: float | None, precision: str) -> float:
    """Return the share of rows on which int8 must agree with fp32; `MIN_AGREEMENT` for None.

    Raises `UsageError` for one out of range, or with a precision that is never checked.
    """
    if min_agreement is None:
        return MIN_AGREEMENT
    if precision not in {"int8", "auto"}:
        raise UsageError("`min_agreement` is for int8; add `precision` int8 or auto")
    if not 0 <= min_agreement <= 1:
        raise UsageError(f"`min_agreement` {min_agreement} is not between 0 and 1")
    return min_agreement


def check_reproducible(precision: str, *, deterministic: bool) -> None:
    """Raise `UsageError` for a precision that may be another one tomorrow."""
    if deterministic and precision == "auto":
        raise UsageError(
            "`deterministic` needs the same precision in every run, which `precision` auto does "
            "not promise; name a precision"
        )


def usable_length(
    asked: int | None, usual: int | None, positions: int, *, default: int | None = None
) -> int:
    """Return how many tokens a sequence may have: as many as `asked` for, or the `usual` number.

    The `usual` length is that of the model's tokenizer. The user may ask for more, up to the
    `positions` of the model; the `default` of a task may not. Raises `UsageError` if the model has
    fewer positions, or if no text would fit.
    """
    if asked is not None and asked != default:
        if asked > positions:
            raise UsageError(
                f"`max_length` {asked:,} is more than the {positions:,} tokens that the model can "
                "read at once; lower it, or leave it out"
            )
        length = asked
    else:
        length = min(limit for limit in (asked, usual, positions) if limit is not None)
    if length <= SPECIALS_OF_A_PAIR:
        raise UsageError(f"`max_length` {length} leaves no room for text; raise it")
    return length
