import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from distilcli.predictors.classifier import Classifier
from tests.commands._parse import delimited, json_lines
from tests.commands.conftest import TEXTS

Distil = Callable[..., tuple[int, str, str]]


def labels_of(model: Path, *items: str | tuple[str, str]) -> list[str]:
    """The labels that the library gives."""
    classifier = Classifier(str(model), device="cpu")
    return [classifier.labels[result.ranked()[0]] for result in classifier(items)]


def test_labels_are_those_of_the_library(distil: Distil, tiny_folder: Path, csv_file: Path) -> None:
    code, out, err = distil("classify", csv_file, "--model", tiny_folder)
    rows = delimited(out)
    assert code == 0
    assert list(rows[0]) == ["id", "text", "label", "score"]
    assert [row["id"] for row in rows] == ["00", "01", "02"]
    assert [row["text"] for row in rows] == list(TEXTS)
    assert [row["label"] for row in rows] == labels_of(tiny_folder, *TEXTS)
    assert all(0.5 <= float(row["score"]) <= 1 for row in rows)
    assert err.startswith(f"distil: model {tiny_folder} on ")
    assert "text column 'text'" in err
    assert "\ndistil: 3 rows in " in err


def test_texts_from_the_command_line(distil: Distil, tiny_folder: Path) -> None:
    code, out, err = distil("classify", "-m", tiny_folder, "--text", "good", "--text", "")
    assert code == 6
    assert [row["text"] for row in delimited(out, "\t")] == ["good", ""]
    assert "text column" not in err


def test_one_row_is_counted_as_one(distil: Distil, tiny_folder: Path) -> None:
    assert "distil: 1 row in " in distil("classify", "-m", tiny_folder, "--text", "good")[2]


