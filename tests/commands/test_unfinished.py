"""`--resume` and `--retry-errors`, shown with classify."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distilcli.commands._unfinished import _files_in
from distilcli.engine.engine import Engine
from distilcli.errors import ResourceError
from distilcli.predictors import precision
from distilcli.predictors.agreement import Agreement
from distilcli.rows import file_output, open_rows
from distilcli.rows.part import open_part
from distilcli.tasks import checkpoints

Run = Callable[..., tuple[int, str, str]]

ROWS = 40
WINDOW = 8


@pytest.fixture
def run(distil: Run, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `distil classify` with the tiny model and small windows, in a folder with in.csv."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoints, "SECONDS", 0)
    monkeypatch.setattr(checkpoints, "_MOST_TIME", 1e9)
    monkeypatch.setattr(file_output, "MEMBER_SIZE", 1)
    of_engine = Engine.__post_init__

    def small_windows(engine: Any) -> None:
        object.__setattr__(engine, "window_rows", WINDOW)
        of_engine(engine)

    monkeypatch.setattr(Engine, "__post_init__", small_windows)
    texts = ("good film", "a bad , slow plot", "", "boring", "the camera works very well")
    rows = (f'{number},"{texts[number % 5]}"\n' for number in range(ROWS))
    Path("in.csv").write_text("id,text\n" + "".join(rows))
    return lambda *arguments: distil("classify", "--model", tiny_folder, *arguments)


@pytest.fixture
def interrupt(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command until an error ends it after some blocks."""

    def interrupt(*arguments: object, blocks: int = 2, error: Any = KeyboardInterrupt) -> Any:
        of_checkpoints, seen = checkpoints.Checkpoints.note, 0

        def note(*given: Any) -> None:
            nonlocal seen
            of_checkpoints(*given)
            seen += 1
            if seen == blocks:
                raise error

        with monkeypatch.context() as patch:
            patch.setattr(checkpoints.Checkpoints, "note", note)
            return run(*arguments)

    return interrupt


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


# Resume


@pytest.mark.slow
@pytest.mark.parametrize("output", ["out.csv", "out.jsonl.gz", "out.parquet", "out.db::t"])
def test_an_interrupted_run_goes_on(run: Run, interrupt: Run, output: str) -> None:
    file = output.partition("::")[0]
    run("in.csv", "-o", output, "--stats", "stats.json")
    whole, stats = Path(file).read_bytes(), json.loads(Path("stats.json").read_text())
    Path(file).unlink()
    code, _, err = interrupt("in.csv", "-o", output)
    assert code == 130
    assert "interrupted after 16 rows; 16 rows" in err or "interrupted after 24 rows" in err
    assert "repeat the command with --resume to continue" in err
    assert not Path(file).exists()
    code, _, err = run("in.csv", "-o", output, "--resume", "--stats", "stats.json")
    assert code == 6
    assert "continuing after" in err
    assert "resumed: after" in err
    assert Path(file).read_bytes() == whole
    again = json.loads(Path("stats.json").read_text())
    assert 0 < again["resumed_rows"] < ROWS
    for key in ("rows", "failed_rows", "tokens", "padding_tokens", "batches", "counts"):
        assert again[key] == stats[key]
    assert names() == ["in.csv", file, "stats.json"]


