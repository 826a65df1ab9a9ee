"""Sizes, precisions and shares as they are written on the command line."""

from itertools import product
from typing import cast, get_args

from distilcli.errors import UsageError
from distilcli.model.precision_name import Precision

_DEFAULTS = {"seq": 128, "batch": 1}


def parse_sweep(
    text: str | None, *, seq: int | None = None, batch: int | None = None
) -> list[tuple[int, int]]:
    """Return all pairs of length and batch of a sweep, such as "seq=32,128 batch=1,8".

    `seq` and `batch`, by default 128 and 1, are for what the sweep does not name. Raises
    `UsageError` for malformed sweeps and for sizes that are given twice.
    """
    given = {"seq": seq, "batch": batch}
    sizes = {name: [size or _DEFAULTS[name]] for name, size in given.items()}
    named: set[str] = set()
    for part in () if text is None else text.split():
        name, _, listed = part.partition("=")
        if name not in sizes or name in named:
            raise _malformed(str(text))
        if given[name] is not None:
            raise UsageError(f"`sweep` and `{name}` both say {name}; leave one of them out")
        named.add(name)
        sizes[name] = [_size(number, str(text)) for number in listed.split(",")]
    if text is not None and not named:
        raise _malformed(text)
    return list(product(dict.fromkeys(sizes["seq"]), dict.fromkeys(sizes["batch"])))


def parse_precisions(text: str) -> tuple[Precision, ...]:
    """Return the precisions of a list such as "fp32,bf16"; raise `UsageError` for others."""
    names = [part.strip() for part in text.split(",")]
    known = get_args(Precision)
    for name in names:
        if name not in known:
            raise UsageError(f"`precision` {text}: {name!r} is none of {', '.join(known)}")
    return tuple(cast("Precision", name) for name in dict.fromkeys(names))


def parse_share(text: str) -> float:
    """Return a share written "5%" or "0.05"; raise `UsageError` for other texts."""
    number, divisor = (text[:-1], 100) if text.endswith("%") else (text, 1)
    try:
        share = float(number) / divisor
    except ValueError:
        share = -1.0
    if not 0 <= share < float("inf"):
        raise UsageError(f"`fail_over` {text!r}: write a share such as 5% or 0.05")
    return share


def _size(text: str, sweep: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) <= 9):  # noqa: PLR2004
        raise _malformed(sweep)
    return int(text)


def _malformed(text: str) -> UsageError:
    return UsageError(
        f"`sweep` {text!r}: write sizes of at least 1, such as 'seq=32,128,512 batch=1,8,32'"
    )
