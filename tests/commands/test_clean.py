import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands._parse import delimited, json_lines

Distil = Callable[..., tuple[int, str, str]]
GOOD = ("i loved the film", "good acting", "the film was good")
BAD = ("it was dull and slow", "bad plot", "the plot was bad")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Rows in which the first text comes twice, with two labels."""
    path = tmp_path / "rows.csv"
    lines = [f'{text} {n},{label}' for n in range(4) for label, texts in
             (("good", GOOD), ("bad", BAD)) for text in texts]  # fmt: skip
    path.write_text("\n".join(["text,label", *lines, f"{GOOD[0]} 0,bad", ""]))
    return path


def test_one_text_with_two_labels(distil: Distil, tiny_folder: Path, rows: Path) -> None:
    code, out, err = distil("clean", rows, "-m", tiny_folder, "--near-duplicates", 0.9999)
    assert code == 0
    found = delimited(out)
    assert list(found[0]) == ["text", "label", "suggested_label", "suspicion", "reason", "near"]
    (twin,) = [row for row in found if "duplicate" in row["reason"]]
    assert twin["text"] == f"{GOOD[0]} 0"
    assert twin["suggested_label"] != twin["label"]
    suspicions = [float(row["suspicion"]) for row in found]
    assert suspicions == sorted(suspicions, reverse=True)
    assert "distil: 25 rows in " in err


def test_leaks(distil: Distil, tiny_folder: Path, rows: Path, tmp_path: Path) -> None:
    test, out = tmp_path / "test.txt", tmp_path / "out.jsonl"
    test.write_text(f"something else\n\n{BAD[1]} 2\n")
    code, _, err = distil(
        "clean", rows, "-m", tiny_folder, "--test", test, "-o", out,
        "--near-duplicates", 0.9999, "--json",
    )  # fmt: skip
    assert code == 0
    (leak,) = [row for row in json_lines(out.read_text()) if "leak" in row["reason"]]
    assert leak["text"] == f"{BAD[1]} 2"
    assert f"{test}: line 3" in leak["near"]
    summary = json.loads(next(line for line in err.splitlines() if line.startswith("{")))
    assert summary["checked"] == 25
    assert summary["counts"]["leak"] == 1


def test_a_named_label(distil: Distil, tiny_folder: Path, rows: Path) -> None:
    renamed = rows.read_text().replace("text,label", "text,kind")
    rows.write_text(renamed)
    code, _, err = distil("clean", rows, "-m", tiny_folder)
    assert code == 3
    assert "no label column" in err
    assert distil("clean", rows, "-m", tiny_folder, "--label-column", "kind")[0] == 0


def test_rows_of_no_use_are_kept_with_their_error(
    distil: Distil, tiny_folder: Path, rows: Path
) -> None:
    rows.write_text(rows.read_text() + ",good\n")
    code, out, _ = distil("clean", rows, "-m", tiny_folder)
    assert code == 6
    assert "empty text" in delimited(out)[-1]["error"]


def test_nothing_is_overwritten(
    distil: Distil, tiny_folder: Path, rows: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert distil("clean", rows, "-m", tiny_folder, "-o", out)[0] == 2
    assert distil("clean", rows, "-m", tiny_folder, "-o", rows, "--force")[0] == 2
    assert out.read_text() == "mine"
    assert distil("clean", rows, "-m", tiny_folder, "-o", out, "--force")[0] == 0


def test_one_label_is_refused(distil: Distil, tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("text,label\ngood,a\nbad,a\n")
    code, _, err = distil("clean", path, "-m", tiny_folder)
    assert code == 3
    assert "give rows with at least two" in err


def test_labels_in_columns_of_their_own(
    distil: Distil, tiny_folder: Path, rows: Path, tmp_path: Path
) -> None:
    path = tmp_path / "columns.csv"
    lines = rows.read_text().splitlines()[1:]
    ends = {"good": "1,0", "bad": "0,1"}
    parts = [line.rpartition(",") for line in lines]
    path.write_text("\n".join(["text,good,bad", *(f"{a},{ends[b]}" for a, _, b in parts), ""]))
    named = distil("clean", rows, "-m", tiny_folder, "--format", "jsonl")[1]
    split = distil(
        "clean", path, "-m", tiny_folder, "--label-columns", "good,bad", "--format", "jsonl"
    )[1]
    pairs = zip(json_lines(split), json_lines(named), strict=True)
    assert all(one["suggested_label"] == other["suggested_label"] for one, other in pairs)


def test_labels_of_words_are_refused(distil: Distil, tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("the O\nfilm B-A\n\n")
    code, _, err = distil("clean", path, "-m", tiny_folder)
    assert code == 3
    assert "a label for each word" in err
