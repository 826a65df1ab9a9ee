"""What is read is never written over, whatever a command is told to write."""

from collections.abc import Callable
from pathlib import Path

import pytest

Distil = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("src.csv").write_text("text\ngood film\nbad film\n")
    Path("story.txt").write_text("the film was good .")
    Path("asked.csv").write_text("id,question,context\n1,good ?,the film was good .\n")


@pytest.fixture
def index(distil: Distil, tiny_folder: Path) -> str:
    assert distil("embed", "src.csv", "-m", tiny_folder, "-o", "index.npy")[0] == 0
    return "index.npy"


@pytest.mark.parametrize(
    ("profile", "trace"), [("was.json", "was.json"), (".", "fp32-seq8-batch1.trace.json")]
)
@pytest.mark.parametrize("option", ["--compare", "--json"])
def test_traces_of_a_benchmark_spare_other_files(
    distil: Distil, tiny_folder: Path, profile: str, trace: str, option: str
) -> None:
    Path(trace).write_text("{}")
    given = ("bench", "-m", tiny_folder, "--seq", 8, "--seconds", 0, "--rounds", 1)
    code, _, err = distil(*given, option, trace, "--profile", profile)
    assert (code, Path(trace).read_text()) == (2, "{}")
    assert "--profile" in err


@pytest.mark.parametrize("report", ["src.csv"])
def test_near_duplicates_spare_their_rows(distil: Distil, tiny_folder: Path, report: str) -> None:
    before = Path(report).read_bytes()
    code, _, err = distil(
        "embed", "src.csv", "-m", tiny_folder, "--near-duplicates", 0.9, "--stats", report
    )
    assert (code, Path(report).read_bytes()) == (2, before)
    assert "name another file" in err


@pytest.mark.parametrize("suffix", ["", ".rows.jsonl", ".json"])
@pytest.mark.parametrize("mode", [("--search", "film"), ("--near-duplicates", "0.9")])
@pytest.mark.parametrize("option", ["--stats", "-o"])
def test_an_index_is_spared(
    distil: Distil, index: str, suffix: str, mode: tuple[str, str], option: str
) -> None:
    path = Path(index + suffix)
    before = path.read_bytes()
    more = ("--force", "--format", "jsonl") if option == "-o" else ()
    code, _, _ = distil("embed", *mode, "--index", index, option, path, *more)
    assert (code, path.read_bytes()) == (2, before)


@pytest.mark.parametrize("option", ["--stats", "--squad-predictions"])
def test_contexts_and_questions_are_spared(distil: Distil, qa_folder: Path, option: str) -> None:
    for read, given in (
        ("story.txt", ("--question", "good ?", "--context-file", "story.txt")),
        ("asked.csv", ("asked.csv",)),
    ):
        before = Path(read).read_bytes()
        code, _, _ = distil("qa", *given, "-m", qa_folder, option, read, "--force")
        assert (code, Path(read).read_bytes()) == (2, before)
