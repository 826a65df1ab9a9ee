import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from distilcli.app import main
from distilcli.predictors.embedder import Embedder
from distilcli.tasks.settings import LongTexts
from tests.commands._parse import delimited, json_lines
from tests.console.conftest import Terminal, terminal
from tests.predictors.test_embedder import write_recipe

__all__ = ["terminal"]

Distil = Callable[..., tuple[int, str, str]]
Make = Callable[..., Path]
TEXTS = ("i loved the film", "it was dull and slow", "good acting , bad plot")
LONG = "i loved the film but it was dull , slow and boring . the camera is great ! " * 3


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def csv_file(tmp_path: Path) -> str:
    rows = "".join(f'k{n},"{text}",{LONG if n else "a film"}\n' for n, text in enumerate(TEXTS))
    rows = rows.replace(f",{LONG}", f',"{LONG}"')
    (tmp_path / "reviews.csv").write_text("id,text,more\n" + rows)
    return "reviews.csv"


@pytest.fixture
def index(distil: Distil, tiny_folder: Path, csv_file: str) -> str:
    assert distil("embed", csv_file, "-m", tiny_folder, "-o", "index.npy")[0] == 0
    return "index.npy"


def vectors_of(model: Path, texts: Any = TEXTS, **options: Any) -> np.ndarray:
    """The vectors that the library gives."""
    return Embedder(str(model), device="cpu", **options)(texts)


def embeddings(rows: list[dict[str, Any]]) -> np.ndarray:
    values = [row["embedding"] for row in rows]
    return np.array([json.loads(v) if isinstance(v, str) else v for v in values], np.float32)


def beside(path: str) -> list[dict[str, Any]]:
    return json_lines(Path(f"{path}.rows.jsonl").read_text())


def about(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"{path}.json").read_text())
    return found


def close(one: Any, other: Any) -> bool:
    return np.shape(one) == np.shape(other) and bool(np.allclose(one, other, atol=1e-5))


def test_rows_keep_their_columns(distil: Distil, tiny_folder: Path, csv_file: str) -> None:
    code, out, err = distil("embed", csv_file, "-m", tiny_folder)
    rows = delimited(out)
    assert code == 0
    assert list(rows[0]) == ["id", "text", "more", "embedding"]
    assert close(embeddings(rows), vectors_of(tiny_folder))
    assert "vectors: 32 x float32, mean, text column 'text'" in err
    assert "\ndistil: 3 rows in " in err


@pytest.mark.parametrize(
    "suffix",
    ["csv", "tsv", "jsonl", "json", "csv.gz"],
)
def test_formats_of_rows(distil: Distil, tiny_folder: Path, csv_file: str, suffix: str) -> None:
    import gzip

    name = f"out.{suffix}"
    assert distil("embed", csv_file, "-m", tiny_folder, "-o", name)[0] == 0
    content = Path(name).read_bytes()
    text = (gzip.decompress(content) if suffix.endswith("gz") else content).decode()
    if suffix == "json":
        rows = json.loads(text)
    elif suffix == "jsonl":
        rows = json_lines(text)
        assert isinstance(rows[0]["embedding"], list)
    else:
        rows = delimited(text, "\t" if suffix == "tsv" else ",")
    assert close(embeddings(rows), vectors_of(tiny_folder))


@pytest.mark.slow
def test_parquet_has_lists_of_numbers(distil: Distil, tiny_folder: Path, csv_file: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run = ("embed", csv_file, "-m", tiny_folder)
    assert distil(*run, "-o", "a.parquet")[0] == 0
    table = parquet.read_table("a.parquet")
    assert str(table.schema.field("embedding").type).startswith("list<")
    assert close(table["embedding"].to_pylist(), vectors_of(tiny_folder))
    assert distil(*run, "-o", "t.parquet", "--tokens")[0] == 0
    found = parquet.read_table("t.parquet")["embeddings"].to_pylist()
    for vectors, value in zip(
        found, Embedder(str(tiny_folder), device="cpu").tokens(TEXTS), strict=True
    ):
        assert close(vectors, value.vectors)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["npy", "safetensors"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "binary"])
def test_formats_of_vectors(
    distil: Distil, tiny_folder: Path, csv_file: str, suffix: str, dtype: str
) -> None:
    name = f"out.{suffix}"
    code, out, _ = distil("embed", csv_file, "-m", tiny_folder, "-o", name, "--dtype", dtype)
    assert (code, out) == (0, "")
    found = np.load(name) if suffix == "npy" else load_file(name)["embeddings"]
    expected = vectors_of(tiny_folder, dtype=dtype)
    assert found.dtype == expected.dtype
    assert np.allclose(found, expected, atol=1e-3 if dtype == "float16" else 1e-5)
    assert beside(name) == [{"id": n, "text": text} for n, text in enumerate(TEXTS, start=1)]
    told = about(name)
    assert (told["model"], told["dims"], told["dtype"]) == (str(tiny_folder), 32, dtype)
    assert (told["vectors"], told["normalized"], told["pooling"]) == (3, False, "mean")


