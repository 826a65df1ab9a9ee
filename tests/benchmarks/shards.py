"""Time how shards are cut, and two shards side by side against one run on two cores.

    python tests/benchmarks/shards.py --gigabytes 1
    python tests/benchmarks/shards.py --rows 20000 [--model sentiment] [--rounds 3]

The CSV that is cut has quoted line breaks and doubled quotes in every row. Throughput is that of
the rows alone, without loading the model, as the runs' own summaries give it; the two shards count
as long as the slower one takes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from _models import mixed_reviews
from _report import machine

SHARDS = 64
_ROW = b'%d,"It said ""works"", and it does.\nMostly, that is: %s","more, and more"\n'


def cut(gigabytes: float, folder: Path) -> None:
    from distilcli.rows import open_rows
    from distilcli.rows.record_starts import record_starts

    path = folder / "in.csv"
    rows = b"".join(_ROW % (number, b"x" * (number * 37 % 900)) for number in range(20_000))
    with path.open("wb") as file:
        file.write(b"id,text,other\n")
        while file.tell() < gigabytes * 1e9:
            file.write(rows)
    size = path.stat().st_size
    offsets = [size * index // SHARDS for index in range(1, SHARDS)]
    started, worked = perf_counter(), process_time()
    found = list(record_starts(path, offsets, "utf-8", ","))
    seconds, worked = perf_counter() - started, process_time() - worked
    ahead = max(offset - place.offset for offset, place in zip(offsets, found, strict=True))
    source = open_rows([str(path)], text_column="text")
    print(
        f"{size:,} bytes into {SHARDS} ranges: {seconds:.2f} s, {worked:.2f} s of the "
        f"processor; at most {ahead:,} bytes ahead of a "
        f"cut; columns {source.columns}"
    )
    print(
        json.dumps(
            {
                "benchmark": "cut",
                "bytes": size,
                "seconds": seconds,
                "processor_seconds": worked,
                **machine(),
            }
        )
    )


def side_by_side(rows: int, model: str, rounds: int, folder: Path) -> None:
    path = folder / "in.csv"
    texts = (text.replace('"', '""') for text in mixed_reviews(rows))
    path.write_text("text\n" + "".join(f'"{text}"\n' for text in texts))
    command = [
        sys.executable,
        "-m",
        "distilcli",
        "classify",
        str(path),
        "-m",
        model,
        "-q",
        "--force",
    ]

    def start(name: str, *more: str) -> subprocess.Popen[bytes]:
        out = ["-o", str(folder / f"{name}.csv"), "--stats", str(folder / f"{name}.json")]
        return subprocess.Popen([*command, *out, *more, "-q", "--force"])

    def seconds(*names: str) -> float:
        stats = [json.loads((folder / f"{name}.json").read_text()) for name in names]
        return float(max(each["seconds"] for each in stats))

    ratios = []
    for _ in range(rounds):
        start("whole", "--threads", "2").wait()
        parts = [start(f"{i}", "--shard", f"{i}/2", "--threads", "1") for i in range(2)]
        for part in parts:
            part.wait()
        ratios.append(seconds("whole") / seconds("0", "1"))
        print(f"two shards: {ratios[-1]:.3f} times the throughput of one run", file=sys.stderr)
    merge = ["merge", str(folder / "merged.csv"), str(folder / "0.csv"), str(folder / "1.csv")]
    subprocess.run([sys.executable, "-m", "distilcli", *merge, "--force"], check=True)
    same = (folder / "merged.csv").read_bytes() == (folder / "whole.csv").read_bytes()
    print(f"median {median(ratios):.3f}; merged bytes are those of the whole run: {same}")
    print(json.dumps({"benchmark": "shards", "rows": rows, "ratio": median(ratios), **machine()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--model", default="sentiment")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.gigabytes:
            cut(options.gigabytes, Path(name))
        if options.rows:
            side_by_side(options.rows, options.model, options.rounds, Path(name))


if __name__ == "__main__":
    main()
