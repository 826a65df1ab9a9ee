import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distilcli.predictors.mask_filler import MaskFiller
from tests.commands._parse import delimited, json_lines

Distil = Callable[..., tuple[int, str, str]]
TEXTS = ("the film was [MASK] .", "[MASK] and [MASK]", "it works")


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "gaps.csv"
    path.write_text("id,text\n" + "".join(f"0{n},{text}\n" for n, text in enumerate(TEXTS)))
    return path


def test_fills_are_those_of_the_library(distil: Distil, mlm_folder: Path, csv_file: Path) -> None:
    code, out, err = distil("fill", csv_file, "-m", mlm_folder)
    rows = delimited(out)
    assert code == 6
    assert list(rows[0]) == ["id", "text", "filled", "score", "fills", "error"]
    assert [row["text"] for row in rows] == list(TEXTS)
    for row, found in zip(rows, MaskFiller(str(mlm_folder), device="cpu")(TEXTS[:2]), strict=False):
        assert row["filled"] == found.filled
        assert float(row["score"]) == pytest.approx(found.score, rel=1e-4)
        fills = json.loads(row["fills"])
        assert [len(of_mask) for of_mask in fills] == [5] * len(found.masks)
        for of_mask, expected in zip(fills, found.masks, strict=True):
            assert [fill["token"] for fill in of_mask] == [fill.token for fill in expected]
    assert rows[2]["filled"] == ""
    assert rows[2]["error"].startswith("the text has no [MASK]")
    assert "failed: 1 row" in err


def test_fills_are_lists_of_lists_whatever_the_flags(
    distil: Distil, mlm_folder: Path, csv_file: Path
) -> None:
    run = ("fill", csv_file, "-m", mlm_folder, "--format", "jsonl", "--on-error", "skip", "-q")
    for flags, count in (((), 5), (("--top-k", 1), 1), (("--targets", "good, bad"), 2)):
        _, out, _ = distil(*run, *flags)
        first, second = json_lines(out)
        assert [len(of_mask) for of_mask in first["fills"]] == [count]
        assert [len(of_mask) for of_mask in second["fills"]] == [count, count]
        assert {tuple(fill) for fill in second["fills"][1]} == {("token", "score")}


def test_targets_and_whole_words(distil: Distil, mlm_folder: Path) -> None:
    run = ("fill", "-m", mlm_folder, "--text", TEXTS[0], "--format", "jsonl", "-q")
    _, out, _ = distil(*run, "--targets", "Good,bad")
    (row,) = json_lines(out)
    assert {fill["token"] for fill in row["fills"][0]} == {"good", "bad"}
    _, out, _ = distil(*run, "--whole-word", "--top-k", 500)
    tokens = [fill["token"] for fill in json_lines(out)[0]["fills"][0]]
    assert "good" in tokens
    assert not [token for token in tokens if token.startswith(("##", "["))]
    code, out, err = distil(*run, "--targets", "good,unlikely")
    assert (code, out) == (2, "")
    assert "'unlikely' is not one token of the vocabulary but un ##like ##ly" in err
    assert err.count("\n") == 1


def test_pseudo_perplexity(distil: Distil, mlm_folder: Path, csv_file: Path) -> None:
    run = ("fill", csv_file, "-m", mlm_folder, "--pseudo-perplexity")
    code, out, _ = distil(*run)
    rows = delimited(out)
    assert code == 6
    assert list(rows[0]) == ["id", "text", "pseudo_perplexity", "n_tokens", "error"]
    (expected,) = MaskFiller(str(mlm_folder), device="cpu").pseudo_perplexity(TEXTS[2:])
    assert float(rows[2]["pseudo_perplexity"]) == pytest.approx(
        expected.pseudo_perplexity, rel=1e-4
    )
    assert rows[2]["n_tokens"] == str(expected.n_tokens)
    assert "has a [MASK]" in rows[0]["error"]
    for flag in (("--top-k", 2), ("--targets", "good"), ("--whole-word",)):
        code, out, err = distil(*run, *flag)
        assert (code, out) == (2, "")
        assert f"{flag[0]} is for masks; leave it out or --pseudo-perplexity" in err


def test_long_texts(distil: Distil, mlm_folder: Path) -> None:
    text = "fun " * 30 + "[MASK]"
    run = ("fill", "-m", mlm_folder, "--max-length", 16, "--text", text)
    code, out, _ = distil(*run)
    assert code == 0
    assert delimited(out, "\t")[0]["filled"].startswith("fun " * 30)
    code, out, _ = distil(*run, "--long", "truncate")
    assert code == 6
    assert "beyond the 16 tokens" in delimited(out, "\t")[0]["error"]
    code, _, err = distil(*run, "--long", "error", "--on-error", "stop")
    assert code == 3
    assert "33 tokens, the limit is 16" in err
    _, out, _ = distil("fill", "-m", mlm_folder, "--max-length", 16, "--long", "truncate",
                       "--text", "[MASK] " + "fun " * 30)  # fmt: skip
    assert delimited(out, "\t")[0]["truncated"] == "true"


def test_a_table_shows_the_words_in_their_text(
    distil: Distil, mlm_folder: Path, csv_file: Path
) -> None:
    code, out, _ = distil("fill", csv_file, "-m", mlm_folder, "--format", "table", "--whole-word")
    (found,) = MaskFiller(str(mlm_folder), device="cpu", whole_word=True)(TEXTS[:1])
    assert code == 6
    assert found.filled in out
    best = found.masks[0][0]
    assert f"{best.token} {best.score:.0%}, " in out
    assert "it works" in out


def test_a_dry_run(distil: Distil, mlm_folder: Path, csv_file: Path) -> None:
    code, out, err = distil("fill", csv_file, "-m", mlm_folder, "--pseudo-perplexity", "--dry-run")
    assert (code, out) == (0, "")
    assert "3 rows" in err
    assert "8 tokens" in err  # [CLS] it works [SEP], twice


def test_faults_of_rows_follow_on_error(distil: Distil, mlm_folder: Path, csv_file: Path) -> None:
    code, out, _ = distil("fill", csv_file, "-m", mlm_folder, "--on-error", "skip")
    assert code == 6
    assert [row["id"] for row in delimited(out)] == ["00", "01"]
    code, out, err = distil("fill", csv_file, "-m", mlm_folder, "--on-error", "stop")
    assert code == 3
    assert err.splitlines()[-1].startswith(
        f"distil: error: {csv_file}: line 4: the text has no [MASK]"
    )


def test_models_that_cannot_fill(distil: Distil, tiny_folder: Path, make_model: Any) -> None:
    code, out, err = distil("fill", "-m", tiny_folder, "--text", "a [MASK]")
    assert (code, out) == (4, "")
    assert err == f"distil: error: {tiny_folder} is for: distil classify\n"
    folder = make_model(head="MaskedLanguageModel")
    text = (folder / "vocab.txt").read_text()
    (folder / "vocab.txt").write_text(text.replace("[MASK]\n", "[HOLE]\n"))
    code, out, err = distil("fill", "-m", folder, "--text", "a [MASK]")
    assert (code, out) == (4, "")
    assert "has no [MASK]" in err
