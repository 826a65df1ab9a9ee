"""A scan of a checkpoint's weights for values that are not finite, one stretch at a time."""

from distilcli.checkpoint.safetensors_header import CheckpointHeader, TensorInfo
from distilcli.errors import ModelError

# An IEEE number is infinite or not a number exactly if all bits of its exponent are set, so one
# rule serves every type, also those numpy does not know. (F8_E4M3 has no infinity, and its one
# NaN has the whole of its lower seven bits set.)
_EXPONENT = {
    "F8_E4M3": ("u1", 0x7F),
    "F8_E5M2": ("u1", 0x7C),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F32": ("<u4", 0x7F80_0000),
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
}
_STRETCH = 1 << 22
"""Bytes looked at in one go: a multiple of every element's size."""


def require_finite(header: CheckpointHeader) -> None:
    """Raise ModelError if a weight of the checkpoint is infinite or not a number."""
    found = {info.name: count for info in header.tensors.values() if (count := _count(info))}
    if found:
        first, *others = found
        more = f" and in {len(others)} more tensor(s)" if others else ""
        raise ModelError(
            f"{header.tensors[first].file}: weights that are not finite: {found[first]:,} in "
            f"'{first}'{more}; the file is damaged or its training diverged: take another one"
        )


def _count(info: TensorInfo) -> int:
    """Return the number of elements that are infinite or not a number."""
    import numpy as np

    if info.dtype not in _EXPONENT:
        return 0
    dtype, exponent = _EXPONENT[info.dtype]
    count = 0
    with info.file.open("rb") as file:
        file.seek(info.begin)
        for begin in range(info.begin, info.end, _STRETCH):
            bits = np.frombuffer(file.read(min(_STRETCH, info.end - begin)), dtype)
            count += int(np.count_nonzero(bits & exponent == exponent))
    return count
