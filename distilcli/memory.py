"""The memory of this process: current use, peak use, what its allocator keeps, and its limit."""

import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from distilcli.errors import ResourceError

# The names of malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
_NEVER = -1
# Found in errors of torch's allocators, oneDNN, C++, safetensors and the dynamic loader.
_NO_MEMORY = (
    *("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory"),
    *("could not create a primitive", "could not create a memory object", "bad_alloc"),
    *("failed to map segment", "cannot create shared object descriptor"),
)
# Libraries end the process if memory runs out while they are loaded, so another process tries it.
# It also does what a small run needs on top: starts the threads of torch, and takes some memory.
_PROBE = """
import numpy, torch
kept = torch.zeros(256, 2**18)
torch.ones(512, 512) @ torch.ones(512, 512)
"""
_RARELY = 50_000, 20, 20
"""New objects before the youngest are looked at, and how often before the older ones are."""

_MOST_GROWTH = 1.5

_AMPLE_BYTES = 16 * 2**30
_PAD_BYTES = 256 * 2**20


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Look for cycles of garbage less often, and only among objects made from now on.

    Rows and their tokens form no cycles, but there are thousands in flight, and a collection walks
    through all of them, now and then through those of torch too. That took a quarter of the
    processor time around a small model.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_RARELY)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def resident_bytes() -> int | None:
    """Return the resident memory of the process; None if the system does not report it."""
    return _proc_status("VmRSS")


def peak_memory_bytes() -> int | None:
    """Return the peak resident memory of this process; None if the system does not report it.

    On Linux /proc comes first: `ru_maxrss` there may be that of the parent process, carried over
    by exec.
    """
    peak = _proc_status("VmHWM")
    if peak is not None:
        return peak
    try:
        import resource  # noqa: PLC0415 (not on Windows)
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def is_allocation_failure(error: BaseException) -> bool:
    """Return whether an error of Python or of a library says that memory ran out."""
    if isinstance(error, (RuntimeError, ImportError)):
        message = str(error).lower()
        return any(phrase in message for phrase in _NO_MEMORY)
    return isinstance(error, MemoryError)


def check_memory_before_torch() -> None:
    """Make `import torch` raise `ResourceError` if memory is too small for torch and a small run.

    Does nothing where the address space (`ulimit -v`) is unlimited or ample.
    """
    limit = _address_space()
    if limit is not None and limit < _AMPLE_BYTES:
        sys.meta_path.insert(0, _BeforeTorch(limit))


class _BeforeTorch:
    """An importer that finds nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def find_spec(self, name: str, *_: object) -> None:
        if name != "torch":
            return
        sys.meta_path.remove(self)
        import subprocess  # noqa: PLC0415 (slow to import)

        try:
            probe = subprocess.run(  # noqa: S603
                [sys.executable, "-c", _PROBE], check=False, capture_output=True
            )
            fits = probe.returncode == 0
        except (OSError, MemoryError):
            fits = False
        if not fits:
            raise ResourceError(
                f"torch does not fit into the {self._limit // 2**20:,} MiB of memory that a "
                "process may use here; raise the limit (ulimit -v)"
            )


def _address_space() -> int | None:
    """Return the bytes that a process may use; None if they are not limited."""
    try:
        import resource  # noqa: PLC0415 (not on Windows)
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def keep_freed_memory() -> None:
    """Make glibc keep the memory that this process frees; other allocators are unaffected.

    Each training step allocates and frees the same large tensors. glibc maps each one above 32 MiB
    from the system and unmaps it when freed, so that all its pages are zeroed and faulted in at
    every step: a quarter of the time of training with batches of 4,096 tokens.

    This changes the whole process, so a command may call it and a library should not. The user's
    own settings (`MALLOC_…`, `GLIBC_TUNABLES`) take precedence.
    """
    if any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ:
        return
    # Other systems lack the function, or a C library to look it up in.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        import ctypes  # noqa: PLC0415 (slow to import)

        set_option = ctypes.CDLL(None).mallopt
        set_option(_M_MMAP_MAX, 0)
        set_option(_M_TRIM_THRESHOLD, _NEVER)
        # One heap for all threads: a thread's own heap is limited to 64 MiB.
        set_option(_M_ARENA_MAX, 1)
        set_option(_M_TOP_PAD, _PAD_BYTES)


def give_back_memory() -> None:
    """Return free memory to the system, if the allocator is glibc."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        import ctypes  # noqa: PLC0415 (slow to import)

        ctypes.CDLL(None).malloc_trim(0)


class FreeMemory:
    """The memory that is kept although it is free, given back once that is too much.

    `after_step` compares what the process holds with what it needs: as much as it held after the
    first step since its free memory was last given back.
    """

    def __init__(self) -> None:
        self._needed = 0
        self._is_given_back = False

    def give_back(self) -> None:
        """Return free memory to the system now."""
        give_back_memory()
        self._is_given_back = True

    def after_step(self) -> None:
        """Return free memory to the system if the process has grown by half."""
        held = resident_bytes() or 0
        if self._is_given_back:
            # Steps differ: one that needs little must not make the others give back each time.
            self._needed = max(self._needed, held)
            self._is_given_back = False
        elif held > _MOST_GROWTH * self._needed:
            self.give_back()


def _proc_status(name: str) -> int | None:
    """Return a field of /proc/self/status in bytes; None if it is missing."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    kibibytes = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return next((int(number) * 1024 for number in kibibytes), None)
