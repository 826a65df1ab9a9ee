"""Where the time of a batch goes: torch's profiler, as a table and as a trace file."""

from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from distilcli.benchmark.carrier import Carrier
from distilcli.benchmark.subject import Subject
from distilcli.engine.batching import Batch
from distilcli.errors import ResourceError, UsageError
from distilcli.tasks.settings import BatchOptions

_PASSES = 5
_ROWS = 20
_TRACE_SUFFIXES = (".json", ".json.gz")


def trace_path(place: Path, name: str) -> Path:
    """Return where a trace goes: to `place` if it is named as a trace, else to a file in it."""
    return place if _is_trace(place) else place / f"{name}.trace.json"


def check_trace_place(place: Path, *, settings: int) -> None:
    """Raise `UsageError` where traces of so many settings cannot be written to `place`."""
    if _is_trace(place):
        if settings > 1:
            raise UsageError(
                f"--profile {place}: {settings} settings have a trace each; name a folder"
            )
        if not place.parent.is_dir():
            raise UsageError(f"--profile {place}: there is no folder {str(place.parent)!r}")
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"--profile {place}: cannot be made a folder ({error.strerror}); name another, or a "
            "file that ends in .json"
        ) from None


def profile_subject(subject: Subject, path: Path, *, seq: int, batch: int) -> str:
    """Run the first batch of a window a few times under the profiler, on one worker.

    Writes the trace, for chrome://tracing or perfetto.dev, and returns the table: operators by the
    time that they took themselves. Raises `ResourceError` where the trace cannot be written.
    """
    on_cuda = subject.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_cuda else [])]
    tables: list[str] = []

    def profiled(one: Batch) -> list[None]:
        # The profiler sees the thread that it is started on.
        with profile(activities=activities) as profiler:
            for _ in range(_PASSES):
                outputs = subject.forward(one)
        key = "self_cuda_time_total" if on_cuda else "self_cpu_time_total"
        tables.append(profiler.key_averages().table(sort_by=key, row_limit=_ROWS))
        try:
            profiler.export_chrome_trace(str(path))
        except (OSError, RuntimeError) as error:
            raise ResourceError(f"{path}: the trace cannot be written: {error}") from None
        return outputs

    budget = BatchOptions().tokens_on(subject.device.type)
    pieces = subject.pieces(seq=seq, batch=min(batch, max(1, budget // seq)))
    with Carrier(profiled, device=subject.device, workers=1, max_tokens=budget) as carrier:
        carrier.carry(pieces)
    return tables[0]


def _is_trace(place: Path) -> bool:
    return place.name.endswith(_TRACE_SUFFIXES) and not place.is_dir()
