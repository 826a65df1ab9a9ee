import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.app import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def model(tmp_path: Path, vocab: list[str]) -> Path:
    """A folder with a tokenizer and nothing else."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 10}))
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], model: Path) -> Run:
    def run(*arguments: object, model: Path | None = model) -> tuple[int, str, str]:
        chosen = ["--model", str(model)] if model else []
        code = main(["tokenize", *chosen, *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


def json_lines(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_pipe_gets_rows_with_their_tokens(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "The film, unlike", "n": 1.0}\n{"text": "", "n": null}\n')
    code, out, err = run(path)
    assert code == 0
    first, empty = json_lines(out)
    assert first == {
        "text": "The film, unlike",
        "n": 1.0,
        "n_tokens": 7,
        "tokens": ["[CLS]", "the", "film", ",", "un", "##like", "[SEP]"],
        "ids": first["ids"],
        "offsets": [[0, 0], [0, 3], [4, 8], [8, 9], [10, 12], [12, 16], [0, 0]],
        "word_ids": [None, 0, 1, 2, 3, 3, None],
    }
    assert empty["tokens"] == ["[CLS]", "[SEP]"]
    assert '"n": 1.0, ' in out
    assert "2 rows in" in err


def test_csv_cells_are_json(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('id,text\n007,"the ""film"""\n')
    (row,) = csv.DictReader(io.StringIO(run(path)[1]))
    assert row["id"] == "007"
    assert json.loads(row["tokens"]) == ["[CLS]", "the", '"', "film", '"', "[SEP]"]
    assert len(json.loads(row["ids"])) == int(row["n_tokens"]) == 6


@pytest.mark.parametrize("engine", ["fast", "wordpiece"])
def test_either_engine_gives_the_same(run: Run, engine: str) -> None:
    text = ["--text", "Unlike the naïve 中 film", "--format", "jsonl", "-q"]
    assert run(*text, "--engine", engine) == run(*text)


def test_chosen_columns(run: Run) -> None:
    _, out, _ = run("--text", "the film", "--columns", "ids, n_tokens", "--format", "jsonl")
    (row,) = json_lines(out)
    assert list(row) == ["text", "ids", "n_tokens"]