def test_a_run_that_goes_on_does_not_go_back_to_fp32(
    run: Run, interrupt: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Agreement.add
    monkeypatch.setattr(precision, "layer_seconds", lambda *_: {"fp32": 1.0, "int8": 0.5})
    monkeypatch.setattr(Agreement, "add", lambda self, _: add(self, 1.0))
    command = ("in.csv", "-o", "out.csv", "--precision", "auto")
    assert interrupt(*command)[0] == 130
    monkeypatch.setattr(Agreement, "add", lambda self, _: add(self, 0.0))
    code, _, err = run(*command, "--resume")
    assert code == 2
    assert "out.csv: the interrupted run was in int8, which does not agree with fp32 on" in err
    assert not Path("out.csv").exists()


@pytest.mark.slow
def test_stored_vectors_go_on(
    run: Run, interrupt: Run, distil: Run, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ["out.npy", "out.npy.json", "out.npy.rows.jsonl"]
    embed = ("embed", "in.csv", "-m", tiny_folder, "-o", "out.npy")
    distil(*embed)
    whole = [Path(name).read_bytes() for name in files]
    with monkeypatch.context() as patch:
        patch.setattr("distilcli.commands._unfinished.Unfinished.ended", lambda _: None)
        distil(*embed, "--force")
    # As if it was killed after two of three files had got their names.
    Path("out.npy").rename(".out.npy.part")
    code, _, err = distil(*embed, "--resume")
    assert (code, "continuing after" in err) == (6, True)
    assert [Path(name).read_bytes() for name in files] == whole


def test_the_first_start_and_one_too_many(run: Run) -> None:
    code, _, err = run("in.csv", "-o", "out.csv", "--resume")
    assert (code, "starting at the first row" in err) == (6, True)
    before = Path("out.csv").read_bytes()
    code, _, err = run("in.csv", "-o", "out.csv", "--resume")
    assert (code, err) == (0, "distil: out.csv is complete; there is nothing to resume\n")
    assert Path("out.csv").read_bytes() == before


def test_without_resume_it_starts_over(run: Run, interrupt: Run) -> None:
    interrupt("in.csv", "-o", "out.csv")
    code, _, err = run("in.csv", "-o", "out.csv")
    assert "removed an interrupted run of" in err
    assert "--resume would have continued" in err
    assert (code, names()) == (6, ["in.csv", "out.csv"])


def test_what_a_killed_run_left_is_named_and_removed(run: Run) -> None:
    Path(".out.csv.part").write_text("half a ro")
    _, _, err = run("in.csv", "-o", "out.csv")
    assert "out.csv: removed what a killed run left behind" in err
    assert names() == ["in.csv", "out.csv"]
    _, _, err = run("in.csv", "-o", "out.csv", "--force")
    assert "removed" not in err


@pytest.mark.parametrize("output", ["out.csv", "out.jsonl", "out.db"])
def test_what_was_left_of_the_last_step_goes(run: Run, interrupt: Run, output: str) -> None:
    interrupt("in.csv", "-o", output)
    Path(f".{output}.2.part").write_text("half of it")
    _, _, err = run("in.csv", "-o", output, "--resume")
    assert "removed" not in err
    assert names() == ["in.csv", output]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (["--all-scores"], 2, "--all-scores was not given and is given"),
        (["--limit", 30], 2, "--limit was not given and is 30"),
        (["--max-tokens", 64], 2, "--max-tokens was not given and is 64"),
        (["in.csv"], 3, "in.csv has changed"),
    ],
)
def test_another_option_or_input_is_named(
    run: Run, interrupt: Run, change: list[object], code: int, words: str
) -> None:
    interrupt("in.csv", "-o", "out.csv")
    before = names()
    found, _, err = run("in.csv", "-o", "out.csv", "--resume", *change)
    assert (found, words in err) == (code, True)
    assert names() == before


def test_a_changed_model_and_input_are_named(
    run: Run, interrupt: Run, make_model: Callable[..., Path]
) -> None:
    interrupt("in.csv", "-o", "out.csv")
    code, _, err = run("in.csv", "-o", "out.csv", "--resume", "-m", make_model(seed=1))
    assert (code, "the model has changed" in err) == (2, True)
    text = Path("in.csv").read_text()
    Path("in.csv").write_text(text.replace("good", "goof", 1))
    code, _, err = run("in.csv", "-o", "out.csv", "--resume")
    assert (code, "in.csv has changed" in err) == (3, True)


@pytest.mark.parametrize("option", [(), ("--deterministic",)])
def test_no_byte_depends_on_the_number_of_cores(
    run: Run, interrupt: Run, option: tuple[str, ...]
) -> None:
    assert run("in.csv", "-o", "whole.csv", *option, "--threads", 2)[0] == 6
    interrupt("in.csv", "-o", "out.csv", *option, "--threads", 1)
    assert run("in.csv", "-o", "out.csv", "--resume", *option, "--threads", 3)[0] == 6
    assert Path("out.csv").read_bytes() == Path("whole.csv").read_bytes()


def test_a_full_disk_leaves_what_is_saved(run: Run, interrupt: Run) -> None:
    full = ResourceError("out.csv: cannot be written: No space left")
    code, _, err = interrupt("in.csv", "-o", "out.csv", error=full)
    assert (code, "repeat the command with --resume to continue" in err) == (5, True)
    assert run("in.csv", "-o", "out.csv", "--resume")[0] == 6


