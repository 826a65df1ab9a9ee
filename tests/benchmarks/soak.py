"""Label a long file, watching the memory: what the first and the last tenth of the run need.

    python tests/benchmarks/soak.py [--rows 2000000] [--format jsonl]

The model is tiny, with random weights; one row in a thousand is broken. Exits with 1 if rows are
missing, or if the last tenth needs more than 1.05 times the memory of the first.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _models import REVIEWS
from _report import report
from memory import write_tiny

_SECONDS = 0.5  # between two looks
_BROKEN = 1_000
_MOST = 1.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--format", choices=("csv", "jsonl"), default="jsonl")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tiny(folder / "model", "SequenceClassifier")
        write_rows(folder / "rows.jsonl", options.rows)
        output = folder / f"out.{options.format}"
        began = time.monotonic()
        sizes = watched(
            *("classify", str(folder / "rows.jsonl"), "-m", str(folder / "model"), "-q"),
            *("-o", str(output)),
        )
        seconds = time.monotonic() - began
        with output.open("rb") as file:
            written = sum(1 for _ in file) - (options.format == "csv")
    # The first tenth begins once rows flow; what comes before is the start of torch.
    tenth = len(sizes) // 10
    first, last = max(sizes[tenth : 2 * tenth]), max(sizes[-tenth:])
    row = {
        "rows": options.rows,
        "minutes": seconds / 60,
        "first MiB": first / 2**20,
        "last MiB": last / 2**20,
        "ratio": last / first,
    }
    report("memory of a long run", [row], {**row, "written": written})
    return int(written != options.rows or last > _MOST * first)


def write_rows(path: Path, rows: int) -> None:
    """Write short rows of JSON, some of which have no text."""
    words = REVIEWS.read_text(encoding="utf-8").split()
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            start = number % (len(words) - 12)
            text = " ".join(words[start : start + 3 + number % 9])
            row = {"id": number, "text": text if number % _BROKEN else None}
            file.write(f"{json.dumps(row)}\n")


def watched(*words: str) -> list[int]:
    """Run `distil`; return the bytes that it held in memory, at equal distances of time."""
    sizes = []
    with subprocess.Popen([sys.executable, "-m", "distilcli", *words]) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            held = next((line for line in status.splitlines() if line.startswith("VmRSS")), "")
            sizes.append(int(held.split()[1]) * 1024 if held else 0)
            time.sleep(_SECONDS)
    if process.returncode not in {0, 6}:
        raise SystemExit(process.returncode)
    return sizes


if __name__ == "__main__":
    sys.exit(main())
