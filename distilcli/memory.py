"""The memory of this process: how much it takes, how much it took at most, and who keeps it."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

# The names of malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
_NEVER = -1
# What torch's allocators and oneDNN say, which raise a RuntimeError.
_NO_MEMORY = (
    *("can't allocate memory", "not enough memory", "out of memory"),
    *("could not create a primitive", "could not create a memory object"),
)
_PAD_BYTES = 256 * 2**20


def resident_bytes() -> int | None:
    """Return the memory that the process takes now; None where the system does not tell."""
    return _told("VmRSS")


def peak_memory_bytes() -> int | None:
    """Return the highest resident memory this process has had; None where it cannot be told.

    Linux is asked through /proc first: `ru_maxrss` there may be that of the parent process,
    carried over by exec.
    """
    peak = _told("VmHWM")
    if peak is not None:
        return peak
    try:
        import resource  # noqa: PLC0415 (not on Windows)
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def is_allocation_failure(message: str) -> bool:
    """Tell by the message of a `RuntimeError` whether there was no memory to give."""
    return any(phrase in message.lower() for phrase in _NO_MEMORY)


def keep_freed_memory() -> None:
    """Have glibc keep what this process frees; other allocators stay as they are.

    A training step makes and frees the same large tensors over and over. glibc maps each of more
    than 32 MiB from the system and unmaps it when it is freed, so that every page of it is zeroed
    and faulted in once a step: a quarter of the time of training with batches of 4,096 tokens.

    These are settings of the whole process: a command may make them, a library should not. Those
    that the user made (`MALLOC_…`, `GLIBC_TUNABLES`) stay.
    """
    if any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ:
        return
    # Elsewhere there is no such function, or no library of C to look it up in.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_M_MMAP_MAX, 0)
        set_option(_M_TRIM_THRESHOLD, _NEVER)
        # One heap for all threads: those of threads may not be larger than 64 MiB.
        set_option(_M_ARENA_MAX, 1)
        set_option(_M_TOP_PAD, _PAD_BYTES)


def give_back_memory() -> None:
    """Give what is free back to the system; of the allocators only glibc is told to."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _told(name: str) -> int | None:
    """Return what Linux tells of the process under a name of proc(5), in bytes."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    kibibytes = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return next((int(number) * 1024 for number in kibibytes), None)
