"""A scan of a checkpoint's weights for values that are not finite, in bounded memory."""

from distilcli.checkpoint.safetensors_header import CheckpointHeader, TensorInfo
from distilcli.errors import ModelError
from distilcli.wording import count

# An IEEE number is infinite or NaN exactly if all bits of its exponent are set; this also covers
# types that numpy does not have. (F8_E4M3 has no infinity; its NaN has all lower seven bits set.)
_EXPONENT = {
    "F8_E4M3": ("u1", 0x7F),
    "F8_E5M2": ("u1", 0x7C),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F32": ("<u4", 0x7F80_0000),
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
}
_CHUNK = 1 << 22
"""Bytes per read, a multiple of every element size."""


def require_finite(header: CheckpointHeader) -> None:
    """Raise `ModelError` if a weight of the checkpoint is infinite or NaN."""
    found = {info.name: bad for info in header.tensors.values() if (bad := _count(info))}
    if found:
        first, *others = found
        more = f" and in {count(len(others), 'more tensor')}" if others else ""
        raise ModelError(
            f"{header.tensors[first].file}: weights that are not finite: {found[first]:,} in "
            f"'{first}'{more}; the file is damaged or its training diverged; use another"
        )


def _count(info: TensorInfo) -> int:
    """Return the number of elements that are infinite or NaN."""
    import numpy as np

    if info.dtype not in _EXPONENT:
        return 0
    dtype, exponent = _EXPONENT[info.dtype]
    found = 0
    with info.file.open("rb") as file:
        file.seek(info.begin)
        for begin in range(info.begin, info.end, _CHUNK):
            bits = np.frombuffer(file.read(min(_CHUNK, info.end - begin)), dtype)
            found += int(np.count_nonzero(bits & exponent == exponent))
    return found
