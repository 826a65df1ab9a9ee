"""The peak memory of a measurement, of the process and of a CUDA device."""

import contextlib
import gc
from dataclasses import dataclass
from pathlib import Path

import torch

from distilcli.memory import give_back_memory, peak_memory_bytes, resident_bytes

_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5), clear_refs
_NEAR_BYTES = 2**24


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Peaks in bytes; None if unknown.

    `process` is the peak resident memory since the watch began, or since the process began if the
    system cannot reset the peak. `added` is the part of the device's memory (of the process's on
    the CPU) that the model and its batches took; unknown on a CPU that cannot reset the peak.
    """

    process: int | None = None
    cuda_allocated: int | None = None
    cuda_reserved: int | None = None
    added: int | None = None


class MemoryWatch:
    """Watches for peaks from now on; `held` are the bytes that loading the model took."""

    def __init__(self, device: torch.device, *, held: int | None) -> None:
        self._device, self._held = device, held
        settle()  # else memory that earlier work left free would be used unseen
        self._before = resident_bytes() if reset_peak() else None
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._before = torch.cuda.memory_allocated(device)

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


def reset_peak() -> bool:
    """Ask the system to reset the process's peak; tell whether it is near current use now."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
    peak, now = peak_memory_bytes(), resident_bytes()
    return peak is not None and now is not None and peak - now < _NEAR_BYTES


def settle() -> None:
    """Return free memory to the system, so that later use shows up."""
    gc.collect()
    torch.cuda.empty_cache()
    give_back_memory()
