"""`distil evaluate`: an option does what it says, or is refused before any work is done."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands._parse import json_lines

Distil = Callable[..., tuple[int, str, str]]
MakeModel = Callable[..., Path]


def figures(out: str) -> dict[str, str]:
    return {row["metric"]: row["value"] for row in csv.DictReader(out.splitlines(), delimiter="\t")}


def rows_in(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_long_contexts_are_read_in_windows_of_any_length(
    distil: Distil, qa_folder: Path, tmp_path: Path
) -> None:
    words = "the film was good and the book was dull but i loved the sound of poor boring plot"
    context = " ".join(" ".join(words.split()[n:]) for n in range(9))
    questions = [f"what was {word}" for word in ("good", "dull", "poor", "loved")]
    asked = [{"question": question, "context": context} for question in questions]
    length = ("--max-length", 24, "--stride", 4)
    answered = tmp_path / "answered.jsonl"
    assert distil("qa", rows_in(tmp_path / "asked.jsonl", asked), "-m", qa_folder, *length,
                  "-o", answered)[0] == 0  # fmt: skip
    given = json_lines(answered.read_text())
    # What the windows say is what is expected: a context that is cut says something else.
    golds = [{**row, "answers": [one["answer"]]} for row, one in zip(asked, given, strict=True)]
    data = rows_in(tmp_path / "dev.jsonl", golds)
    code, out, err = distil("evaluate", qa_folder, data, *length)
    assert code == 0, err
    assert figures(out)["exact_match"] == "1.0000"
    cut = distil("evaluate", qa_folder, data, "--long", "truncate", "--max-length", 24)[1]
    assert figures(cut)["exact_match"] != "1.0000"