def test_the_format_may_be_said(distil: Distil, tiny_folder: Path, csv_file: str) -> None:
    run = ("embed", csv_file, "-m", tiny_folder)
    assert distil(*run, "--format", "npy", "-o", "vectors")[0] == 0
    assert close(np.load("vectors"), vectors_of(tiny_folder))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--pooling", "max"], {"pooling": "max"}),
        (["--pooling", "last-2"], {"pooling": "last-2"}),
        (["--normalize"], {"normalize": True}),
        (["--dims", "5"], {"dims": 5}),
        (["--layer", "1"], {"layer": 1}),
        (["--layer", "-2"], {"layer": -2}),
        (["--prompt", "good : "], {"prompt": "good : "}),
        (["--max-length", "8"], {"long_texts": LongTexts(max_length=8)}),
        (
            ["--long", "window", "--max-length", "10", "--stride", "3"],
            {"long_texts": LongTexts(long="window", max_length=10, stride=3)},
        ),
        (
            ["--long", "window", "--max-length", "10", "--stride", "3", "--window-pooling", "max"],
            {"long_texts": LongTexts(long="window", max_length=10, stride=3, window_pooling="max")},
        ),
    ],
)
def test_options_of_vectors(
    distil: Distil, tiny_folder: Path, arguments: list[str], options: dict[str, Any]
) -> None:
    texts = ["a film", LONG]
    given = [part for text in texts for part in ("--text", text)]
    code, out, _ = distil("embed", "-m", tiny_folder, *given, *arguments, "--format", "jsonl")
    assert code == 0
    found = embeddings(json_lines(out))
    assert close(found, vectors_of(tiny_folder, texts, **options))
    assert not close(found, vectors_of(tiny_folder, texts))


@pytest.mark.slow
def test_options_of_a_sentence_model(distil: Distil, make_model: Make) -> None:
    model = write_recipe(make_model(), normalizes=True, prompts={"query": "good : "})
    run = ("embed", "-m", model, "--format", "jsonl", "--text", "a film")
    texts = ["a film"]
    usual = embeddings(json_lines(distil(*run)[1]))
    assert close(usual, vectors_of(model, texts))
    assert np.linalg.norm(usual) == pytest.approx(1, abs=1e-5)
    as_is = embeddings(json_lines(distil(*run, "--no-normalize")[1]))
    assert close(as_is, vectors_of(model, texts, normalize=False))
    assert np.linalg.norm(as_is) > 2
    named = embeddings(json_lines(distil(*run, "--prompt-name", "query")[1]))
    assert close(named, vectors_of(model, ["good : a film"]))
    code, _, err = distil(*run, "--prompt-name", "passage")
    assert (code, err.count("\n")) == (2, 1)
    assert "are: query" in err


def test_another_text_column_and_fewer_rows(
    distil: Distil, tiny_folder: Path, csv_file: str
) -> None:
    run = ("embed", csv_file, "-m", tiny_folder, "-c", "more", "--limit", "1")
    _, out, err = distil(*run)
    assert close(embeddings(delimited(out)), vectors_of(tiny_folder, ["a film"]))
    assert "text column 'more'" in err
    assert distil(*run, "-o", "a.npy")[0] == 0
    assert beside("a.npy") == [{"id": 1, "text": "a film"}]


def test_ids_of_a_column(distil: Distil, tiny_folder: Path, csv_file: str) -> None:
    run = ("embed", csv_file, "-m", tiny_folder, "-o", "a.npy", "--id-column")
    assert distil(*run, "id")[0] == 0
    assert [row["id"] for row in beside("a.npy")] == ["k0", "k1", "k2"]
    code, _, err = distil(*run, "none", "--force")
    assert code in {2, 3}
    assert err.count("\n") == 1


@pytest.mark.slow
def test_tokens_in_rows(distil: Distil, tiny_folder: Path, csv_file: str) -> None:
    expected = Embedder(str(tiny_folder), device="cpu").tokens(TEXTS)
    run = ("embed", csv_file, "-m", tiny_folder, "--tokens")
    for suffix in ("csv", "tsv", "jsonl", "json"):
        code, out, _ = distil(*run, "--format", suffix)
        assert code == 0
        if suffix.startswith("json"):
            rows = json.loads(out) if suffix == "json" else json_lines(out)
        else:
            csv.field_size_limit(10**7)
            names = ("tokens", "offsets", "embeddings")
            rows = [
                {name: json.loads(row[name]) for name in names}
                for row in delimited(out, "\t" if suffix == "tsv" else ",")
            ]
        for row, value in zip(rows, expected, strict=True):
            assert row["tokens"] == value.tokens
            assert [tuple(offset) for offset in row["offsets"]] == value.offsets
            assert close(row["embeddings"], value.vectors)


@pytest.mark.parametrize("suffix", ["npy", "safetensors"])
def test_tokens_in_vectors(distil: Distil, make_model: Make, csv_file: str, suffix: str) -> None:
    model = write_recipe(make_model(), pooling=["cls", "mean"], dense=(64, 7), normalizes=True)
    name = f"a.{suffix}"
    run = ("embed", csv_file, "-m", model, "--tokens", "--id-column", "id")
    assert distil(*run, "-o", name)[0] == 0
    values = Embedder(str(model), device="cpu").tokens(TEXTS)
    found = np.load(name) if suffix == "npy" else load_file(name)["embeddings"]
    assert close(found, np.concatenate([value.vectors for value in values]))
    assert beside(name) == [
        {"id": f"k{n}", "token": token, "start": start, "end": end}
        for n, value in enumerate(values)
        for token, (start, end) in zip(value.tokens, value.offsets, strict=True)
    ]
    assert about(name)["dims"] == 32


def test_search_finds_the_text_itself(distil: Distil, tiny_folder: Path, index: str) -> None:
    code, out, err = distil("embed", "--search", TEXTS[1], "--index", index)
    rows = delimited(out, "\t")
    assert code == 0
    assert [list(row) for row in rows] == [["rank", "score", "id", "text"]] * 3
    assert (rows[0]["rank"], rows[0]["id"], rows[0]["text"]) == ("1", "2", TEXTS[1])
    scores = [float(row["score"]) for row in rows]
    assert scores[0] == pytest.approx(1, abs=1e-5)
    assert scores == sorted(scores, reverse=True)
    vectors = vectors_of(tiny_folder)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert close(scores, np.sort(unit @ unit[1])[::-1])
    assert f"model {tiny_folder}" in err
    assert "3 vectors in index.npy" in err


