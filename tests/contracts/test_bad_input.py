"""Bad input ends in one line on stderr, the right exit code, and nothing half-written."""

import json
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands._parse import delimited, json_lines

Distil = Callable[..., tuple[int, str, str]]


@pytest.fixture
def refused(
    distil: Distil, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return a function that runs a command to a file, and checks how it fails."""
    monkeypatch.chdir(tmp_path)

    def refused(code: int, *arguments: object, model: object = tiny_folder) -> str:
        before = sorted(tmp_path.rglob("*"))
        found, out, err = distil(
            "classify", "--model", model, "--output", "out.csv", "--stats", "s.json", *arguments
        )
        *notes, last = err.splitlines()
        assert (found, out) == (code, "")
        assert last.startswith("distil: error: ")
        assert all(note.startswith("distil: ") and ": error: " not in note for note in notes)
        assert sorted(tmp_path.rglob("*")) == before
        return last.removeprefix("distil: error: ")

    return refused


def put(name: str, content: bytes | str) -> str:
    """Write a file into the current folder and return its name."""
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def test_a_missing_file(refused: Callable[..., str]) -> None:
    assert refused(3, "no.csv") == "no.csv: no such file"
    assert refused(3, "*.csv") == "*.csv: no file matches"


def test_a_folder(refused: Callable[..., str]) -> None:
    Path("folder").mkdir()
    assert "name its files, such as 'folder/*.csv'" in refused(3, "folder")


def test_an_unknown_suffix(refused: Callable[..., str]) -> None:
    assert (
        "give --input-format (csv, tsv, jsonl, json, txt, squad, conll, parquet, xlsx, sqlite)"
        in refused(2, put("a.doc", "text\na\n"))
    )


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.txt", "a.csv.gz"])
def test_an_empty_file(refused: Callable[..., str], name: str) -> None:
    assert refused(3, put(name, "")) == f"{name}: is empty; a header or a row is needed"


def test_one_bad_file_among_good_ones(refused: Callable[..., str]) -> None:
    put("a.csv", "text\ngood\n")
    assert "b.csv: has no column 'text'" in refused(3, "a.csv", put("b.csv", "txt\ngood\n"))
    assert "c.csv: is empty" in refused(3, "a.csv", put("c.csv", ""))


@pytest.mark.parametrize(
    ("output_format", "expected"),
    [
        ("csv", "id,text,label,score\n"),
        ("tsv", "id\ttext\tlabel\tscore\n"),
        ("jsonl", ""),
        ("json", "[]\n"),
    ],
)
def test_a_header_alone_is_no_error(
    distil: Distil, tiny_folder: Path, tmp_path: Path, output_format: str, expected: str
) -> None:
    (tmp_path / "a.csv").write_text("id,text\n")
    run = ("classify", "-m", tiny_folder, tmp_path / "a.csv", "--format", output_format)
    assert distil(*run)[:2] == (0, expected)
    output = tmp_path / "out.data"
    assert distil(*run, "-o", output)[:2] == (0, "")
    assert output.read_text() == expected


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_column_that_is_not_there(refused: Callable[..., str], name: str) -> None:
    put("a.csv", "id,Body,stars\n1,good,5\n")
    put("a.jsonl", '{"id": 1, "Body": "good", "stars": 5}\n')
    expected = f"no column 'bdy' in {name}; did you mean 'Body'? (columns: id, Body, stars)"
    assert refused(3, name, "--text-column", "bdy") == expected
    assert refused(3, name, "--pair-column", "bdy") == expected


def test_no_column_that_looks_like_text(refused: Callable[..., str]) -> None:
    message = refused(3, put("a.csv", "id,stars\n1,5\n"))
    assert "name it with --text-column (columns: id, stars)" in message


MALFORMED = "text,n\ngood,1\nbad\ndull,3,4\nfun,5\n"


def test_malformed_rows_are_kept(distil: Distil, tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(MALFORMED)
    output = tmp_path / "out.csv"
    code, out, err = distil("classify", "-m", tiny_folder, tmp_path / "a.csv", "-o", output)
    rows = delimited(output.read_text())
    assert (code, out) == (6, "")
    assert [row["text"] for row in rows] == ["good", "bad", "dull", "fun"]
    assert [row["label"] == "" for row in rows] == [False, True, True, False]
    assert rows[1]["error"].endswith("a.csv: line 3: 1 cell where the header has 2")
    assert "line 4: 3 cells where the header has 2" in rows[2]["error"]
    assert rows[2]["error"].endswith("left over: '4'")
    assert "failed: 2 rows, the first: " in err


def test_malformed_rows_are_skipped(distil: Distil, tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(MALFORMED)
    run = ("classify", "-m", tiny_folder, tmp_path / "a.csv", "--on-error", "skip")
    code, out, _ = distil(*run)
    assert code == 6
    assert [row["text"] for row in delimited(out)] == ["good", "fun"]
    assert "error" not in delimited(out)[0]


def test_a_malformed_row_stops_the_run(
    refused: Callable[..., str], distil: Distil, tiny_folder: Path
) -> None:
    message = refused(3, put("a.csv", MALFORMED), "--on-error", "stop")
    assert message == "a.csv: line 3: 1 cell where the header has 2"
    _, out, _ = distil("classify", "-m", tiny_folder, "a.csv", "--on-error", "stop")
    assert [row["text"] for row in delimited(out)] == ["good"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.txt"])
def test_invalid_utf8(refused: Callable[..., str], name: str) -> None:
    first = '{"text": "good"}' if name == "a.jsonl" else "text"
    message = refused(3, put(name, first.encode() + b"\ncaf\xe9\n"))
    assert message.startswith(f"{name}: line 2: byte 4 of the line (0xe9) is not utf-8")
    assert message.endswith("try --encoding cp1252")


def test_a_broken_json_line(distil: Distil, tiny_folder: Path, refused: Callable[..., str]) -> None:
    put("a.jsonl", '{"text": "good"}\n{"text": "bad"\n[1]\n{"text": "fun"}\n')
    code, out, _ = distil("classify", "-m", tiny_folder, "a.jsonl")
    rows = json_lines(out)
    assert code == 6
    assert [row.get("text", row.get("raw")) for row in rows] == [
        "good",
        '{"text": "bad"',
        "[1]",
        "fun",
    ]
    assert rows[1]["error"].startswith("a.jsonl: line 2, column 15: broken JSON: ")
    assert rows[2]["error"] == "a.jsonl: line 3: a JSON object is expected, not an array"
    message = refused(3, "a.jsonl", "--on-error", "stop")
    assert message.startswith("a.jsonl: line 2, column 15: broken JSON")


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
def test_a_file_that_is_not_what_its_suffix_says(refused: Callable[..., str], suffix: str) -> None:
    if suffix == "zst":
        pytest.importorskip("zstandard")
    message = refused(3, put(f"a.csv.{suffix}", "text\ngood\n"))
    assert message.startswith(f"a.csv.{suffix}: not valid ")


# Models.


@pytest.fixture
def model(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be broken; and a file of rows beside it."""
    (tmp_path / "a.csv").write_text("text\ngood\n")
    return Path(shutil.copytree(tiny_folder, tmp_path / "broken"))


def test_a_truncated_safetensors_header(refused: Callable[..., str], model: Path) -> None:
    weights = model / "model.safetensors"
    for size in (0, 4, 100):
        weights.write_bytes(weights.read_bytes()[:size])
        assert str(weights) in refused(4, "a.csv", model=model)


def test_truncated_safetensors_data(refused: Callable[..., str], model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    assert "download it again" in refused(4, "a.csv", model=model)


def test_an_oversized_safetensors_header(refused: Callable[..., str], model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes((1 << 62).to_bytes(8, "little") + weights.read_bytes()[8:])
    assert str(weights) in refused(4, "a.csv", model=model)


class _Bomb:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("ran"),)


def test_a_pickle_that_would_run_code(refused: Callable[..., str], model: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(pickle.dumps({"classifier.weight": _Bomb()}))
    message = refused(4, "a.csv", model=model)
    assert "refused, because it has more than weights and could run code" in message
    assert not Path("ran").exists()


def test_a_pickle_that_would_run_code_in_the_format_of_torch(
    refused: Callable[..., str], model: Path
) -> None:
    import torch

    (model / "model.safetensors").unlink()
    torch.save({"classifier.weight": _Bomb()}, model / "pytorch_model.bin")
    assert "could run code" in refused(4, "a.csv", model=model)
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "change",
    [
        "{",
        "[]",
        "",
        "\xff",
        {"model_type": "gpt2"},
        {"model_type": None, "architectures": None},
        {"dim": "wide"},
        {"dim": -32},
        {"dim": 33},
        {"n_heads": 0},
        {"n_layers": 3},
        {"vocab_size": 7},
        {"hidden_dim": 65},
        {"id2label": {"0": "a", "1": "b", "2": "c"}},
        {"id2label": ["a"]},
        {"problem_type": "guessing"},
    ],
    ids=str,
)
def test_a_wrong_configuration(
    refused: Callable[..., str], model: Path, change: str | dict[str, object]
) -> None:
    path = model / "config.json"
    if isinstance(change, str):
        path.write_bytes(change.encode("latin-1"))
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert str(model) in refused(4, "a.csv", model=model)


def test_a_folder_that_is_no_model(refused: Callable[..., str], model: Path) -> None:
    (model / "config.json").unlink()
    assert "no config.json here" in refused(4, "a.csv", model=model)


def test_a_model_without_a_tokenizer(refused: Callable[..., str], model: Path) -> None:
    (model / "vocab.txt").unlink()
    assert "neither tokenizer.json nor vocab.txt" in refused(4, "a.csv", model=model)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "line 1, column 2: not JSON"),
        ("", "line 1, column 1: not JSON"),
        ('{"model": 1}', "its model is None, not 'WordPiece'"),
    ],
)
def test_a_broken_tokenizer(
    refused: Callable[..., str], model: Path, content: str, fault: str
) -> None:
    (model / "tokenizer.json").write_text(content)
    assert f"tokenizer.json: {fault}" in refused(4, "a.csv", model=model)


