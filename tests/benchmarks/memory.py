"""Peak memory of each file command: over some short rows and many times as many, or of a long cell.

    python tests/benchmarks/memory.py [--commands classify embed ...] [--rows N] [--times 10]
    python tests/benchmarks/memory.py --cell 60 [--commands ...] [--long truncate window]
        [--formats csv jsonl txt]

The first compares two numbers of rows, with `--busy N` while N other processes keep the cores busy;
the second a file whose first cell has so many megabytes with one whose first cell has a kilobyte.
Models are tiny, with random weights. Each run has its own process and reports its peak in its
statistics.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _models import REVIEWS
from _report import peak_of, report

HEADS = {
    "classify": "SequenceClassifier",
    "embed": "BaseModel",
    "tag": "TokenClassifier",
    "qa": "QuestionAnswerer",
    "fill": "MaskedLanguageModel",
    "choose": "MultipleChoice",
}
SUFFIXES = {"embed": "npy"}
LONG = ("truncate", "window")
FORMATS = ("csv", "jsonl", "txt")
SENTENCE = "The parcel came late, but the people at the counter were kind about it. "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", nargs="+", choices=HEADS, default=list(HEADS))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--busy", type=int, default=0, help="processes that keep cores busy")
    parser.add_argument("--cell", type=int, help="megabytes of a long cell")
    parser.add_argument("--long", nargs="+", choices=LONG, default=LONG)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, busy(options.busy):
        for command in options.commands:
            if command in HEADS:
                write_tiny(Path(name, command), HEADS[command])
        if options.cell is None:
            compare_rows(Path(name), options)
        else:
            compare_cells(Path(name), options)


def compare_rows(folder: Path, options: argparse.Namespace) -> None:
    """Compare few rows with many."""
    counts = (options.rows, options.rows * options.times)
    peaks = {
        command: [peak_over_rows(folder, command, count) for count in counts]
        for command in options.commands
    }
    report(
        f"peak memory over {options.rows:,} short rows and {options.times} times as many",
        [
            {
                "command": command,
                "few MiB": few / 2**20,
                "many MiB": many / 2**20,
                "ratio": many / few,
            }
            for command, (few, many) in peaks.items()
        ],
        {"peak_bytes": peaks, "busy": options.busy, "wanted": "at most 1.05 times"},
    )


def compare_cells(folder: Path, options: argparse.Namespace) -> None:
    """Compare a long cell with a short one."""
    rows = []
    for command in options.commands:
        for long in options.long:
            for form in options.formats:
                if (command, form) == ("choose", "txt"):
                    continue  # its options need a column
                short, high = (
                    peak_of_cell(folder, command, size, long=long, form=form)
                    for size in (1_000, options.cell * 1_000_000)
                )
                more = (high - short) / 1e6
                row = {"command": command, "long": long, "format": form, "more MB": more}
                print(row, file=sys.stderr, flush=True)
                rows.append(row)
    title = f"memory that a cell of {options.cell} MB costs beside one of 1 kB"
    report(title, rows, {"rows": rows, "wanted": "at most 300 MB"})


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep `count` cores busy."""
    spin = [sys.executable, "-c", "while True: pass"]
    spinning = [subprocess.Popen(spin) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()


def write_tiny(folder: Path, head: str) -> None:
    """Write a model of one thin layer with this head, and the built-in tokenizer."""
    import torch

    from distilcli.checkpoint.config import ModelConfig
    from distilcli.checkpoint.locate import locate
    from distilcli.model import heads
    from distilcli.model.saving import save_model

    torch.manual_seed(0)
    config = ModelConfig(
        dim=16, n_layers=1, n_heads=2, hidden_dim=32, labels=("O", "B-X"), problem_type=None
    )
    folder.mkdir()
    model = getattr(heads, head)(config)
    save_model(model, folder, tokenizer_files=locate("sentiment").tokenizer_files)


def peak_over_rows(folder: Path, command: str, rows: int) -> int:
    """Run a command over `rows` short rows in its own process; return its peak in bytes."""
    words = REVIEWS.read_text(encoding="utf-8").replace('"', " ").replace(",", " ").split()
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "question", "context", "prompt", "options"])
        for place in range(rows):
            text = " ".join(words[place % 500 : place % 500 + 3 + place % 5])
            masked = f"{text} [MASK]"
            writer.writerow([masked, "what is it", text, text, json.dumps([text, "another"])])
    return run(folder, command, folder / "rows.csv")


def peak_of_cell(folder: Path, command: str, size: int, *, long: str, form: str) -> int:
    """Run a command over a text of `size` characters and a short one; return its peak in bytes."""
    text = (SENTENCE * (size // len(SENTENCE) + 1))[:size]
    if command == "fill":
        text = f"[MASK] {text}"
    path = folder / f"cell.{form}"
    column = {"qa": "context", "choose": "prompt"}.get(command, "text")
    others = {
        "qa": {"question": "What was late?"},
        "choose": {"options": json.dumps(["a parcel", "a letter"])},
    }.get(command, {})
    rows = [{column: cell, **others} for cell in (text, text[:100])]
    with path.open("w", newline="", encoding="utf-8") as file:
        if form == "csv":
            csv.writer(file).writerows([rows[0].keys(), *(row.values() for row in rows)])
        for row in rows if form != "csv" else ():
            line = row[column] if form == "txt" else json.dumps(row)
            file.write(f"{line}\n")
    more = ["--question", "What was late?"] if (command, form) == ("qa", "txt") else []
    more += ["--long", long] if command != "tokenize" else ["--long", long, "--max-length", "512"]
    return run(folder, command, path, *more)


def run(folder: Path, command: str, path: Path, *options: str) -> int:
    """Run a command over a file; return its peak in bytes."""
    output = folder / f"out.{SUFFIXES.get(command, 'csv')}"
    line = [command, str(path), "-o", str(output), "--force", *options]
    return peak_of([*line, "--model", str(folder / command)], folder / "stats.json")


if __name__ == "__main__":
    main()
