"""What to measure, as it is written on the command line: sizes and number formats."""

from itertools import product
from typing import cast, get_args

from distilcli.errors import UsageError
from distilcli.model.precision import Precision

_SIZES = ("seq", "batch")


def parse_sweep(text: str, *, seq: int, batch: int) -> list[tuple[int, int]]:
    """Return every pair of a length and a batch of a sweep such as `seq=32,128 batch=1,8`.

    What it does not name is `seq` or `batch`. Raises `UsageError` for another text.
    """
    sizes = {"seq": [seq], "batch": [batch]}
    named: set[str] = set()
    for part in text.split():
        name, _, listed = part.partition("=")
        if name not in _SIZES or name in named:
            raise _malformed(text)
        named.add(name)
        sizes[name] = [_size(number, text) for number in listed.split(",")]
    if not named:
        raise _malformed(text)
    return list(product(dict.fromkeys(sizes["seq"]), dict.fromkeys(sizes["batch"])))


def parse_precisions(text: str) -> tuple[Precision, ...]:
    """Return the precisions of a list such as `fp32,bf16`; raise `UsageError` for another text."""
    names = [part.strip() for part in text.split(",")]
    known = get_args(Precision)
    for name in names:
        if name not in known:
            raise UsageError(f"--precision {text}: {name!r} is none of {', '.join(known)}")
    return tuple(cast("Precision", name) for name in dict.fromkeys(names))


def parse_share(text: str) -> float:
    """Return a share written `5%` or `0.05`; raise `UsageError` for another text."""
    number, divisor = (text[:-1], 100) if text.endswith("%") else (text, 1)
    try:
        share = float(number) / divisor
    except ValueError:
        share = -1.0
    if not 0 <= share < float("inf"):
        raise UsageError(f"--fail-over {text!r}: write a share such as 5% or 0.05")
    return share


def _size(text: str, sweep: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) <= 9):  # noqa: PLR2004
        raise _malformed(sweep)
    return int(text)


def _malformed(text: str) -> UsageError:
    return UsageError(
        f"--sweep {text!r}: write sizes of at least 1, such as 'seq=32,128,512 batch=1,8,32'"
    )
