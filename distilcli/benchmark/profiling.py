"""The time of a batch by operator, from torch's profiler: a table and a trace file."""

from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from distilcli.benchmark.model_under_test import ModelUnderTest
from distilcli.engine.batching import pad
from distilcli.errors import ResourceError, UsageError
from distilcli.tasks.settings import BatchOptions

_PASSES = 5
_ROWS = 20
_TRACE_SUFFIXES = (".json", ".json.gz")


def trace_path(target: Path, name: str) -> Path:
    """Return the file of a trace: `target` itself if it is a file, else a file in it."""
    return target if _is_file(target) else target / f"{name}.trace.json"


def check_trace_target(target: Path, *, settings: int) -> None:
    """Raise `UsageError` if `target` is a file that cannot take a trace of each setting."""
    if _is_file(target):
        if settings > 1:
            raise UsageError(
                f"`profile` {target}: each of the {settings} settings has a trace; name a folder"
            )
        if not target.parent.is_dir():
            raise UsageError(f"`profile` {target}: there is no folder {str(target.parent)!r}")


def make_trace_folder(target: Path) -> None:
    """Make the folder of traces, unless `target` is a file; raise `UsageError` on failure."""
    if _is_file(target):
        return
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"`profile` {target}: cannot make this folder ({error.strerror}); name another, or a "
            "file that ends in .json"
        ) from None


def profile_model(model: ModelUnderTest, path: Path, *, seq: int, batch: int) -> str:
    """Run the first batch of a window a few times under the profiler, on one core.

    Writes the trace, for chrome://tracing or perfetto.dev, and returns a table of operators by
    their own time. Raises `ResourceError` if the trace cannot be written.
    """
    on_cuda = model.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_cuda else [])]
    rows = min(batch, max(1, BatchOptions().tokens_on(model.device.type) // seq))
    one = pad(model.pieces(seq=seq, batch=rows), pad_token_id=0, device=model.device)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # The profiler sees only this thread.
        with torch.inference_mode(), profile(activities=activities) as profiler:
            for _ in range(_PASSES):
                model.forward(one)
    finally:
        torch.set_num_threads(threads)
    profiler.export_chrome_trace(str(path))
    if not path.is_file():
        raise ResourceError(f"{path}: the trace could not be written; see the line above")
    key = "self_cuda_time_total" if on_cuda else "self_cpu_time_total"
    table: str = profiler.key_averages().table(sort_by=key, row_limit=_ROWS)
    return table


def _is_file(target: Path) -> bool:
    return target.name.endswith(_TRACE_SUFFIXES) and not target.is_dir()
