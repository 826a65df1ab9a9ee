"""Where the time of a batch goes: torch's profiler, as a table and as a trace file."""

from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from distilcli.benchmark.model_under_test import Subject
from distilcli.engine.batching import pad
from distilcli.errors import ResourceError, UsageError
from distilcli.tasks.settings import BatchOptions

_PASSES = 5
_ROWS = 20
_TRACE_SUFFIXES = (".json", ".json.gz")


def trace_path(place: Path, name: str) -> Path:
    """Return where a trace goes: to `place` if it is named as a trace, else to a file in it."""
    return place if _is_trace(place) else place / f"{name}.trace.json"


def check_trace_place(place: Path, *, settings: int) -> None:
    """Raise `UsageError` where traces of so many settings cannot be meant to go to `place`."""
    if _is_trace(place):
        if settings > 1:
            raise UsageError(
                f"--profile {place}: {settings} settings have a trace each; name a folder"
            )
        if not place.parent.is_dir():
            raise UsageError(f"--profile {place}: there is no folder {str(place.parent)!r}")


def make_trace_place(place: Path) -> None:
    """Make the folder that traces go to, if it is one; raise `UsageError` where it cannot be."""
    if _is_trace(place):
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"--profile {place}: cannot be made a folder ({error.strerror}); name another, or a "
            "file that ends in .json"
        ) from None


def profile_subject(subject: Subject, path: Path, *, seq: int, batch: int) -> str:
    """Run the first batch of a window a few times under the profiler, on one core.

    Writes the trace, for chrome://tracing or perfetto.dev, and returns the table: operators by the
    time that they took themselves. Raises `ResourceError` where the trace cannot be written.
    """
    on_cuda = subject.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_cuda else [])]
    rows = min(batch, max(1, BatchOptions().tokens_on(subject.device.type) // seq))
    one = pad(subject.pieces(seq=seq, batch=rows), pad_token_id=0, device=subject.device)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # On this thread: the profiler sees no other.
        with torch.inference_mode(), profile(activities=activities) as profiler:
            for _ in range(_PASSES):
                subject.forward(one)
    finally:
        torch.set_num_threads(threads)
    profiler.export_chrome_trace(str(path))
    if not path.is_file():
        raise ResourceError(f"{path}: the trace could not be written; see the line above")
    key = "self_cuda_time_total" if on_cuda else "self_cpu_time_total"
    table: str = profiler.key_averages().table(sort_by=key, row_limit=_ROWS)
    return table


def _is_trace(place: Path) -> bool:
    return place.name.endswith(_TRACE_SUFFIXES) and not place.is_dir()