@pytest.mark.parametrize("suffix", ["npy", "safetensors"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "binary"])
def test_search_in_any_numbers(
    distil: Distil, tiny_folder: Path, csv_file: str, suffix: str, dtype: str
) -> None:
    made = ("--dtype", dtype, "--pooling", "max", "--layer", "1", "--dims", "20")
    name = f"a.{suffix}"
    assert distil("embed", csv_file, "-m", tiny_folder, "-o", name, *made)[0] == 0
    # Pooling, layer and dims are taken from how the index was made.
    code, out, _ = distil(
        "embed", "--search", TEXTS[2], "--index", name, "-k", "1", "--format", "jsonl"
    )
    (row,) = json_lines(out)
    assert code == 0
    assert (row["rank"], row["id"], row["text"]) == (1, 3, TEXTS[2])
    assert row["score"] == pytest.approx(1, abs=0.4 if dtype == "binary" else 1e-3)


def test_several_queries(distil: Distil, index: str) -> None:
    queries = [part for text in reversed(TEXTS) for part in ("--search", text)]
    run = ("embed", *queries, "--index", index, "-k", 2)
    _, out, _ = distil(*run, "-o", "found.csv", "--stats", "stats.json")
    rows = delimited(Path("found.csv").read_text())
    assert out == ""
    assert [row["query"] for row in rows] == [text for text in reversed(TEXTS) for _ in "12"]
    assert [row["text"] for row in rows[::2]] == list(reversed(TEXTS))
    assert [row["rank"] for row in rows] == ["1", "2"] * 3
    stats = json.loads(Path("stats.json").read_text())
    assert (stats["command"], stats["queries"], stats["vectors"]) == ("embed", 3, 3)
    assert distil(*run, "-o", "found.csv")[0] == 2