def test_a_row_that_stops_every_run_leaves_nothing(run: Run) -> None:
    code, _, err = run("in.csv", "-o", "out.csv", "--on-error", "stop")
    assert (code, names()) == (3, ["in.csv"])
    assert "--resume" not in err


def test_two_runs_do_not_write_one_file(run: Run) -> None:
    pytest.importorskip("fcntl")
    with open_part(Path(".out.csv.part").resolve(), "out.csv", goes_on=False):
        code, _, err = run("in.csv", "-o", "out.csv")
        assert (code, "out.csv: another run is writing it" in err) == (2, True)


@pytest.mark.parametrize("option", ["--resume", "--retry-errors"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["in.csv"], "needs an output file; add --output FILE"),
        (["in.csv", "-o", "out.csv", "--dry-run"], "do not go together"),
        (["--text", "good", "-o", "out.csv"], "needs input files that can be read again"),
    ],
)
def test_where_nothing_can_go_on(run: Run, option: str, arguments: list[str], words: str) -> None:
    if option == "--retry-errors":
        Path("out.csv").write_text("text,label,score\n")
    code, _, err = run(*arguments, option)
    assert (code, words in err) == (2, True)


def test_resume_and_retry_do_not_go_together(run: Run) -> None:
    assert run("in.csv", "-o", "out.csv", "--resume", "--retry-errors")[0] == 2


@pytest.mark.parametrize("mode", [["--dedupe", "0.9", "-o", "o.csv"], ["--update", "-o", "o.npy"]])
def test_modes_that_cannot_go_on(run: Run, distil: Run, tiny_folder: Path, mode: list[str]) -> None:
    code, _, err = distil("embed", "in.csv", "-m", tiny_folder, *mode, "--resume")
    assert (code, "do not go together" in err) == (2, True)


# Retry errors