def test_a_hub_model_without_the_network(refused: Callable[..., str], tmp_path: Path) -> None:
    put("a.csv", "text\ngood\n")
    message = refused(4, "a.csv", "--offline", model="some-org/no-such-model")
    assert message.startswith("model 'some-org/no-such-model' is not in the local cache")


def test_a_misspelt_model(refused: Callable[..., str], model: Path) -> None:
    assert "did you mean" in refused(4, "a.csv", model=model.with_name("brokn"))


def test_an_object_where_an_array_is_meant_and_an_array_cut_off(
    refused: Callable[..., str],
) -> None:
    assert refused(3, put("a.json", '{"text": "a"}')) == (
        "a.json: is not SQuAD JSON: there is no list at 'data' (keys: text); rows are an array of "
        "objects, or JSON lines (.jsonl)"
    )
    cut_off = refused(3, put("b.json", '[{"text": "good"},\n {"text": "ba'))
    assert cut_off == "b.json: line 2: the JSON is cut off; the file is truncated"


def test_tables_and_sheets_that_are_not_there(refused: Callable[..., str]) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    with closing(sqlite3.connect("a.db")) as database:
        for name in ("one", "two"):
            database.execute(f"CREATE TABLE {name} (text)")
    assert refused(3, "a.db::x") == "a.db: has no table 'x'; it has one, two"
    assert refused(3, "a.db") == "a.db: has 2 tables (one, two); name one: a.db::one"
    book = openpyxl.Workbook()
    book.active.title = "First"
    book.active.append(["text"])
    book.create_sheet("Second").append(["text"])
    book.save("a.xlsx")
    assert refused(3, "a.xlsx") == "a.xlsx: has 2 sheets (First, Second); name one: a.xlsx::First"
    Path("a.xlsx").write_bytes(Path("a.xlsx").read_bytes()[:-100])
    assert refused(3, "a.xlsx::Second") == (
        "a.xlsx: is an Excel workbook or another zip archive that is damaged or cut off; get it "
        "again, or save it again in a spreadsheet program"
    )