def test_pairs(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("text,other\nthe film,good\n")
    _, out, _ = run(path, "--pair-column", "other", "--format", "jsonl")
    (row,) = json_lines(out)
    assert row["tokens"] == ["[CLS]", "the", "film", "[SEP]", "good", "[SEP]"]
    assert row["token_type_ids"] == [0, 0, 0, 0, 1, 1]
    assert row["offsets"] == [[0, 0], [0, 3], [4, 8], [0, 0], [0, 4], [0, 0]]


def test_windows(run: Run) -> None:
    text = "the film was very good and the book was not"
    _, out, _ = run(
        *("--text", text, "--long", "window", "--max-length", 8, "--stride", 2),
        *("--format", "jsonl"),
    )
    (row,) = json_lines(out)
    assert row["windows"] == [[0, 8], [8, 16]]
    assert row["tokens"][8:11] == ["[CLS]", "good", "and"]  # type: ignore[index]
    assert row["offsets"][9] == [18, 22]  # type: ignore[index]


def test_truncation_is_marked_and_takes_the_models_limit(run: Run) -> None:
    text = " ".join(["the"] * 20)
    _, out, _ = run("--text", text, "--text", "the", "--long", "truncate", "--format", "jsonl")
    cut, whole = json_lines(out)
    assert (cut["n_tokens"], cut["truncated"]) == (10, True)
    assert "truncated" not in whole
    _, out, _ = run("--text", text, "--format", "jsonl")
    assert json_lines(out)[0]["n_tokens"] == 22


def test_a_bad_row_does_not_stop_the_run(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "the"}\n{"text": \n{"text": ["x"]}\n{"text": "a"}\n')
    code, out, err = run(path)
    assert code == 6
    rows = json_lines(out)
    assert [row.get("error") is not None for row in rows] == [False, True, True, False]
    assert rows[1]["tokens"] is None
    assert "2 failed" in err
    code, out, _ = run(path, "--on-error", "skip")
    assert (code, len(json_lines(out))) == (6, 2)
    code, out, err = run(path, "--on-error", "stop")
    assert (code, len(json_lines(out))) == (3, 1)
    assert "line 2, column 10: broken JSON" in err


def test_too_long_is_an_error_if_wanted(run: Run) -> None:
    code, out, _ = run("--text", "the " * 20, "--long", "error", "--format", "jsonl")
    assert code == 6
    assert "line 1: 22 tokens, the limit is 10" in str(json_lines(out)[0]["error"])


def test_a_file_is_written_whole(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert run("--text", "the", "-o", path)[:2] == (0, "")
    assert json_lines(path.read_text())[0]["n_tokens"] == 3
    code, _, err = run("--text", "the", "-o", path)
    assert code == 2
    assert "--force" in err
    assert run("--text", "the", "-o", path, "--force", "--prefix", "t_")[0] == 0
    assert "t_tokens" in json_lines(path.read_text())[0]


def test_decoding_undoes_tokenizing(run: Run, tmp_path: Path) -> None:
    _, out, _ = run("--text", "The film wasn't good.", "--format", "jsonl", "--columns", "ids")
    path = tmp_path / "ids.jsonl"
    path.write_text(out)
    code, out, _ = run("--decode", path)
    assert code == 0
    assert json_lines(out)[0]["decoded"] == "the film wasn't good."


@pytest.mark.parametrize(
    ("ids", "why"),
    [
        ("999999", "id 999999 is not in the vocabulary (0 to "),
        ("[1, -2]", "'-2' is not an id"),
        ("1 x", "'x' is not an id"),
        ("1.5", "'1.5' is not an id"),
    ],
)
def test_ids_that_are_none(run: Run, ids: str, why: str) -> None:
    code, out, _ = run("--decode", "--text", ids, "--format", "jsonl")
    assert code == 6
    assert why in str(json_lines(out)[0]["error"])
    code, _, err = run("--decode", "--text", ids, "--on-error", "stop")
    assert code == 3
    assert why in err


def test_decoding_what_is_no_list(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"ids": {"a": 1}}\n')
    code, _, err = run("--decode", path, "--on-error", "stop")
    assert code == 3
    assert "line 1, column 'ids': no ids here" in err


def test_statistics(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("the film\nthe ж film\n" + "the " * 20 + "\n")
    code, out, _ = run(path, "--stats", "--format", "json")
    figures = json.loads(out)
    assert code == 0
    assert (figures["rows"], figures["longest"], figures["rows_over_limit"]) == (3, 22, 1)
    assert figures["unknown_words"] == [["ж", 1]]
    lines = dict(line.split("\t") for line in run(path, "--stats")[1].splitlines())
    assert (lines["name"], lines["rows"], lines["p50"]) == ("value", "3", "5")


def test_differences(run: Run, tmp_path: Path, vocab: list[str]) -> None:
    other = tmp_path / "other.txt"
    other.write_text("\n".join([*vocab, "unlike"]) + "\n")
    path = tmp_path / "in.txt"
    path.write_text("the film\nunlike the film\n")
    code, out, err = run(path, "--diff", other, "--format", "jsonl", "--json")
    assert code == 0
    (row,) = json_lines(out)
    assert row["differences"] == [
        {"start": 0, "end": 6, "text": "unlike", "here": ["un", "##like"], "there": ["unlike"]}
    ]
    assert json.loads(err.splitlines()[-2])["rows_that_differ"] == 1
    assert "1 of 2 rows differ" in err
    _, out, err = run(path, "--diff", "wordpiece", "--format", "jsonl")
    assert out == ""
    assert "0 of 2 rows differ" in err


def test_training_makes_a_tokenizer(run: Run, tmp_path: Path) -> None:
    texts = tmp_path / "in.txt"
    texts.write_text("the unlikely film\n" * 5)
    folder = tmp_path / "new"
    code, out, err = run(*(texts, "--train", "--vocab-size", 200, "-o", folder), model=None)
    assert (code, out) == (0, "")
    assert f"--model {folder}" in err
    _, out, _ = run("--text", "unlikely", "--format", "jsonl", model=folder)
    assert json_lines(out)[0]["tokens"] == ["[CLS]", "unlikely", "[SEP]"]
    assert run(texts, "--train", "-o", folder, model=None)[0] == 2
    assert run("--text", " ", "--train", "-o", tmp_path / "none", model=None)[0] == 3
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stats", "--decode"], "--decode and --statistics do not go together"),
        (["--stats", "--columns", "ids"], "--columns has no effect with --statistics"),
        (["--stats", "--file-column", "x"], "--file-column has no effect with --statistics"),
        (["--decode", "--pair-column", "x"], "--pair-column has no effect with --decode"),
        (["--train", "--engine", "fast"], "--engine has no effect with --train"),
        (["--plot", "x.png"], "--plot has no effect without --statistics"),
        (["--vocab-size", "200"], "--vocab-size has no effect without --train"),
        (["--stride", "2"], "--stride has no effect without --long window"),
        (["--truncation", "only_first"], "without --pair-column"),
        (["--cased"], "--cased goes with --vocab"),
        (["--columns", "id"], "--columns 'id' is unknown"),
        (["--train"], "needs a folder"),
        (["--stats", "--format", "jsonl"], "--statistics is one document"),
        (["--long", "window", "--stride", "7", "--max-length", "8"], "--stride 7 is not smaller"),
    ],
)
def test_options_that_cannot_be_meant(
    run: Run, model: Path, arguments: list[str], words: str
) -> None:
    trains = "--train" in arguments
    code, out, err = run("--text", "the", *arguments, model=None if trains else model)
    assert (code, out) == (2, "")
    assert words in err.splitlines()[-1]


def test_a_vocabulary_file(run: Run, model: Path, tmp_path: Path) -> None:
    path = model / "vocab.txt"
    _, out, err = run("--vocab", path, "--text", "THE", "--format", "jsonl", model=None)
    assert json_lines(out)[0]["tokens"] == ["[CLS]", "the", "[SEP]"]
    assert "uncased" in err
    _, out, err = run("--vocab", path, "--cased", "--text", "THE", "--format", "jsonl", model=None)
    assert "[UNK]" in out
    code, _, err = run("--vocab", path, "--text", "x", "--long", "truncate", model=None)
    assert code == 2
    assert "needs --max-length" in err
    assert run("--vocab", path, "--text", "x")[0] == 2
    assert run("--vocab", tmp_path / "none", "--text", "x", model=None)[0] == 4


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("vocab.txt", b"[PAD]\n[CLS]\n[SEP]\n", "no [UNK]"),
        ("vocab.txt", b"[UNK]\na\na\n", "line 3: 'a' is on line 2 already"),
        ("vocab.txt", b"[UNK]\n\xff\n", "line 2: byte 0xff is not UTF-8"),
        ("tokenizer.json", b'{"model": {"type": "BPE"}}', "its model is 'BPE'"),
        ("tokenizer.json", b"\xff", "line 1: byte 0xff is not UTF-8"),
    ],
)
def test_a_model_that_cannot_be_used(
    run: Run, model: Path, name: str, content: bytes, words: str
) -> None:
    (model / name).write_bytes(content)
    code, out, err = run("--text", "x")
    assert (code, out) == (4, "")
    assert words in err
    assert err.count("\n") == 1