def test_a_column_by_its_name(distil: Distil, tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,remark\nbad,i loved it\n")
    _, usual, _ = distil("classify", "-m", tiny_folder, path, "--all-scores")
    _, named, err = distil("classify", "-m", tiny_folder, path, "--all-scores", "-c", "remark")
    _, alone, _ = distil("classify", "-m", tiny_folder, "--text", "i loved it", "--all-scores")
    score = "score_positive"
    assert delimited(named)[0][score] == delimited(alone, "\t")[0][score]
    assert delimited(named)[0][score] != delimited(usual)[0][score]
    assert "text column 'remark'" in err


def test_a_dotted_path_into_json(distil: Distil, tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id":1.0,"review":{"body":"i loved it"}}\n{"id":2,"review":{}}\n')
    code, out, _ = distil("classify", "-m", tiny_folder, path, "-c", "review.body")
    first, second = json_lines(out)
    assert code == 6
    assert out.startswith('{"id":1.0,"review":{"body":"i loved it"}, "label": ')
    assert first["label"] == labels_of(tiny_folder, "i loved it")[0]
    assert (second["label"], second["score"]) == (None, None)
    assert second["error"] == "empty text"


def test_pairs(distil: Distil, tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,other\ngood film,bad plot\nboring,fun\n")
    _, out, _ = distil("classify", "-m", tiny_folder, path, "--pair-column", "other")
    pairs = [("good film", "bad plot"), ("boring", "fun")]
    assert [row["label"] for row in delimited(out)] == labels_of(tiny_folder, *pairs)
    _, single, _ = distil("classify", "-m", tiny_folder, path)
    assert delimited(out) != delimited(single)
    code, out, err = distil("classify", "-m", tiny_folder, path, "--pair-column", "othr")
    assert (code, out) == (3, "")
    assert "did you mean 'other'?" in err


def test_the_likeliest_labels(distil: Distil, make_model: Callable[..., Path]) -> None:
    model = make_model(labels=("a", "b", "c"))
    _, out, _ = distil("classify", "-m", model, "--text", "good", "--top-k", 2)
    row = delimited(out, "\t")[0]
    assert list(row) == ["text", "label", "score", "label_2", "score_2"]
    assert float(row["score"]) >= float(row["score_2"])
    _, out, _ = distil("classify", "-m", model, "--text", "good", "--top-k", 9)
    row = delimited(out, "\t")[0]
    assert {row["label"], row["label_2"], row["label_3"]} == {"a", "b", "c"}


def test_all_scores(distil: Distil, make_model: Callable[..., Path]) -> None:
    model = make_model(labels=("a", "b", "c"))
    _, out, _ = distil("classify", "-m", model, "--text", "good", "--all-scores")
    row = delimited(out, "\t")[0]
    assert list(row) == ["text", "label", "score", "score_a", "score_b", "score_c"]
    assert sum(float(row[f"score_{label}"]) for label in "abc") == pytest.approx(1, abs=1e-5)
    assert row["score"] == row[f"score_{row['label']}"]


@pytest.mark.parametrize("given", ["by the option", "by the model"])
def test_several_labels(distil: Distil, make_model: Callable[..., Path], given: str) -> None:
    ours = given == "by the model"
    problem = "multi_label_classification" if ours else "single_label_classification"
    model = make_model(labels=("a", "b", "c"), problem_type=problem)
    asked = [] if ours else ["--multi-label"]
    run = ("classify", "-m", model, *asked, "--text", "good", "--format", "jsonl")
    found = {}
    for threshold in (0, 0.5, 1):
        _, out, _ = distil(*run, "--threshold", threshold)
        found[threshold] = json_lines(out)[0]
    assert set(found[0]["labels"]) == {"a", "b", "c"}
    assert found[0]["scores"] == sorted(found[0]["scores"], reverse=True)
    assert len(found[0.5]["labels"]) == sum(score >= 0.5 for score in found[0]["scores"])
    assert found[1]["labels"] == []
    assert json_lines(distil(*run)[1])[0] == found[0.5]


def test_a_regression_head(distil: Distil, make_model: Callable[..., Path]) -> None:
    model = make_model(labels=("rating",), problem_type="regression")
    code, out, _ = distil("classify", "-m", model, "--text", "good", "--format", "jsonl")
    assert code == 0
    assert list(json_lines(out)[0]) == ["text", "score"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--threshold", "0.5"], "add --multi-label"),
        (["--multi-label", "--top-k", "2"], "--top-k applies to models with one label"),
        (["--stride", "4"], "--stride is for windows; add --long window"),
        (["--window-pooling", "max"], "--window-pooling is for windows"),
        (["--long", "window", "--max-length", "8", "--stride", "8"], "--stride 8"),
        (["--device", "warp"], "--device warp"),
    ],
)
def test_an_option_that_cannot_have_an_effect_is_refused(
    distil: Distil, tiny_folder: Path, arguments: list[str], words: str
) -> None:
    code, out, err = distil("classify", "-m", tiny_folder, "--text", "good", *arguments)
    assert (code, out) == (2, "")
    assert words in err


LONG_TEXT = "i loved the film . " * 8 + "it was bad , dull and boring . " * 8


def test_a_long_text_is_cut_and_marked(distil: Distil, tiny_folder: Path) -> None:
    _, out, err = distil("classify", "-m", tiny_folder, "--text", LONG_TEXT, "--text", "good")
    first, second = delimited(out, "\t")
    assert (first["truncated"], second["truncated"]) == ("true", "")
    assert "truncated: 1 row" in err
    _, out, _ = distil("classify", "-m", tiny_folder, "--text", LONG_TEXT, "--max-length", 8)
    start = " ".join(LONG_TEXT.split()[:6])
    _, alone, _ = distil("classify", "-m", tiny_folder, "--text", start)
    assert delimited(out, "\t")[0]["score"] == delimited(alone, "\t")[0]["score"]


def test_a_long_text_in_windows(distil: Distil, tiny_folder: Path) -> None:
    found = set()
    for settings in (
        ["--stride", 4],
        ["--stride", 8],
        ["--stride", 4, "--window-pooling", "max"],
        ["--stride", 4, "--window-pooling", "first"],
    ):
        run = ("classify", "-m", tiny_folder, "--text", LONG_TEXT, "--all-scores")
        _, out, _ = distil(*run, "--long", "window", "--max-length", 16, *settings)
        row = delimited(out, "\t")[0]
        assert "truncated" not in row
        found.add(row["score_positive"])
    assert len(found) == 4


def test_a_long_text_as_an_error(distil: Distil, tiny_folder: Path) -> None:
    run = ("classify", "-m", tiny_folder, "--text", LONG_TEXT, "--long", "error")
    code, out, err = distil(*run, "--format", "jsonl")
    assert code == 6
    assert "the limit is 64" in json_lines(out)[0]["error"]
    assert "failed: 1 row, the first: " in err


@pytest.mark.parametrize(
    ("arguments", "batches"),
    [(["--batch", "1"], 3), (["--max-tokens", "8"], 3), (["--batch", "2"], 2), ([], 1)],
)
def test_how_rows_are_batched(
    distil: Distil,
    tiny_folder: Path,
    csv_file: Path,
    tmp_path: Path,
    arguments: list[str],
    batches: int,
) -> None:
    run = ("classify", "-m", tiny_folder, csv_file, "--stats", tmp_path / "stats.json")
    _, out, _ = distil(*run, *arguments)
    assert json.loads((tmp_path / "stats.json").read_text())["batches"] == batches
    assert [row["text"] for row in delimited(out)] == list(TEXTS)


def test_threads_and_device_are_named(distil: Distil, tiny_folder: Path, csv_file: Path) -> None:
    _, _, err = distil("classify", "-m", tiny_folder, csv_file, "--device", "cpu", "--threads", 2)
    assert "on cpu (as asked, threads: 2)" in err


def test_a_device_that_is_not_there(distil: Distil, tiny_folder: Path, csv_file: Path) -> None:
    code, out, err = distil("classify", "-m", tiny_folder, csv_file, "--device", "cuda:99")
    assert (code, out) == (5, "")
    assert "--device cuda:99" in err


def test_all_gpus_where_there_is_none(
    distil: Distil, tiny_folder: Path, csv_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, out, err = distil("classify", "-m", tiny_folder, csv_file, "--device", "cuda:all")
    assert (code, out) == (5, "")
    assert "--device cuda:all: not on this machine; use " in err.splitlines()[-1]


def test_offline(distil: Distil, csv_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    from distilcli.checkpoint import hub
    from distilcli.errors import ModelError

    def download(*_: object, **__: object) -> Path:
        raise ModelError("asked the network")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_download", download)
    assert "asked the network" in distil("classify", csv_file, "-m", "some/model")[2]
    code, _, err = distil("classify", csv_file, "-m", "some/model", "--offline")
    assert code == 4
    assert "the network is off" in err


def test_a_head_that_was_never_trained(
    distil: Distil, tiny_folder: Path, csv_file: Path, tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    bare = tmp_path / "bare"
    shutil.copytree(tiny_folder, bare)
    weights = load_file(bare / "model.safetensors")
    kept = {key: weight for key, weight in weights.items() if "classifier" not in key}
    save_file(kept, bare / "model.safetensors")
    code, out, err = distil("classify", csv_file, "-m", bare)
    assert (code, out) == (4, "")
    assert "distil finetune" in err


def test_nothing_to_read(distil: Distil, tiny_folder: Path, csv_file: Path) -> None:
    code, _, err = distil("classify", "-m", tiny_folder)
    assert code == 2
    assert "nothing to read; give files" in err
    code, _, err = distil("classify", "-m", tiny_folder, csv_file, "--text", "good")
    assert code == 2
    assert "do not go together" in err


def test_whole_files_of_a_folder_are_classified(
    distil: Distil, tiny_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    texts = {"a.txt": "i loved the film\nit was fun\n", "b.log": "it was dull"}
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "c.bin").write_bytes(b"\xff\xfe\x00")
    code, out, _ = distil("classify", folder, "--whole-files", "-m", tiny_folder)
    rows = delimited(out, "\t")
    assert code == 6
    assert [(row["text"], row["file"]) for row in rows[:2]] == [
        (text, str(folder / name)) for name, text in texts.items()
    ]
    assert rows[2]["error"].startswith(f"{folder / 'c.bin'}: ")
    code, _, err = distil("classify", folder, "-m", tiny_folder)
    assert (code, err.count("\n")) == (3, 1)


def test_a_table_of_a_database_in_and_out(
    distil: Distil, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("a.db")) as database:
        database.execute("CREATE TABLE reviews (id INTEGER, text TEXT, stars)")
        rows = [(7, "i loved it", "04"), (8, "bad film", 2.0)]
        database.executemany("INSERT INTO reviews VALUES (?, ?, ?)", rows)
        database.commit()
    command = ("classify", "a.db::reviews", "-m", tiny_folder, "-o", "a.db::labelled")
    assert distil(*command)[0] == 0
    with closing(sqlite3.connect("a.db")) as database:
        found = database.execute("SELECT * FROM labelled").fetchall()
    assert [row[:3] for row in found] == rows
    types = [[type(cell) for cell in row[2:]] for row in found]
    assert types == [[str, str, float], [float, str, float]]
    code, _, err = distil(*command)
    assert code == 2
    assert "a.db: has a table 'labelled' already; use --force to replace it" in err
    assert distil(*command, "--force", "--limit", 1)[0] == 0
    with closing(sqlite3.connect("a.db")) as database:
        assert database.execute("SELECT count(*) FROM labelled").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM reviews").fetchone() == (2,)


def test_columns_that_are_joined_give_the_labels_of_their_text(
    distil: Distil, tiny_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,body\na bad film,i loved it\n")
    model = ("-m", tiny_folder, "--format", "jsonl")
    for join, text in (((), "a bad film i loved it"), (("--join", ". "), "a bad film. i loved it")):
        code, out, _ = distil("classify", path, "-c", "title,body", *join, *model)
        assert code == 0
        joined = json.loads(out)
        alone = json.loads(distil("classify", "--text", text, *model)[1])
        assert (joined["label"], joined["score"]) == (alone["label"], alone["score"])


@pytest.mark.parametrize("command", [("classify",), ("tokenize",)])
def test_doubts_about_a_file_are_noted_once(
    distil: Distil, tiny_folder: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,text\ngood,bad,\ngood,bad,\n")
    code, _, err = distil(*command, path, "-m", tiny_folder)
    assert code == 0
    assert err.count("2 columns are named 'text'; the first one is read") == 1
    assert err.count("the surplus ones are empty and ignored") == 1
    assert "named 'text'" not in distil(*command, path, "-m", tiny_folder, "-q")[2]
