"""What a row costs around the model, against a bare loop of `csv` and `tokenizers`.

    python tests/benchmarks/around_the_model.py [--rows N] [--rounds N]
        [--commands classify embed ...] [--python OTHER]

The model is tiny, so that nearly all time is spent around it. The file is a CSV of short texts (20
tokens on average). In each round every command labels the file, and the bare loop reads it with
`csv`, tokenizes it in blocks with `tokenizers` and writes the rows with two more columns. Compared
is the processor time (user and system) of the whole process, less that of a run over one row, which
is mostly imports. `--python` is another installation, to compare with in the same rounds.
"""

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

from _models import REVIEWS
from _report import report
from memory import HEADS, write_tiny

COMMANDS = ("classify", "embed", "tag")
SUFFIXES = {"embed": "npy"}
WANTED = {"rows/s": 25_000, "times the bare loop": 2.0}
WORDS = (6, 16)  # of a text: 20 tokens on average, with [CLS] and [SEP]

_BARE = """
import csv, itertools, os, sys
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer
vocabulary, source, output = sys.argv[1:]
tokenizer = Tokenizer.from_file(vocabulary)
tokenizer.no_padding()
tokenizer.enable_truncation(512)
with open(source, newline="") as read, open(output, "w", newline="") as write:
    rows, writer = csv.reader(read), csv.writer(write)
    writer.writerow([*next(rows), "label", "score"])
    while block := list(itertools.islice(rows, 1024)):
        found = tokenizer.encode_batch_fast([row[1] for row in block])
        ids = [encoding.ids for encoding in found]
        writer.writerows([*row, "tokens", len(each)] for row, each in zip(block, ids))
"""


class Cost(NamedTuple):
    """The processor and wall seconds of a process."""

    processor: float
    wall: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=["classify"])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", help="another installation to compare with")
    options = parser.parse_args()
    pythons = {"": sys.executable, **({"other ": options.python} if options.python else {})}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_texts(folder / "all.csv", options.rows)
        write_texts(folder / "one.csv", 1)
        lines = {"bare loop": bare_line(folder)}
        for command in options.commands:
            write_tiny(folder / command, HEADS[command])
            for whose, python in pythons.items():
                lines[whose + command] = distil_line(python, folder, command)
        rounds = [
            {what: beyond_one_row(line, folder) for what, line in lines.items()}
            for _ in range(options.rounds)
        ]
    report(
        f"{options.rows:,} rows of about 20 tokens through a tiny model",
        [
            {
                "what": what,
                "µs of processor a row": 1e6
                * median(one[what].processor for one in rounds)
                / options.rows,
                "rows/s": options.rows / median(one[what].wall for one in rounds),
                "times the bare loop": median(
                    one[what].processor / one["bare loop"].processor for one in rounds
                ),
            }
            for what in lines
        ],
        {
            "rows": options.rows,
            "rounds": [{what: cost._asdict() for what, cost in one.items()} for one in rounds],
            "wanted": WANTED,
        },
    )


def write_texts(path: Path, rows: int) -> None:
    """Write a CSV of seeded texts with an id each."""
    words = REVIEWS.read_text(encoding="utf-8").replace('"', " ").split()
    draw = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows(
            (number, " ".join(draw.choices(words, k=draw.randint(*WORDS))))
            for number in range(rows)
        )


def bare_line(folder: Path) -> list[str]:
    """Return the command of the bare loop, without input and output."""
    from distilcli.checkpoint.locate import locate

    (file,) = [
        path for path in locate("sentiment").tokenizer_files if path.name == "tokenizer.json"
    ]
    return [sys.executable, "-c", _BARE, str(file), "IN", "OUT"]


def distil_line(python: str, folder: Path, command: str) -> list[str]:
    """Return the command of a run with the tiny model, without input and output."""
    line = [python, "-m", "distilcli", command, "IN", "-o", "OUT", "--force", "--quiet"]
    return [*line, "--model", str(folder / command), "--text-column", "text"]


def beyond_one_row(line: Sequence[str], folder: Path) -> Cost:
    """Return what a command costs over all rows beyond one row."""
    suffix = next((SUFFIXES[word] for word in line if word in SUFFIXES), "csv")
    costs = []
    for name in ("all", "one"):
        places = {"IN": str(folder / f"{name}.csv"), "OUT": str(folder / f"out.{suffix}")}
        costs.append(cost_of([places.get(word, word) for word in line], folder))
    print(*costs, file=sys.stderr, flush=True)
    return Cost(*(a - b for a, b in zip(*costs, strict=True)))


def cost_of(line: Sequence[str], folder: Path) -> Cost:
    """Run a command in its own process; return what it costs."""
    started = perf_counter()
    process = subprocess.Popen(line, cwd=folder)  # not where a checkout is
    _, status, used = os.wait4(process.pid, 0)
    wall = perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{line} ended with {process.returncode}")
    return Cost(used.ru_utime + used.ru_stime, wall)


if __name__ == "__main__":
    main()