def test_parquet_has_scores_as_numbers(distil: Distil, index: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert distil("embed", "--search", TEXTS[1], "--index", index, "-o", "a.parquet")[0] == 0
    first = parquet.read_table("a.parquet").to_pylist()[0]
    assert (first["rank"], first["id"], first["text"]) == (1, 2, TEXTS[1])
    assert first["score"] == pytest.approx(1, abs=1e-5)


def test_search_among_vectors_of_others(distil: Distil, tiny_folder: Path) -> None:
    np.save("own.npy", vectors_of(tiny_folder))
    _, out, _ = distil("embed", "--search", TEXTS[2], "--index", "own.npy", "-m", tiny_folder)
    assert delimited(out, "\t")[0]["id"] == "3"
    code, _, err = distil("embed", "--search", "a", "--index", "own.npy")
    assert (code, err.count("\n")) == (2, 1)
    assert "give --model" in err


def test_an_index_of_another_width(distil: Distil, tiny_folder: Path, index: str) -> None:
    code, out, err = distil("embed", "--search", "a", "--index", index, "--dims", "4")
    assert (code, out) == (3, "")
    assert "32 dimensions, those of the query 4" in err.splitlines()[-1]


@pytest.mark.parametrize("content", ["[]", "{}"])
def test_a_file_beside_that_says_nothing(
    distil: Distil, tiny_folder: Path, index: str, content: str
) -> None:
    Path(f"{index}.json").write_text(content)
    assert distil("embed", "--search", "a", "--index", index)[0] == 2
    assert distil("embed", "--search", "a", "--index", index, "-m", tiny_folder)[0] == 0


@pytest.fixture
def doubles(tmp_path: Path) -> str:
    texts = [*TEXTS, TEXTS[0], "x y z 1 2 3", TEXTS[2]]
    lines = (json.dumps({"key": f"k{n}", "text": text}) for n, text in enumerate(texts))
    (tmp_path / "doubles.jsonl").write_text("\n".join(lines) + "\n")
    return "doubles.jsonl"


def test_near_duplicates_of_files(distil: Distil, tiny_folder: Path, doubles: str) -> None:
    run = ("embed", doubles, "-m", tiny_folder, "--format", "jsonl", "--near-duplicates")
    code, out, err = distil(*run, "0.9999", "--id-column", "key", "--stats", "stats.json")
    assert code == 0
    assert json_lines(out) == [
        {"score": 1.0, "id": "k0", "text": TEXTS[0], "other_id": "k3", "other_text": TEXTS[0]},
        {"score": 1.0, "id": "k2", "text": TEXTS[2], "other_id": "k5", "other_text": TEXTS[2]},
    ]
    assert "2 pairs of 6 rows at 0.9999 or nearer" in err
    assert json.loads(Path("stats.json").read_text())["pairs"] == 2
    assert len(json_lines(distil(*run, "-1")[1])) == 15
    scores = [row["score"] for row in json_lines(distil(*run, "0")[1])]
    assert len(scores) >= 2
    assert min(scores) >= 0
    assert len(json_lines(distil(*run, "-1", "--limit", "3")[1])) == 3
    assert sorted(path.name for path in Path().iterdir()) == ["doubles.jsonl", "stats.json"]


def test_near_duplicates_of_an_index(distil: Distil, tiny_folder: Path, doubles: str) -> None:
    assert distil("embed", doubles, "-m", tiny_folder, "-o", "a.npy")[0] == 0
    run = ("embed", "--index", "a.npy", "--near-duplicates", "0.9999")
    code, out, _ = distil(*run)
    rows = delimited(out, "\t")
    assert code == 0
    assert [(row["id"], row["other_id"]) for row in rows] == [("1", "4"), ("3", "6")]
    Path("a.npy.rows.jsonl").unlink()
    bare = delimited(distil(*run)[1], "\t")
    assert [list(row) for row in bare] == [["score", "id", "other_id"]] * 2


def test_near_duplicates_may_be_estimated(distil: Distil, tiny_folder: Path, doubles: str) -> None:
    code, out, err = distil(
        "embed", doubles, "-m", tiny_folder, "--near-duplicates", "0.9", "--dry-run", "--json"
    )
    assert (code, out) == (0, "")
    assert json.loads(err.splitlines()[-1])["rows"] == 6


def test_dedupe_keeps_the_first_of_each_group(
    distil: Distil, tiny_folder: Path, doubles: str
) -> None:
    run = ("embed", doubles, "-m", tiny_folder, "--dedupe", "0.9999")
    files = ("-o", "kept.jsonl", "--dropped", "dropped.csv")
    code, out, err = distil(*run, *files, "--stats", "stats.json")
    assert (code, out) == (0, "")
    texts = [*TEXTS, TEXTS[0], "x y z 1 2 3", TEXTS[2]]
    assert json_lines(Path("kept.jsonl").read_text()) == [
        {"key": f"k{n}", "text": texts[n], "group": group}
        for group, n in enumerate((0, 1, 2, 4), start=1)
    ]
    assert delimited(Path("dropped.csv").read_text()) == [
        {"key": "k3", "text": TEXTS[0], "group": "1", "score": "1.0"},
        {"key": "k5", "text": TEXTS[2], "group": "3", "score": "1.0"},
    ]
    assert "wrote 4 rows to kept.jsonl" in err
    assert "kept 4 rows, dropped 2 near duplicates" in err
    stats = json.loads(Path("stats.json").read_text())
    assert (stats["rows"], stats["kept"], stats["dropped"]) == (6, 4, 2)
    assert distil(*run, "-o", "kept.jsonl")[0] == 2
    assert distil(*run, "--dropped", "dropped.csv")[0] == 2
    _, out, _ = distil(*run, "--prefix", "my_", "--limit", "4")
    assert [row["my_group"] for row in json_lines(out)] == [1, 2, 3]


def test_dedupe_keeps_rows_that_failed_and_other_columns(distil: Distil, tiny_folder: Path) -> None:
    Path("a.csv").write_text("id,text\n007,good\n1e5,good,film\n,good\n")
    code, out, _ = distil("embed", "a.csv", "-m", tiny_folder, "--dedupe", "0.9")
    assert code == 6
    assert [(row["id"], row["group"]) for row in delimited(out)] == [("007", "1"), ("1e5", "")]
    assert "3 cells where the header has 2" in delimited(out)[1]["error"]


def test_dedupe_against_an_index(distil: Distil, tiny_folder: Path, doubles: str) -> None:
    made = ("-m", tiny_folder, "--pooling", "max", "--prompt", "good : ", "--dtype", "float16")
    stored = ("--text", TEXTS[2], "--text", TEXTS[0])
    assert distil("embed", *stored, *made, "-o", "a.npy")[0] == 0
    run = ("embed", doubles, "--index", "a.npy", "--dedupe", "0.999", "--dropped", "d.csv")
    code, out, _ = distil(*run)  # with the model, the pooling and the prompt of the index
    assert code == 0
    assert [(row["key"], row["group"]) for row in json_lines(out)] == [("k1", 1), ("k4", 2)]
    dropped = delimited(Path("d.csv").read_text())
    assert [(row["key"], row["group"], row["index_id"]) for row in dropped] == [
        ("k0", "", "2"), ("k2", "", "1"), ("k3", "", "2"), ("k5", "", "1"),
    ]  # fmt: skip
    code, _, err = distil(*run, "--force", "--dims", "4")
    assert code == 3
    assert "32 dimensions, those of the query 4" in err


def test_dedupe_may_be_estimated(distil: Distil, tiny_folder: Path, doubles: str) -> None:
    run = ("embed", doubles, "-m", tiny_folder, "--dedupe", "0.9", "--dropped", "d.csv")
    code, out, err = distil(*run, "--dry-run", "--json")
    assert (code, out) == (0, "")
    assert json.loads(err.splitlines()[-1])["rows"] == 6
    assert not Path("d.csv").exists()


def test_nothing_is_left_of_a_dedupe_that_fails(distil: Distil, tiny_folder: Path) -> None:
    Path("a.jsonl").write_text('{"text": "a film"}\n{"text": "a film"}\n{"text": \n')
    run = ("embed", "a.jsonl", "-m", tiny_folder, "--dedupe", "0.9", "--on-error", "stop")
    assert distil(*run, "-o", "k.csv", "--dropped", "d.csv")[0] == 3
    assert [path.name for path in Path().iterdir()] == ["a.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["npy", "safetensors"])
@pytest.mark.parametrize("dtype", ["float32", "int8", "binary"])
def test_an_update_embeds_only_new_texts(
    distil: Distil, tiny_folder: Path, suffix: str, dtype: str
) -> None:
    name, rows = f"a.{suffix}", Path("a.csv")
    made = ("--dtype", dtype, "--pooling", "max", "--prompt", "good : ", "--dims", "20")
    rows.write_text(f"k,text\nx,{TEXTS[0]}\ny,{TEXTS[1]}\nz,{TEXTS[0]}\n")
    run = ("embed", "a.csv", "-o", name, "--update", "--id-column", "k")
    assert distil(*run, *made, "-m", tiny_folder)[0] == 0
    first = {path: path.read_bytes() for path in Path().glob("a.*.*")}
    code, _, err = distil(*run)
    assert code == 0
    assert "left out 3 rows whose text is stored already" in err
    assert {path: path.read_bytes() for path in Path().glob("a.*.*")} == first
    rows.write_text(f'k,text\nw,{TEXTS[1]}\nv,"{TEXTS[2]}"\n')
    code, _, err = distil(*run, "--stats", "stats.json")
    assert code == 0
    assert "wrote 1 row to" in err
    stats = json.loads(Path("stats.json").read_text())
    assert (stats["rows"], stats["known_rows"]) == (1, 1)
    found = np.load(name) if suffix == "npy" else load_file(name)["embeddings"]
    options = {"dtype": dtype, "pooling": "max", "prompt": "good : ", "dims": 20}
    assert close(found, vectors_of(tiny_folder, **options))
    assert beside(name) == [
        {"id": key, "text": text} for key, text in zip("xyv", TEXTS, strict=True)
    ]
    assert about(name)["vectors"] == 3
    _, out, _ = distil("embed", "--search", TEXTS[2], "--index", name, "-k", "1")
    assert delimited(out, "\t")[0]["id"] == "v"


def test_an_update_numbers_on_and_tries_failed_rows_again(
    distil: Distil, tiny_folder: Path
) -> None:
    Path("a.txt").write_text(f"a film\n{LONG}\ngood\n")
    run = ("embed", "a.txt", "-m", tiny_folder, "-o", "a.npy", "--update")
    short = ("--long", "error", "--max-length", "9")
    for _ in range(2):
        assert distil(*run, *short)[0] == 6
        assert [row["text"] for row in beside("a.npy")] == ["a film", "good"]
    assert distil(*run)[0] == 0
    assert beside("a.npy")[2] == {"id": 3, "text": LONG}
    assert np.isfinite(np.load("a.npy")).all()


def test_an_update_counts_neither_failed_rows_as_written_nor_empty_ones_as_stored(
    distil: Distil, tiny_folder: Path
) -> None:
    Path("a.csv").write_text("id,text\n1,a film\n2,\n3,good\n4,\n")
    run = ("embed", "a.csv", "-m", tiny_folder, "-o", "a.npy", "--update")
    for written, left_out in (("2 rows", ""), ("0 rows", "left out 2 rows")):
        code, _, err = distil(*run)
        assert code == 6
        assert f"failed: 2 rows, the first: empty text; wrote {written} to a.npy" in err
        assert left_out in err
        assert ("left out" in err) == bool(left_out)
    code, _, err = distil(*run, "--keep-empty")
    assert (code, len(np.load("a.npy"))) == (0, 3)


def test_an_update_from_another_column_is_refused_if_the_first_is_there(
    distil: Distil, tiny_folder: Path
) -> None:
    Path("a.csv").write_text("title,text\na film,good\n")
    run = ("embed", "a.csv", "-m", tiny_folder, "-o", "a.npy")
    assert distil(*run, "-c", "title,text")[0] == 0
    assert about("a.npy")["text_column"] == "title,text"
    before = Path("a.npy").read_bytes()
    code, _, err = distil(*run, "--update")
    assert (code, err.count("\n")) == (2, 1)
    assert (
        "a.npy: its vectors were made from column 'title,text', not 'text'; give --text-col" in err
    )
    assert Path("a.npy").read_bytes() == before


def test_an_update_from_files_with_another_column_tells_so(
    distil: Distil, tiny_folder: Path
) -> None:
    Path("a.csv").write_text("text\ngood\n")
    Path("b.csv").write_text("review\nbad\n")
    Path("c.txt").write_text("a film\n")
    run = ("-m", tiny_folder, "-o", "a.npy", "--update")
    assert distil("embed", "a.csv", *run)[0] == 0
    code, _, err = distil("embed", "b.csv", *run)
    assert code == 0
    assert "its vectors were made from column 'text', not 'review', as in b.csv" in err
    assert "of the column" not in distil("embed", "c.txt", *run)[2]


def test_an_update_adds_to_an_index_with_failed_rows(distil: Distil, tiny_folder: Path) -> None:
    Path("a.txt").write_text(f"a film\n{LONG}\n")
    run = ("embed", "a.txt", "-m", tiny_folder, "-o", "a.npy")
    assert distil(*run, "--long", "error", "--max-length", "9")[0] == 6
    code, _, err = distil(*run, "--update")
    assert code == 0
    assert "wrote 1 row" in err
    assert np.isnan(np.load("a.npy")).any(axis=1).tolist() == [False, True, False]


def test_an_update_that_ends_halfway_leaves_a_whole_index(
    distil: Distil, tiny_folder: Path, index: str
) -> None:
    before = Path(index).read_bytes()
    Path("b.txt").write_text("new one\nnew two\n")
    assert distil("embed", "b.txt", "-o", index, "--update")[0] == 0
    whole = Path(index).read_bytes()
    Path(index).write_bytes(before)  # its rows have their name already, its vectors not yet
    _, out, _ = distil("embed", "--search", TEXTS[1], "--index", index, "-k", "9")
    assert delimited(out, "\t")[0]["text"] == TEXTS[1]
    assert len(delimited(out, "\t")) == 3
    assert distil("embed", "b.txt", "-o", index, "--update")[0] == 0
    assert Path(index).read_bytes() == whole
    assert [row["id"] for row in beside(index)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--pooling", "max"), "its vectors have --pooling mean, not max"),
        (("--normalize",), "its vectors have --normalize False, not True"),
        (("--dims", "4"), "its vectors have --dims 32, not 4"),
        (("--dtype", "int8"), "its vectors have --dtype float32, not int8"),
        (("--prompt", "x"), "its vectors have --prompt"),
        (("--layer", "1"), "its vectors have --layer None, not 1"),
        (("-m", "embed"), "its vectors have --"),
    ],
)
def test_an_update_makes_the_same_vectors_or_none(
    distil: Distil, index: str, arguments: tuple[str, ...], why: str
) -> None:
    before = Path(index).read_bytes()
    code, _, err = distil("embed", "--text", "new", "-o", index, "--update", *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert why in err
    assert Path(index).read_bytes() == before


def test_an_update_needs_the_texts(distil: Distil, tiny_folder: Path, index: str) -> None:
    Path(f"{index}.rows.jsonl").unlink()
    code, _, err = distil("embed", "--text", "new", "-o", index, "--update")
    assert code == 3
    assert "has no texts beside it; embed all rows again" in err


def test_whole_files_are_found_by_their_name(distil: Distil, tiny_folder: Path) -> None:
    Path("docs").mkdir()
    for name, text in zip("abc", TEXTS, strict=True):
        Path(f"docs/{name}.txt").write_text(f"{text}\n{text}")
    assert distil("embed", "docs", "--whole-files", "-m", tiny_folder, "-o", "a.npy")[0] == 0
    assert beside("a.npy")[1] == {"id": "docs/b.txt", "text": f"{TEXTS[1]}\n{TEXTS[1]}"}
    _, out, _ = distil("embed", "--search", f"{TEXTS[2]} {TEXTS[2]}", "--index", "a.npy", "-k", "1")
    assert delimited(out, "\t")[0]["id"] == "docs/c.txt"


def test_stored_rows_may_have_the_name_of_their_file(
    distil: Distil, tiny_folder: Path, csv_file: str
) -> None:
    Path("more.csv").write_text("id,text,more\nz,good,x\n")
    run = ("embed", csv_file, "more.csv", "-m", tiny_folder, "--file-column", "from")
    assert distil(*run, "-o", "a.npy")[0] == 0
    assert beside("a.npy")[2:] == [
        {"id": 3, "file": "reviews.csv", "text": TEXTS[2]},
        {"id": 4, "file": "more.csv", "text": "good"},
    ]
    _, out, _ = distil("embed", "--search", "good", "--index", "a.npy", "-k", "1")
    assert delimited(out, "\t")[0]["file"] == "more.csv"
    assert [row["from"] for row in delimited(distil(*run)[1])] == ["reviews.csv"] * 3 + ["more.csv"]


def test_a_row_that_cannot_be_read(distil: Distil, tiny_folder: Path) -> None:
    Path("a.jsonl").write_text('{"text": "a film"}\n{"text": \n{"text": "good"}\n')
    run = ("embed", "a.jsonl", "-m", tiny_folder)
    code, out, _ = distil(*run)
    assert code == 6
    assert json_lines(out)[1]["embedding"] is None
    assert json_lines(out)[1]["error"]
    code, _, err = distil(*run, "-o", "a.npy")
    assert code == 6
    assert np.isnan(np.load("a.npy")).all(axis=1).tolist() == [False, True, False]
    assert [list(row) for row in beside("a.npy")] == [
        ["id", "text"], ["id", "text", "error"], ["id", "text"],
    ]  # fmt: skip
    assert "failed: 1 row" in err
    # It is nearest to nothing.
    _, out, _ = distil("embed", "--search", "good", "--index", "a.npy", "--format", "jsonl")
    assert [row["id"] for row in json_lines(out)] == [3, 1]
    code, out, _ = distil(*run, "--near-duplicates", "-1", "--format", "jsonl")
    assert code == 6
    assert [(row["id"], row["other_id"]) for row in json_lines(out)] == [(1, 3)]


def test_a_row_that_fails_is_skipped_or_the_end(distil: Distil, tiny_folder: Path) -> None:
    Path("a.txt").write_text(f"a film\n{LONG}\ngood\n")
    run = ("embed", "a.txt", "-m", tiny_folder, "--long", "error", "--max-length", "9")
    assert distil(*run, "-o", "kept.npy")[0] == 6
    assert "the limit is 9" in beside("kept.npy")[1]["error"]
    assert distil(*run, "-o", "a.npy", "--on-error", "skip")[0] == 6
    assert close(np.load("a.npy"), vectors_of(tiny_folder, ["a film", "good"]))
    assert [row["text"] for row in beside("a.npy")] == ["a film", "good"]
    code, _, err = distil(*run, "-o", "b.npy", "--on-error", "stop")
    assert code == 3
    assert "the limit is 9" in err.splitlines()[-1]
    assert not list(Path().glob("*b.npy*"))
    assert distil(*run, "--tokens", "-o", "t.npy")[0] == 6
    assert np.isnan(np.load("t.npy")).any(axis=1).tolist() == [False, False, True, False]


def test_a_dry_run_writes_nothing(distil: Distil, tiny_folder: Path, csv_file: str) -> None:
    for target in ("a.npy", "a.csv"):
        code, out, err = distil("embed", csv_file, "-m", tiny_folder, "-o", target, "--dry-run")
        assert (code, out) == (0, "")
        assert "3 rows, " in err
        assert not list(Path().glob("a.*"))


def test_the_summary(distil: Distil, tiny_folder: Path, csv_file: str) -> None:
    run = ("embed", csv_file, "-m", tiny_folder, "-o", "a.npy", "--stats", "stats.json")
    _, _, err = distil(*run, "--json", "-q")
    stats = json.loads(Path("stats.json").read_text())
    assert (stats["command"], stats["rows"], stats["failed_rows"]) == ("embed", 3, 0)
    assert json.loads(err) == stats


@pytest.mark.parametrize("mode", ["--search", "--near-duplicates"])
def test_the_report_says_how_far_int8_agrees(
    distil: Distil, tiny_folder: Path, index: str, doubles: str, mode: str
) -> None:
    int8 = ("--precision", "int8", "--device", "cpu", "--stats", "stats.json")
    if mode == "--search":
        given: tuple[object, ...] = (mode, "good", "--index", index)
    else:
        given = (doubles, "-m", tiny_folder, mode, 0.9)
    code, _, err = distil("embed", *given, *int8)
    report = json.loads(Path("stats.json").read_text())
    assert code == 0
    assert report["precision"] == "int8"
    assert report["agreement_rows"] == (1 if mode == "--search" else 6)
    assert 0.8 < report["agreement"] <= 1
    assert err.count("int8 agrees with fp32") == 1


SEARCH = ("--search", "a", "--index", "index.npy")
PAIRS = ("--near-duplicates", "0.9", "--index", "index.npy")
STORE = ("reviews.csv", "-o", "a.npy")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--search", "a"), "name them with --index"),
        (("--index", "index.npy"), "add one of them"),
        (("reviews.csv", "--index", "index.npy"), "add one of them"),
        (("reviews.csv", "-k", "3"), "--top-k is for --search"),
        ((*PAIRS, "-k", "3"), "--top-k is for --search"),
        ((*SEARCH, "--near-duplicates", "0.5"), "give one of them"),
        ((*SEARCH, "reviews.csv"), "leave out the files"),
        ((*SEARCH, "--text", "b"), "leave out the files"),
        ((*PAIRS, "reviews.csv"), "leave out the files"),
        ((*SEARCH, "--tokens"), "compares whole texts"),
        ((*PAIRS, "--tokens"), "compares whole texts"),
        ((*SEARCH, "--dry-run"), "--dry-run is for files"),
        ((*SEARCH, "--limit", "3"), "--limit is for files"),
        ((*SEARCH, "-c", "text"), "--text-column is for files"),
        ((*PAIRS, "--id-column", "id"), "--id-column is for files"),
        ((*PAIRS, "--pooling", "cls"), "--pooling is for making vectors"),
        ((*PAIRS, "--no-normalize"), "--normalize is for making vectors"),
        ((*PAIRS, "--dims", "3"), "--dims is for making vectors"),
        ((*PAIRS, "--layer", "0"), "--layer is for making vectors"),
        ((*PAIRS, "--prompt", ""), "--prompt is for making vectors"),
        ((*PAIRS, "-m", "x"), "--model is for making vectors"),
        ((*PAIRS, "--precision", "int8"), "--precision is for making vectors"),
        ((*PAIRS, "--min-agreement", "1"), "--min-agreement is for making vectors"),
        ((*PAIRS, "--device", "cpu"), "--device is for making vectors"),
        ((*PAIRS, "--threads", "1"), "--threads is for making vectors"),
        ((*PAIRS, "--batch", "1"), "--batch is for making vectors"),
        ((*PAIRS, "--max-tokens", "9"), "--max-tokens is for making vectors"),
        ((*SEARCH, "-o", "a.npy"), "a npy file holds vectors only"),
        ((*PAIRS, "--format", "safetensors"), "holds vectors only"),
        ((*SEARCH, "--prefix", "x_"), "--prefix names new columns"),
        ((*STORE, "--prefix", "x_"), "--prefix names new columns"),
        (("reviews.csv", "--id-column", "id"), "--id-column is for stored vectors"),
        (("reviews.csv", "--dedupe", "0.9", "--id-column", "id"), "is for stored vectors"),
        (("reviews.csv", "--dedupe", "0.9", "--dtype", "int8"), "--dtype is for vectors"),
        (("reviews.csv", "--dedupe", "0.9", "--tokens"), "--dedupe compares whole texts"),
        (("reviews.csv", "--dedupe", "0.9", "-o", "a.npy"), "--dedupe gives rows"),
        (("reviews.csv", "--dedupe", "0.9", "-k", "3"), "--top-k is for --search"),
        (("reviews.csv", "--dropped", "d.csv"), "drops; add it"),
        ((*PAIRS, "--dropped", "d.csv"), "drops; add it"),
        ((*PAIRS, "--dedupe", "0.9"), "give one of them"),
        (("reviews.csv", "--dedupe", "9"), "--dedupe"),
        (("reviews.csv", "--dedupe", "0", "-o", "a.csv", "--dropped", "a.csv"), "share a file"),
        (("reviews.csv", "--dedupe", "0", "--dropped", "reviews.csv", "--force"), "replace this"),
        (("reviews.csv", "--dedupe", "0", "--dropped", "d.txt"), "format unknown"),
        (("reviews.csv", "--update"), "--update is for stored vectors"),
        ((*STORE, "--update", "--force"), "--update and --force do not go together"),
        ((*STORE, "--update", "--tokens"), "--update compares whole texts"),
        ((*PAIRS, "--whole-files"), "--whole-files is for files"),
        ((*SEARCH, "--file-column", "x"), "--file-column is for files"),
        (("reviews.csv", "--file-column", "id"), "has a column 'id' already"),
        (("reviews.csv", "--format", "npy"), "needs a file; add --output FILE"),
        (("reviews.csv", "--tokens", "--pooling", "cls"), "has no effect with --tokens"),
        (("reviews.csv", "--tokens", "--pooling", "last-token"), "has no effect with --tokens"),
        (("reviews.csv", "--tokens", "--window-pooling", "max"), "has no effect with --tokens"),
        (("reviews.csv", "--window-pooling", "max"), "--long window"),
        (("reviews.csv", "--stride", "3"), "--long window"),
        (("reviews.csv", "-o", "a.npy.gz"), "leave out the last suffix"),
        (("reviews.csv", "-o", "a.vectors"), "format unknown"),
        ((*STORE, "--stats", "a.npy"), "cannot share a file"),
        ((*STORE, "--stats", "a.npy.json"), "cannot share a file"),
        ((*STORE, "--stats", "a.npy.rows.jsonl"), "cannot share a file"),
        (("reviews.csv", "-o", "index.npy"), "error: index.npy: already exists"),
        (("reviews.csv", "--dims", "33"), "have 32 dimensions"),
        (("reviews.csv", "--layer", "3"), "--layer 3"),
        (("reviews.csv", "--layer", "1", "--pooling", "last-2"), "both choose layers"),
        (("reviews.csv", "--prompt", "a", "--prompt-name", "b"), "give one"),
        (("reviews.csv", "--pooling", "median"), "unknown --pooling 'median'"),
    ],
)
def test_what_makes_no_sense(
    distil: Distil, tiny_folder: Path, index: str, arguments: tuple[str, ...], why: str
) -> None:
    before = {path: path.read_bytes() for path in Path().iterdir()}
    needs_model = "reviews.csv" in arguments and "index.npy" not in arguments[:-1]
    model = ("-m", tiny_folder) if needs_model else ()
    code, out, err = distil("embed", *arguments, *model)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert why in err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [(), ("-o", "a.npy"), ("--tokens",), ("--near-duplicates", "0.9"), ("--dry-run",)]
)
def test_the_builtin_model_is_what_it_takes(
    distil: Distil, csv_file: str, arguments: tuple[str, ...]
) -> None:
    code, _, err = distil("embed", csv_file, *arguments)
    assert code == 0
    assert "model embed on cpu" in err


