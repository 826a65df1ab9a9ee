"""What every command over files promises about rows, files and reports, shown with classify."""

import gc
import gzip
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from distilcli import __version__
from distilcli.checkpoint.digest import model_digest
from distilcli.checkpoint.folder import describe_folder
from tests.commands._parse import delimited, json_lines

Run = Callable[..., tuple[int, str, str]]

CSV = 'id,text,note\n007,"good, but slow",NA\n1e5,"dull\nand ""flat""",\n'


@pytest.fixture
def run(distil: Run, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `distil classify` with the tiny model, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: distil("classify", "--model", tiny_folder, *arguments)


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(CSV)
    return path


def test_every_cell_comes_out_as_it_went_in(run: Run, csv_file: Path) -> None:
    _, out, _ = run(csv_file)
    inputs = delimited(CSV)
    assert [{name: row[name] for name in inputs[0]} for row in delimited(out)] == inputs


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json"])
def test_a_file_in_the_format_of_its_suffix(run: Run, csv_file: Path, suffix: str) -> None:
    code, out, _ = run(csv_file, "-o", f"out.{suffix}")
    text = Path(f"out.{suffix}").read_bytes().decode()
    parsers: dict[str, Callable[[str], list[dict[str, str]]]] = {
        "csv": delimited,
        "tsv": lambda text: delimited(text, "\t"),
        "jsonl": json_lines,
        "json": json.loads,
    }
    rows = parsers[suffix](text)
    assert (code, out) == (0, "")
    assert [row["text"] for row in rows] == ["good, but slow", 'dull\nand "flat"']
    assert list(rows[0]) == ["id", "text", "note", "label", "score"]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json"])
def test_stdout_gets_what_the_file_gets(run: Run, csv_file: Path, suffix: str) -> None:
    run(csv_file, "-o", f"out.{suffix}")
    _, out, _ = run(csv_file, "--format", suffix)
    assert out == Path(f"out.{suffix}").read_bytes().decode()


def test_the_format_may_differ_from_the_suffix(run: Run, csv_file: Path) -> None:
    assert run(csv_file, "-o", "out.data", "--format", "jsonl")[0] == 0
    assert len(json_lines(Path("out.data").read_text())) == 2


def test_a_file_that_is_there_needs_force(run: Run, csv_file: Path) -> None:
    Path("out.csv").write_text("mine")
    code, out, err = run(csv_file, "-o", "out.csv")
    assert (code, out) == (2, "")
    assert "out.csv: already exists; use --force to replace it" in err
    assert Path("out.csv").read_text() == "mine"
    assert run(csv_file, "-o", "out.csv", "--force")[0] == 0
    assert len(delimited(Path("out.csv").read_text())) == 2


def test_the_input_may_be_replaced(run: Run, csv_file: Path) -> None:
    assert run(csv_file, "-o", csv_file, "--force")[0] == 0
    assert list(delimited(csv_file.read_text())[0]) == ["id", "text", "note", "label", "score"]
    assert [path.name for path in csv_file.parent.iterdir()] == ["in.csv"]


def test_a_compressed_file(run: Run, csv_file: Path) -> None:
    run(csv_file, "-o", "out.csv.gz")
    assert len(delimited(gzip.decompress(Path("out.csv.gz").read_bytes()).decode())) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "out.xlsx"], "format unknown from the name"),
        (["-o", "no/out.csv"], "there is no folder 'no'"),
        (["-o", "."], "is a folder"),
        (["-o", "out.csv", "--format", "table"], "--format table is for the terminal"),
        (["--stats", "no/stats.json"], "there is no folder 'no'"),
        (["--stats", "."], "is a folder"),
        (["-o", "out.json", "--stats", "out.json"], "cannot share a file"),
        (["-o", "out.csv", "--stats", "./out.csv"], "cannot share a file"),
        (["--stats", "in.csv"], "in.csv: --stats would replace this input"),
        (["-o", ""], "is empty ('')"),
        (["-o", "x" * 300 + ".csv"], "cannot be written: File name too long"),
        (["--stats", "x" * 300], "cannot be written: File name too long"),
        (["--format", "xml"], "--format"),
        (["--limit", "-1"], "--limit"),
    ],
)
def test_what_cannot_be_written_is_told_before_the_model_is_loaded(
    run: Run,
    csv_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.setattr("distilcli.predictors.classifier.Classifier.__init__", pytest.fail)
    code, out, err = run(csv_file, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("distil: error: ")
    assert words in err
    assert [path.name for path in csv_file.parent.iterdir()] == ["in.csv"]


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_statistics_never_replace_what_is_read(run: Run, csv_file: Path, link: str) -> None:
    getattr(Path("link.json"), link)(csv_file)
    code, out, err = run(csv_file, "--stats", "link.json")
    assert (code, out) == (2, "")
    assert "in.csv: --stats would replace this input" in err
    assert csv_file.read_text() == CSV


def test_older_statistics_are_replaced_and_packed_by_their_name(run: Run, csv_file: Path) -> None:
    Path("stats.json.gz").write_text("old")
    assert run(csv_file, "--stats", "stats.json.gz")[0] == 0
    assert json.loads(gzip.decompress(Path("stats.json.gz").read_bytes()))["rows"] == 2


def test_a_name_as_long_as_names_can_be(run: Run, csv_file: Path) -> None:
    name = "x" * 251 + ".csv"
    assert run(csv_file, "-o", name)[0] == 0
    assert len(delimited(Path(name).read_text())) == 2


def test_names_of_new_columns(run: Run, csv_file: Path) -> None:
    _, out, err = run(csv_file, "--prefix", "m_")
    assert list(delimited(out)[0])[-2:] == ["m_label", "m_score"]
    assert "already" not in err


def test_new_columns_give_way_to_those_of_the_input(run: Run, tmp_path: Path) -> None:
    Path("a.csv").write_text("text,label\ngood,1\n")
    _, out, err = run("a.csv")
    assert list(delimited(out)[0]) == ["text", "label", "predicted_label", "predicted_score"]
    assert "begin with 'predicted_'" in err
    Path("b.csv").write_text("text,label,predicted_label\ngood,1,2\n")
    code, _, err = run("b.csv")
    assert code == 2
    assert "give another --prefix" in err


def test_several_files_and_globs(run: Run) -> None:
    Path("b.csv").write_text("text\nbad\n")
    with gzip.open("a.csv.gz", "wt") as file:
        file.write("text\ngood\n")
    _, out, _ = run("*.csv*", "b.csv")
    assert [row["text"] for row in delimited(out)] == ["good", "bad", "bad"]


@pytest.mark.parametrize(
    ("content", "arguments", "text"),
    [
        ("text;n\ngood, bad;1\n", [], "good, bad"),
        ("text!n\ngood!1\n", ["--delimiter", "!"], "good"),
        ("good,1\n", ["--no-header", "--text-column", "1"], "good"),
        ('{"text": "good"}\n', ["--input-format", "jsonl"], "good"),
        ("caf\xe9,1\n", ["--input-format", "txt", "--encoding", "latin-1"], "caf\xe9,1"),
    ],
)
def test_how_input_is_read(run: Run, content: str, arguments: list[str], text: str) -> None:
    Path("a.csv").write_bytes(content.encode("latin-1"))
    code, out, _ = run("a.csv", *arguments, "--format", "jsonl")
    row = json_lines(out)[0]
    assert code == 0
    assert (row["text"] if "text" in row else row["1"]) == text


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("id,text\n1,good\n", ["id", "text"]),
        ("id\ttext\n1\tgood\n", ["id", "text"]),
        ('{"id": 1, "text": "good"}\n', ["id", "text"]),
        ("good film\nbad\n", ["text"]),
    ],
)
def test_standard_input_in_every_format(
    run: Run, monkeypatch: pytest.MonkeyPatch, content: str, columns: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    code, out, _ = run("-", "-o", "out.jsonl")
    rows = json_lines(Path("out.jsonl").read_text())
    assert (code, out) == (0, "")
    assert list(rows[0]) == [*columns, "label", "score"]


def test_limit(run: Run, csv_file: Path) -> None:
    assert len(delimited(run(csv_file, "--limit", 1)[1])) == 1
    code, out, err = run(csv_file, "--limit", 0)
    assert (code, out) == (0, "id,text,note,label,score\n")
    assert "distil: 0 rows\n" in err


def test_quiet(run: Run, csv_file: Path) -> None:
    assert run(csv_file, "--quiet")[2] == ""


@pytest.mark.slow
def test_the_summary_as_json(run: Run, csv_file: Path) -> None:
    _, out, err = run(csv_file, "--json", "--quiet", "--stats", "stats.json")
    summary = json.loads(err)
    assert len(delimited(out)) == 2
    assert summary == json.loads(Path("stats.json").read_text())
    assert summary["command"] == "classify"
    assert (summary["rows"], summary["failed_rows"], summary["first_error"]) == (2, 0, None)
    assert sum(summary["counts"].values()) == 2
    assert summary["tokens"] > 0
    assert set(summary["latency_ms"]) == {"p50", "p95", "p99"}


def test_json_stands_in_for_the_summary(run: Run, csv_file: Path) -> None:
    *notes, last = run(csv_file, "--json")[2].splitlines()
    assert json.loads(last)["rows"] == 2
    assert [note for note in notes if " rows in " in note] == []


def test_a_dry_run_counts_and_writes_nothing(run: Run, csv_file: Path) -> None:
    code, out, err = run(csv_file, "--dry-run", "-o", "out.csv", "--stats", "stats.json")
    expected = json.loads(Path("stats.json").read_text())
    run(csv_file, "-o", "real.csv", "--stats", "real.json")
    assert (code, out) == (0, "")
    assert "distil: 2 rows, " in err
    assert not Path("out.csv").exists()
    assert expected["tokens"] == json.loads(Path("real.json").read_text())["tokens"]
    assert expected["expected_seconds"] > 0
    code, _, err = run(csv_file, "--dry-run", "--json", "--quiet")
    assert json.loads(err)["rows"] == 2


def test_a_dry_run_that_says_nothing_is_refused(run: Run, csv_file: Path) -> None:
    code, out, err = run(csv_file, "--dry-run", "--quiet")
    assert (code, out) == (2, "")
    assert "--dry-run has nothing to say with --quiet; add --json" in err


def test_a_dry_run_counts_rows_that_would_fail(run: Run) -> None:
    Path("a.csv").write_text("text,n\ngood,1\nbad\n" + "good " * 100 + ",3\n")
    _, _, err = run("a.csv", "--dry-run")
    assert "3 rows" in err
    assert "1 would be truncated; 1 would fail" in err


@pytest.mark.parametrize(("choice", "code", "rows"), [("keep", 6, 3), ("skip", 6, 2)])
def test_the_first_fault_is_told(run: Run, choice: str, code: int, rows: int) -> None:
    Path("a.csv").write_text("text,n\ngood,1\nbad\ndull,3\n")
    found, out, err = run("a.csv", "--on-error", choice)
    fault = "a.csv: line 3: 1 cell where the header has 2"
    assert found == code
    assert len(delimited(out)) == rows
    assert f"failed: 1 row{' (skipped)' if choice == 'skip' else ''}, the first: {fault}" in err


def test_a_fault_after_the_header_went_out_is_not_lost(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distilcli.engine.engine import Engine

    def one_row_a_window(engine: Engine[object, object]) -> None:
        object.__setattr__(engine, "window_rows", 1)  # as rows come from a live pipe

    monkeypatch.setattr(Engine, "__post_init__", one_row_a_window)
    Path("a.csv").write_text("text,n\ngood,1\nbad,2,surplus\ndull,3\n" + "bad\n" * 21)
    code, out, err = run("a.csv")
    assert code == 6
    assert len(delimited(out)) == 24
    fault = "a.csv: line 3: 3 cells where the header has 2; quote cells that contain ','"
    assert f"distil: warning: {fault}; left over: 'surplus'\n" in err
    assert "a.csv: line 23: 1 cell" in err
    assert "a.csv: line 24: 1 cell" not in err
    assert "distil: warning: … and 2 more\n" in err
    assert "column 'error' came after the header had gone out, values not shown: 22" in err


COMMANDS = [
    ("classify", "tiny_folder", "id,text\n1,good\n2,\n3,bad\n", ()),
    ("embed", "tiny_folder", "id,text\n1,good\n2,\n3,bad\n", ()),
    ("tag", "hand_tagger", "id,text\n1,good\n2,\n3,bad\n", ()),
    ("qa", "qa_folder", "question,context\nwhat,good\n,\nwhy,bad\n", ()),
    ("fill", "mlm_folder", "id,text\n1,[MASK]\n2,\n3,a [MASK]\n", ()),
    ("fill", "mlm_folder", "id,text\n1,good\n2,\n3,bad\n", ("--pseudo-perplexity",)),
    ("choose", "choice_folder", 'prompt,options\na,"[""b"",""c""]"\n,\nb,"[""b"",""c""]"\n', ()),
]


@pytest.mark.parametrize(("command", "fixture", "rows", "options"), COMMANDS)
def test_each_row_says_what_made_it(
    distil: Run,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    command: str,
    fixture: str,
    rows: str,
    options: Sequence[str],
) -> None:
    model, path, stats = request.getfixturevalue(fixture), tmp_path / "in.csv", tmp_path / "s.json"
    path.write_text(rows)
    line = [command, "-m", model, path, *options, "--stats", stats]
    _, plain, _ = distil(*line)
    assert "model_digest" not in stats.read_text()
    code, marked, err = distil(*line, "--provenance", "--format", "jsonl")
    wanted = {
        "model_digest": model_digest(describe_folder("m", model)),
        "distil_version": __version__,
    }
    assert code == 6, err
    found = json_lines(marked)
    assert len(found) == 3
    assert all({name: row[name] for name in wanted} == wanted for row in found)
    assert {name: json.loads(stats.read_text())[name] for name in wanted} == wanted
    names = list(delimited(plain)[0])
    names.remove("error")
    assert list(delimited(distil(*line, "--provenance")[1])[0]) == [*names, *wanted, "error"]


def test_vectors_say_what_made_them(distil: Run, tiny_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "v.npy"
    distil("embed", "-m", tiny_folder, "--text", "good", "-o", output, "--provenance")
    about = json.loads((tmp_path / "v.npy.json").read_text())
    assert about["model_digest"] == model_digest(describe_folder("m", tiny_folder))
    assert about["distil_version"] == __version__


def test_no_provenance_where_nothing_can_bear_it(
    distil: Run, hand_tagger: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.conll").write_text("good O\n")
    code, _, err = distil("tag", "-m", hand_tagger, tmp_path / "a.conll", "--provenance")
    assert (code, "--provenance adds columns, which CoNLL" in err) == (2, True)
    search = ["--search", "good", "--index", tmp_path / "v.npy"]
    code, _, err = distil("embed", "-m", tiny_folder, *search, "--provenance")
    assert (code, "--provenance needs rows to mark" in err) == (2, True)


@pytest.mark.parametrize(("command", "fixture", "rows", "options"), COMMANDS)
def test_deterministic_bytes_depend_on_neither_batches_nor_threads_nor_order(
    distil: Run,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    command: str,
    fixture: str,
    rows: str,
    options: Sequence[str],
) -> None:
    model, path = request.getfixturevalue(fixture), tmp_path / "in.csv"
    header, *lines = rows.splitlines()
    found = []
    for order, batch, threads in ((1, 1, 1), (1, 32, 2), (-1, 2, 3)):
        path.write_text("\n".join([header, *lines[::order], ""]))
        line = [command, "-m", model, path, *options, "--deterministic", "--batch", batch]
        found.append(distil(*line, "--threads", threads)[1].splitlines())
    assert found[0] == found[1]
    assert found[0][1:] == found[2][:0:-1]


def test_garbage_is_collected_while_rows_run_and_after_an_error(
    run: Run, csv_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distilcli.tasks import files

    seen: list[bool] = []
    run_files = files.run_files

    def noted(*arguments: object, **settings: object) -> None:
        seen.append(gc.isenabled())
        run_files(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "run_files", noted)
    assert run(csv_file)[0] == 0
    assert seen == [True]
    assert run(csv_file, "--top-k", "2", "--all-scores", "--multi-label")[0] == 2
    assert gc.isenabled()
