"""How fast rows are read from each format, and that memory stays flat.

    python tests/benchmarks/read_formats.py [--rows N] [--folder DIR]

The same short rows (id, text, label) are written as a JSON array, JSON lines, CSV, SQLite and
Parquet, all of them and a tenth of them. Each file is then read in a process of its own, which
imports the readers first and reports its rows per second and how much its peak memory grew while
reading. Flat means that ten times the rows take about the same memory. The files of a folder that
is named are kept, and used again.
"""

import argparse
import csv
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from time import perf_counter

from _report import report

COLUMNS = ("id", "text", "label")
SHARE = 10
AT_ONCE = 50_000
Cells = tuple[int, str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read is not None:
        print(json.dumps(read(options.read)))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(options.rows, options.folder or Path(folder))


def compare(count: int, folder: Path) -> None:
    lines = []
    for name, write in WRITERS.items():
        few, many = (_measured(folder, name, write, size) for size in (count // SHARE, count))
        lines.append(
            {
                "format": name,
                "rows/s": many["rows"] / many["seconds"],
                "MB/s": many["bytes"] / many["seconds"] / 1e6,
                "peak MiB": many["peak"] / 2**20,
                "grown MiB": many["grown"] / 2**20,
                "grown MiB with a tenth": few["grown"] / 2**20,
            }
        )
    report(f"reading {count:,} rows", lines, {"rows": count})


def rows(count: int) -> Iterator[Cells]:
    """Yield short rows, all different."""
    words = "the film was good bad slow bright a plot and it acting of fun".split()
    for number in range(count):
        picked = (words[number * step // 7 % len(words)] for step in range(1, 9))
        yield number, f"{' '.join(picked)} {number}", "good" if number % 3 else "bad"


def write_array(path: Path, count: int) -> None:
    with path.open("w") as out:
        for number, row in enumerate(rows(count)):
            out.write(
                ("," if number else "[") + "\n" + json.dumps(dict(zip(COLUMNS, row, strict=True)))
            )
        out.write("\n]\n")


def write_lines(path: Path, count: int) -> None:
    with path.open("w") as out:
        out.writelines(
            json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in rows(count)
        )


def write_csv(path: Path, count: int) -> None:
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([COLUMNS])
        csv.writer(out).writerows(rows(count))


def write_sqlite(path: Path, count: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE TABLE rows ({', '.join(COLUMNS)})")
        database.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows(count))
        database.commit()


def write_parquet(path: Path, count: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = (pa.int64(), pa.string(), pa.string())
    schema = pa.schema(list(zip(COLUMNS, kinds, strict=True)))
    every = rows(count)
    with parquet.ParquetWriter(path, schema) as out:
        while block := list(islice(every, AT_ONCE)):
            out.write_table(pa.table(list(zip(*block, strict=True)), schema=schema))


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "json": write_array,
    "jsonl": write_lines,
    "csv": write_csv,
    "db": write_sqlite,
    "parquet": write_parquet,
}


def _measured(
    folder: Path, name: str, write: Callable[[Path, int], None], count: int
) -> dict[str, float]:
    path = folder / f"{count}.{name}"
    if not path.exists():
        write(path, count)
    command = [sys.executable, __file__, "--read", str(path)]
    found: dict[str, float] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    if found["rows"] != count:
        raise SystemExit(f"{path}: {found['rows']} rows were read")
    return found


def read(path: Path) -> dict[str, float]:
    """Read all texts of a file, and return what that took."""
    from distilcli.rows import cell_text, open_rows

    with open_rows([str(path)]) as source:
        column = source.text_column  # opened, the library that reads it loaded
        before = _peak()
        started = perf_counter()
        count = sum(bool(cell_text(row, column)) for row in source)
        seconds = perf_counter() - started
    return {
        "rows": count,
        "seconds": seconds,
        "bytes": path.stat().st_size,
        "peak": _peak(),
        "grown": _peak() - before,
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


if __name__ == "__main__":
    main()
