"""Shared by all benchmarks: the machine, timing in turns, a table and a line of JSON."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter


def machine() -> dict[str, object]:
    """Return the processor, its cores and the versions that matter; torch may be missing."""
    torch = import_module("torch") if find_spec("torch") else None
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "capability": torch.backends.cpu.get_cpu_capability() if torch else None,
        "torch": torch.__version__ if torch else None,
        "python": platform.python_version(),
    }


def require(*packages: str) -> dict[str, str]:
    """Return the versions of the peers' packages; exit with 2 if one is missing."""
    if missing := [name for name in packages if not find_spec(name)]:
        print(
            f"not installed: {', '.join(missing)}; they come with the extra: "
            'pip install -e ".[peers]"',
            file=sys.stderr,
        )
        raise SystemExit(2)
    return {name: version(name) for name in packages}


def alternate(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int, tells: bool = True
) -> dict[str, list[float]]:
    """Alternate between the contenders, `rounds` times each, and return their seconds.

    They alternate because a shared machine drifts. Each run is noted on stderr unless quiet.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, run in contenders.items():
            started = perf_counter()
            run()
            seconds[name].append(perf_counter() - started)
            if tells:
                print(f"round {number + 1}: {name} {seconds[name][-1]:.2f} s", file=sys.stderr)
    return seconds


def median_ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """Return the speedup, as the median over the rounds."""
    return median(a / b for a, b in zip(slower, faster, strict=True))


def peak_of(command: Sequence[str], statistics: Path) -> int:
    """Run a distil command in its own process; return its peak memory in bytes."""
    line = [sys.executable, "-m", "distilcli", *command, "--quiet", "--stats", str(statistics)]
    subprocess.run(line, check=True)
    return int(json.loads(statistics.read_text(encoding="utf-8"))["peak_memory_bytes"])


def report(title: str, rows: Sequence[Mapping[str, object]], result: Mapping[str, object]) -> None:
    """Print a table for people and one line of JSON for machines."""
    print(f"\n{title}")
    widths = {name: max(len(name), *(len(_cell(row[name])) for row in rows)) for name in rows[0]}
    print("  ".join(name.ljust(width) for name, width in widths.items()))
    for row in rows:
        print("  ".join(_cell(row[name]).ljust(width) for name, width in widths.items()))
    print(json.dumps({"benchmark": title, **result, "machine": machine()}))


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