def mended() -> None:
    """Give two of the empty texts a text, and append a row."""
    text = Path("in.csv").read_text() + "40,fun\n"
    Path("in.csv").write_text(text.replace('\n2,""', "\n2,boring").replace('\n7,""', "\n7,bad"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "output",
    ["out.csv", "out.tsv", "out.jsonl", "out.json", "out.csv.gz", "out.parquet", "out.db"],
)
def test_rows_with_an_error_and_new_ones_run_again(run: Run, output: str) -> None:
    run("in.csv", "-o", output)
    before = [dict(zip(row.columns, row.cells, strict=True)) for row in open_rows([output])]
    mended()
    code, _, err = run("in.csv", "-o", output, "--retry-errors", "--stats", "stats.json")
    assert code == 6
    assert "9 rows in" in err
    assert json.loads(Path("stats.json").read_text())["kept_rows"] == 32
    after = [dict(zip(row.columns, row.cells, strict=True)) for row in open_rows([output])]
    assert len(after) == 41
    for number, row in enumerate(before):
        if number % 5 != 2:
            assert after[number] == row
    ran = [str(row["id"]) for row in after if row["label"] and not row.get("error")]
    assert {"2", "7", "40"} <= {*ran}
    assert "12" not in ran


def test_kept_rows_keep_their_bytes(run: Run) -> None:
    run("in.csv", "-o", "out.jsonl")
    before = Path("out.jsonl").read_bytes().splitlines()
    mended()
    run("in.csv", "-o", "out.jsonl", "--retry-errors")
    after = Path("out.jsonl").read_bytes().splitlines()
    assert [line for n, line in enumerate(after[:ROWS]) if n not in {2, 7}] == [
        line for n, line in enumerate(before) if n not in {2, 7}
    ]


@pytest.mark.parametrize(
    ("source", "separator", "output"),
    [("in.tsv", "\t", "out.csv"), ("semicolons.csv", ";", "out.csv"), ("bars.csv", "|", "out.tsv")],
)
def test_an_output_has_its_own_delimiter(
    run: Run, source: str, separator: str, output: str
) -> None:
    text = f"id{separator}text\n1{separator}good\n2{separator}\n"
    Path(source).write_text(text)
    assert run(source, "-o", output)[0] == 6
    Path(source).write_text(f"{text[:-1]}bad\n")
    assert run(source, "-o", output, "--retry-errors")[0] == 0
    assert [row.cells[1] for row in open_rows([output])] == ["good", "bad"]


@pytest.mark.parametrize(("kept", "other"), [("1.50", "1.51"), ("2e3", '"a"'), ("true", "false")])
def test_a_database_has_its_own_spelling_of_values(run: Run, kept: str, other: str) -> None:
    row = '{{"text": "good", "n": {}}}\n'.format
    Path("in.jsonl").write_text(row(kept) + '{"text": ""}\n')
    assert run("in.jsonl", "-o", "out.db")[0] == 6
    Path("in.jsonl").write_text(row(kept) + '{"text": "bad"}\n')
    assert run("in.jsonl", "-o", "out.db", "--retry-errors")[0] == 0
    Path("in.jsonl").write_text(row(other) + '{"text": "bad"}\n')
    assert run("in.jsonl", "-o", "out.db", "--retry-errors")[0] == 3


def test_nothing_to_run_again(run: Run, tmp_path: Path) -> None:
    Path("good.csv").write_text("text\ngood\nbad\n")
    run("good.csv", "-o", "out.csv")
    before = Path("out.csv").read_bytes()
    code, _, err = run("good.csv", "-o", "out.csv", "--retry-errors")
    assert (code, "wrote 2 rows" in err) == (0, True)
    assert Path("out.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda rows: [rows[1], rows[0], *rows[2:]], 3, "line 2: differs from out.csv"),
        (lambda rows: rows[:-1], 3, "is not in the input"),
        (lambda rows: [*rows[:4], *rows[5:]], 3, "differs from out.csv, line 6"),
    ],
)
def test_rows_that_moved_or_went_are_refused(
    run: Run, change: Callable[[list[str]], list[str]], code: int, words: str
) -> None:
    run("in.csv", "-o", "out.csv")
    before = Path("out.csv").read_bytes()
    header, *rows = Path("in.csv").read_text().splitlines(keepends=True)
    Path("in.csv").write_text(header + "".join(change(rows)))
    found, _, err = run("in.csv", "-o", "out.csv", "--retry-errors")
    assert (found, words in err) == (code, True)
    assert Path("out.csv").read_bytes() == before
    assert names() == ["in.csv", "out.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "none.csv"], "does not exist yet"),
        (["-o", "other.csv"], "has no column 'label'"),
        (["-o", "out.csv", "--prefix", "m_"], "has no column 'm_label'"),
        (["-o", "out.csv", "--on-error", "skip"], "skip leaves out"),
    ],
)
def test_outputs_that_cannot_be_mended(run: Run, arguments: list[str], words: str) -> None:
    run("in.csv", "-o", "out.csv")
    Path("other.csv").write_text("id,text\n0,good film\n")
    code, _, err = run("in.csv", *arguments, "--retry-errors")
    assert (code, words in err) == (2, True)


def test_an_interrupted_run_is_to_be_resumed_first(run: Run, interrupt: Run) -> None:
    interrupt("in.csv", "-o", "out.csv")
    code, _, err = run("in.csv", "-o", "out.csv", "--retry-errors")
    assert (code, "continue it with --resume" in err) == (2, True)


def test_vectors_have_no_errors_to_retry(run: Run, distil: Run, tiny_folder: Path) -> None:
    embed = ("embed", "in.csv", "-m", tiny_folder, "-o", "out.npy")
    distil(*embed)
    code, _, err = distil(*embed, "--retry-errors")
    assert (code, "needs an error column" in err) == (2, True)


def test_files_of_options_are_inputs() -> None:
    assert _files_in({"labels": ["a,b", "topic=labels.csv"], "context_file": "c.txt"}) == [
        "labels.csv",
        "c.txt",
    ]
    assert _files_in({"labels": None}) == []


def test_labels_that_changed_are_named(run: Run, interrupt: Run) -> None:
    Path("labels.csv").write_text("name\ngood\nbad\n")
    interrupt("in.csv", "-o", "out.csv", "--labels", "labels.csv")
    Path("labels.csv").write_text("name\ngood\npoor\n")
    code, _, err = run("in.csv", "-o", "out.csv", "--labels", "labels.csv", "--resume")
    assert code == 3
    assert "labels.csv has changed" in err
