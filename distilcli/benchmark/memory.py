"""The memory that a measurement takes: of the process, and of a CUDA device."""

import contextlib
import gc
from dataclasses import dataclass
from pathlib import Path

import torch

from distilcli.memory import give_back_memory, peak_memory_bytes, resident_bytes

_CLEAR = Path("/proc/self/clear_refs")
_FORGET_PEAK = "5"  # proc(5), clear_refs
_NEAR_BYTES = 2**24


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Peaks in bytes; what the machine does not tell is None.

    `process` is the highest resident memory: since the watch began where the system can forget an
    older peak, else since the process did. `added` is what the model and its batches took of the
    device's memory (on the CPU of the process's) beyond what was taken before it was loaded; on the
    CPU nothing tells where an older peak stays.
    """

    process: int | None = None
    cuda_allocated: int | None = None
    cuda_reserved: int | None = None
    added: int | None = None


class MemoryWatch:
    """Looks for peaks from now on; `held` are the bytes that the model took when it was loaded."""

    def __init__(self, device: torch.device, *, held: int | None) -> None:
        self._device, self._held = device, held
        settle()  # else what is taken from memory that earlier work left free is not seen
        is_cuda = device.type == "cuda"
        if is_cuda:
            torch.cuda.reset_peak_memory_stats(device)
        has_forgotten = forget_peak()
        self._before = occupied(device) if is_cuda or has_forgotten else None

    def read(self) -> Memory:
        """Return the peaks since the watch began."""
        process = peak_memory_bytes()
        if self._device.type != "cuda":
            return Memory(process=process, added=self._added(process))
        allocated = torch.cuda.max_memory_allocated(self._device)
        return Memory(
            process=process,
            cuda_allocated=allocated,
            cuda_reserved=torch.cuda.max_memory_reserved(self._device),
            added=self._added(allocated),
        )

    def _added(self, peak: int | None) -> int | None:
        if peak is None or self._before is None or self._held is None:
            return None
        return self._held + max(0, peak - self._before)


def forget_peak() -> bool:
    """Ask the system to forget the peak of the process; say whether it is now what is taken."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text(_FORGET_PEAK, encoding="ascii")
    peak, now = peak_memory_bytes(), resident_bytes()
    return peak is not None and now is not None and peak - now < _NEAR_BYTES


def occupied(device: torch.device) -> int | None:
    """Return the bytes taken now: on CUDA of the device by us, else by the process."""
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else resident_bytes()


def settle() -> None:
    """Give what is free back to the system, so that what is taken next is seen to be taken."""
    gc.collect()
    torch.cuda.empty_cache()
    give_back_memory()
