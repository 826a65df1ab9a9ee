"""A count of the values in a tensor that are not finite, in bounded memory."""

from typing import NamedTuple

from distilcli.checkpoint.safetensors_header import TensorInfo

# The bits of the exponent and of the fraction. An IEEE number is infinite or NaN exactly if all
# bits of its exponent are set; this also covers types that numpy does not have. (F8_E4M3 has no
# infinity; its NaN has all lower seven bits set. F8_E8M0 is an exponent alone.)
_BITS = {
    "F8_E4M3": ("u1", 0x7F, 0x7F),
    "F8_E5M2": ("u1", 0x7C, 0x03),
    "F8_E8M0": ("u1", 0xFF, 0xFF),
    "F16": ("<u2", 0x7C00, 0x03FF),
    "BF16": ("<u2", 0x7F80, 0x007F),
    "F32": ("<u4", 0x7F80_0000, 0x007F_FFFF),
    "F64": ("<u8", 0x7FF0_0000_0000_0000, 0x000F_FFFF_FFFF_FFFF),
}
_CHUNK = 1 << 22
"""Bytes per read, a multiple of every element size."""


class NotFinite(NamedTuple):
    """How many values of a tensor are not finite."""

    nan: int
    infinite: int


def count_not_finite(info: TensorInfo) -> NotFinite:
    """Count the values that are NaN or infinite; whole numbers never are."""
    import numpy as np

    if info.dtype not in _BITS:
        return NotFinite(0, 0)
    dtype, exponent, fraction = _BITS[info.dtype]
    nan = infinite = 0
    with info.file.open("rb") as file:
        file.seek(info.begin)
        for begin in range(info.begin, info.end, _CHUNK):
            bits = np.frombuffer(file.read(min(_CHUNK, info.end - begin)), dtype)
            found = bits[bits & exponent == exponent]
            of_these = int(np.count_nonzero(found & fraction))
            nan += of_these
            infinite += len(found) - of_these
    return NotFinite(nan, infinite)