def test_a_broken_index(distil: Distil, index: str) -> None:
    Path(index).write_bytes(Path(index).read_bytes()[:-1])
    for run in (("--search", "a"), ("--near-duplicates", "0.9")):
        code, out, err = distil("embed", *run, "--index", index)
        assert (code, out, err.count("\n")) == (3, "", 1)


Terminals = Callable[..., tuple[Terminal, Terminal]]


def test_people_get_a_glance(terminal: Terminals, tiny_folder: Path, csv_file: str) -> None:
    out, _ = terminal(80)
    assert main(["embed", csv_file, "-m", str(tiny_folder)]) == 0
    header, *lines = out.plain.splitlines()
    assert header.split()[-1] == "embedding"
    for line, text, vector in zip(lines, TEXTS, vectors_of(tiny_folder), strict=False):
        first = ", ".join(f"{number:.2f}" for number in vector[:3])
        assert f"  {text}" in line
        assert line.rstrip().endswith(f"[{first}, … 32]")


def test_people_get_tokens_counted(terminal: Terminals, tiny_folder: Path, csv_file: str) -> None:
    out, _ = terminal(140)
    assert main(["embed", csv_file, "-m", str(tiny_folder), "--tokens"]) == 0
    assert out.plain.splitlines()[1].rstrip().endswith("  4 x 32")


