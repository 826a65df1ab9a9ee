"""`distil embed --search` over stored vectors against one numpy product over the same file.

    python tests/benchmarks/search_vs_numpy.py [--vectors 1000000] [--dims 384] [--rounds 5]

Ours scores the vectors in chunks and keeps the best ten, all of it timed; numpy maps the file,
multiplies it by the query and keeps nothing. Each has its own process, so that its peak memory is
its own, and imports before the clock starts.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from _report import median_ratio, report

OURS = """
import json, sys, time
import numpy as np
from distilcli.stats import peak_memory_bytes
from distilcli.vectors.search import nearest
from distilcli.vectors.index import open_index
query = np.load(sys.argv[2])
started = time.perf_counter()
hits = nearest(open_index(sys.argv[1]), query[None], 10)[0]
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "best": hits[0].number, "peak": peak_memory_bytes()}))
"""
NUMPY = """
import json, sys, time
import numpy as np
from distilcli.stats import peak_memory_bytes
query = np.load(sys.argv[2])
started = time.perf_counter()
scores = np.load(sys.argv[1], mmap_mode="r") @ query
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "best": int(scores.argmax()), "peak": peak_memory_bytes()}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--dims", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_vectors(folder / "vectors.npy", options.vectors, options.dims)
        query = np.random.default_rng(1).standard_normal(options.dims).astype(np.float32)
        np.save(folder / "query.npy", query / np.linalg.norm(query))
        runs = {"distil": [], "numpy": []}
        for _ in range(options.rounds):
            for who, code in (("distil", OURS), ("numpy", NUMPY)):
                runs[who].append(run(code, folder))
    assert {found["best"] for found in runs["distil"]} == {found["best"] for found in runs["numpy"]}
    seconds = {who: [found["seconds"] for found in each] for who, each in runs.items()}
    ratio = median_ratio(seconds["numpy"], seconds["distil"])
    report(
        f"exact search over {options.vectors:,} x {options.dims} float32 vectors",
        [
            {
                "who": who,
                "seconds": median(seconds[who]),
                "peak MiB": max(found["peak"] for found in each) / 2**20,
            }
            for who, each in runs.items()
        ],
        {
            "speed_against_numpy": ratio,
            "wanted": 0.8,
            "peak_bytes": max(found["peak"] for found in runs["distil"]),
            "wanted_peak_bytes": 10**9,
        },
    )


def write_vectors(path: Path, count: int, dims: int) -> None:
    """Write unit vectors, and their metadata."""
    generator = np.random.default_rng(0)
    stored = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, dims))
    for first in range(0, count, 10_000):
        part = generator.standard_normal((min(10_000, count - first), dims), dtype=np.float32)
        stored[first : first + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    stored.flush()
    Path(f"{path}.json").write_text(json.dumps({"normalized": True}))


def run(code: str, folder: Path) -> dict[str, float]:
    """Run a contender in its own process; return what it reports."""
    command = [sys.executable, "-c", code, str(folder / "vectors.npy"), str(folder / "query.npy")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