def test_people_see_tokens_over_their_ids(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    text = ["--text", "The ж unlike film \x1b[31m", "--format", "table"]
    code, out, _ = run(*text)
    assert code == 0
    assert "\x1b" not in out
    lines = out.splitlines()
    assert lines[0].startswith("--text, line 1: ")
    assert "unknown" in lines[0]
    assert lines[1].split()[:3] == ["[CLS]", "the", "[UNK:ж]"]
    assert all(number.isdigit() for number in lines[2].split())
    assert "un ##like" in out
    assert max(map(len, lines[1:])) <= 30


def test_people_see_figures_and_differences(run: Run, tmp_path: Path, vocab: list[str]) -> None:
    other = tmp_path / "other.txt"
    other.write_text("\n".join([*vocab, "unlike"]) + "\n")
    texts = ["--text", "unlike [red]ж[/red]", "--text", "the " * 40, "--format", "table"]
    _, out, _ = run(*texts, "--stats")
    assert "over 10" in out
    assert "█" in out
    assert "ж" in out
    _, out, _ = run(*texts, "--diff", other)
    assert "un ##like" in out
    assert "The most frequent differences" in out


def test_only_the_first_rows_are_shown(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("the\n" * 30)
    _, out, err = run(path, "--format", "table")
    assert out.count("[CLS]") == 20
    assert "20 rows are shown at most" in err
    assert run(path, "--format", "table", "--limit", 25)[1].count("[CLS]") == 25


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pipes close differently there")
def test_a_live_pipe_gets_each_row_at_once(model: Path) -> None:
    command = [sys.executable, "-m", "distilcli", "tokenize", "--model", str(model), "-q"]
    with subprocess.Popen(
        [*command, "--input-format", "jsonl", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for word in ("the", "film"):
            process.stdin.write(json.dumps({"text": word}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["tokens"][1] == word
        process.stdin.close()
        assert process.wait(20) == 0