def test_people_see_scores_and_texts(terminal: Terminals, index: str) -> None:
    out, _ = terminal(80)
    assert main(["embed", "--search", TEXTS[1], "--index", index]) == 0
    header, first, *_ = out.plain.splitlines()
    assert header.split() == ["rank", "score", "id", "text"]
    assert first.split(maxsplit=3)[:3] == ["1", "1.000", "2"]
    assert first.rstrip().endswith(TEXTS[1])


def test_a_failed_row_is_never_found_among_signs(distil: Distil, tiny_folder: Path) -> None:
    rows = [{"text": None}, {"text": "good film"}, {"text": None}]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    distil(
        "embed", "rows.jsonl", "-m", tiny_folder, "--dtype", "binary", "-o", "b.npy", "-c", "text"
    )
    _, out, _ = distil("embed", "--search", "good film", "--index", "b.npy")
    assert [row["id"] for row in delimited(out, "\t")] == ["2"]
    _, out, _ = distil("embed", "--near-duplicates", -1, "--index", "b.npy")
    assert delimited(out, "\t") == []


def test_an_index_of_another_model_is_told(distil: Distil, index: str, make_model: Make) -> None:
    other = make_model("other", seed=1)
    code, _, err = distil("embed", "--search", "film", "--index", index, "-m", other)
    assert code == 0
    assert "warning: index.npy: made with the model" in err


