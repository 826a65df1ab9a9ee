"""One small file in every input format, and what each command makes of it."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import openpyxl
import pyarrow as pa
from pyarrow import parquet

TEXT = "the film was [MASK] good"
COLUMNS = ("text", "label", "question", "context", "answer", "prompt", "options", "tokens", "tags")
OTHERS = ('["good", "bad"]', '["the", "film"]', '["O", "B-A"]')
ROWS = [
    (TEXT, label, "what was good ?", f"film {number} was good", "film", "the film was", *OTHERS)
    for number, label in enumerate(("positive", "negative") * 10)
]
COMMANDS: dict[str, Sequence[str]] = {
    "tokenize": ("tokenize",),
    "classify": ("classify", "--dry-run"),
    "embed": ("embed", "--dry-run"),
    "tag": ("tag", "--dry-run"),
    "qa": ("qa", "--dry-run"),
    "fill": ("fill", "--dry-run"),
    "choose": ("choose", "--dry-run"),
    "finetune": ("finetune", "--dry-run", "-o", "model"),
    "finetune --task tag": ("finetune", "--task", "tag", "--dry-run", "-o", "model"),
    "finetune --task qa": ("finetune", "--task", "qa", "--dry-run", "-o", "model"),
    "finetune --task mlm": ("finetune", "--task", "mlm", "--dry-run", "-o", "model"),
    "evaluate": ("evaluate",),
    "bench --dataset": ("bench",),
    "clean": ("clean", "--dry-run"),
}
SUFFIXES = {
    "CSV": ".csv",
    "TSV": ".tsv",
    "JSON lines": ".jsonl",
    "JSON array": ".json",
    "Parquet": ".parquet",
    "Excel": ".xlsx",
    "SQLite": ".db",
    "plain text": ".txt",
    "SQuAD": ".squad.json",
    "CoNLL": ".conll",
}
Run = Callable[..., tuple[int, str, str]]


def write_all(folder: Path) -> dict[str, str]:
    """Write the file of each format and return their names."""
    paths = {name: folder / f"a{suffix}" for name, suffix in SUFFIXES.items()}
    objects = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    for kind, delimiter in (("CSV", ","), ("TSV", "\t")):
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter).writerows([COLUMNS, *ROWS])
        paths[kind].write_text(out.getvalue())
    paths["JSON lines"].write_text("".join(json.dumps(each) + "\n" for each in objects))
    paths["JSON array"].write_text(json.dumps(objects))
    paths["plain text"].write_text(f"{TEXT}\n" * 20)
    paths["CoNLL"].write_text("the O\nfilm B-A\nwas O\n\n" * 20)
    paths["SQuAD"].write_text(json.dumps({"data": [{"title": "t", "paragraphs": _paragraphs()}]}))
    _write_stores(paths)
    return {name: path.name for name, path in paths.items()}


def _paragraphs() -> list[Mapping[str, object]]:
    answers = [{"text": "film", "answer_start": 0}]
    return [
        {
            "context": f"film {number} was good",
            "qas": [{"id": str(number), "question": "what was good ?", "answers": answers}],
        }
        for number in range(20)
    ]


def _write_stores(paths: Mapping[str, Path]) -> None:
    columns = dict(zip(COLUMNS, zip(*ROWS, strict=True), strict=True))
    parquet.write_table(pa.table(columns), paths["Parquet"])
    book = openpyxl.Workbook()
    for row in (COLUMNS, *ROWS):
        book.active.append(row)
    book.save(paths["Excel"])
    with closing(sqlite3.connect(paths["SQLite"])) as database:
        database.execute(f"CREATE TABLE reviews ({', '.join(COLUMNS)})")
        marks = ", ".join("?" * len(COLUMNS))
        database.executemany(f"INSERT INTO reviews VALUES ({marks})", ROWS)
        database.commit()


def outcome(run: Run, command: str, models: Mapping[str, object], name: str) -> str:
    """Run a command over a file; return `read` or the line that refuses it."""
    before = (models["evaluate"],) if command == "evaluate" else ()
    option = ("--dataset",) if command.startswith("bench") else ()
    model = () if before else ("-m", models[command])
    code, _, err = run(*COMMANDS[command], *before, *option, name, *model)
    if code in {0, 6}:
        return "read"
    last = err.splitlines()[-1].removeprefix("distil: error: ")
    assert code == 3, (command, name, err)
    return last.replace(name, "FILE").removeprefix("FILE: ")


def table(found: Mapping[tuple[str, str], str]) -> str:
    """Return the outcomes as Markdown: a table, and the lines that its numbers stand for."""
    lines = list(dict.fromkeys(line for line in found.values() if line != "read"))
    names = list(COMMANDS)
    rows = [f"| | {' | '.join(names)} |", f"|---{'|---' * len(names)}|"]
    for kind, suffix in SUFFIXES.items():
        cells = [found[kind, name] for name in names]
        numbers = [cell if cell == "read" else str(lines.index(cell) + 1) for cell in cells]
        ending = suffix[suffix.rindex(".") :]
        rows.append(f"| {kind} (`{ending}`) | {' | '.join(numbers)} |")
    notes = [f"{number}. `{line}`" for number, line in enumerate(lines, start=1)]
    return "\n".join([*rows, "", *notes])
