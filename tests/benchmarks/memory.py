"""Peak memory of `distil classify` over 20,000 and over 200,000 short rows.

    python tests/benchmarks/memory.py [--model MODEL] [--rows N] [--times 10]

Each is a process of its own; the peak is the one that the system counted, in its statistics.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from _models import REVIEWS, write_csv
from _report import report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="sentiment")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        peaks = {
            rows: peak_memory(Path(name), rows, options.model)
            for rows in (options.rows, options.rows * options.times)
        }
    few, many = peaks.values()
    report(
        "peak memory of classify over short rows",
        [{"rows": f"{rows:,}", "peak MiB": peak / 2**20} for rows, peak in peaks.items()],
        {"peak_bytes": peaks, "ratio": many / few, "wanted": "at most 1.05"},
    )


def peak_memory(folder: Path, rows: int, model: str) -> int:
    """Label `rows` short rows in a process of its own; return its peak memory in bytes."""
    words = REVIEWS.read_text(encoding="utf-8").replace('"', " ").replace(",", " ").split()
    texts = [" ".join(words[place % 500 : place % 500 + 3 + place % 5]) for place in range(rows)]
    write_csv(folder / "rows.csv", texts)
    command = [sys.executable, "-m", "distilcli", "classify", str(folder / "rows.csv")]
    command += ["--model", model, "-o", str(folder / "out.csv"), "--force", "--quiet"]
    subprocess.run([*command, "--stats", str(folder / "stats.json")], check=True)
    return int(json.loads((folder / "stats.json").read_text())["peak_memory_bytes"])


if __name__ == "__main__":
    main()