def test_an_index_is_searched_from_anywhere(
    distil: Distil, tiny_folder: Path, csv_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("model").symlink_to(tiny_folder)
    distil("embed", csv_file, "-m", "model", "-o", "near.npy")
    Path("sub").mkdir()
    monkeypatch.chdir("sub")
    assert distil("embed", "--search", "film", "--index", "../near.npy")[0] == 0


@pytest.mark.parametrize("options", ['{"pooling": 5}', '{"dims": "x"}', "[]"])
def test_what_stands_beside_an_index_is_checked(distil: Distil, index: str, options: str) -> None:
    described = json.loads(Path("index.npy.json").read_text())
    Path("index.npy.json").write_text(json.dumps({**described, "options": json.loads(options)}))
    code, _, err = distil("embed", "--search", "film", "--index", index)
    assert code == 3
    assert "index.npy.json (metadata of the index) is damaged; re-create the index" in err


def test_a_name_and_a_format_that_differ_are_refused(
    distil: Distil, tiny_folder: Path, csv_file: str
) -> None:
    for kind in ("csv", "safetensors"):
        line = ("embed", csv_file, "-m", tiny_folder, "-o", "x.npy", "--format", kind)
        code, _, err = distil(*line)
        assert code == 2
        assert "leave out --format" in err
