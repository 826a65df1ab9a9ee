"""What a run of finetune tells and leaves beside its model: findings, estimates, card, pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Distil = Callable[..., tuple[int, str, str]]

GOOD, BAD = "good great loved fun bright".split(), "bad poor hated dull boring".split()


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        f"the {thing} was {word},{label}\n"
        for thing in ("film", "book", "plot")
        for label, words in (("good", GOOD), ("bad", BAD))
        for word in words
    ]
    Path("train.csv").write_text("text,label\n" + "".join(lines))
    Path("valid.csv").write_text("text,label\nit was good,good\nit was bad,bad\n")


@pytest.fixture
def run(distil: Distil, tiny_folder: Path) -> Distil:
    """Run `distil finetune` from the tiny model for one epoch."""
    settings = ("--epochs", 1, "--device", "cpu", "--threads", 1, "--precision", "fp32")

    def run(*arguments: object) -> tuple[int, str, str]:
        files = () if arguments and str(arguments[0]).endswith(".csv") else ("train.csv",)
        return distil("finetune", *files, *arguments, "-m", tiny_folder, *settings)

    return run


def test_faults_are_told_before_any_step(run: Distil) -> None:
    with Path("train.csv").open("a") as file:
        file.write("it was good,good\n,bad\n" + "it was fun,godo\n")
    code, _, err = run("-o", "m", "--valid", "valid.csv")
    assert code == 0
    lines = err.splitlines()
    for told in (
        "1 validation row (50.0%) is also in the training rows",
        "1 label has fewer than 10 rows",
    ):
        assert any(line.startswith(f"distil: warning: {told}") for line in lines), (told, err)
    last = len(Path("train.csv").read_text().splitlines())
    left_out = f"train.csv: 1 row left out with an empty text, the first in line {last - 1}"
    assert f"distil: warning: {left_out}; keep them with --keep-empty" in lines
    assert any(
        line.startswith("distil:   valid.csv: line 2: 'it was good', as t") for line in lines
    )
    assert lines.index(next(line for line in lines if "warning" in line)) < lines.index(
        next(line for line in lines if "step" in line)
    )


def test_empty_texts_may_be_learned_from(run: Distil) -> None:
    with Path("train.csv").open("a") as file:
        file.write("\u200b,bad\n,good\n")
    code, _, err = run("-o", "m", "--valid", "valid.csv", "--keep-empty", "--dry-run")
    assert code == 0
    assert "train: 2 rows have an empty text" in err
    assert "left out" not in err
    assert "2 rows left out with an empty text" in run("-o", "m", "--valid", "valid.csv")[2]


def test_a_label_that_only_validation_has_is_refused(run: Distil) -> None:
    Path("valid.csv").write_text("text,label\nit was good,goood\nit was bad,bad\n")
    code, _, err = run("-o", "m", "--valid", "valid.csv")
    assert code == 3
    assert "did you mean 'good'?" in err
    assert len([line for line in err.splitlines() if "error" in line]) == 1
    assert not Path("m").exists()


def test_a_dry_run_writes_nothing(run: Distil) -> None:
    code, out, err = run("-o", "m", "--dry-run", "--stats", "stats.json")
    assert (code, out) == (0, "")
    assert not Path("m").exists()
    told = json.loads(Path("stats.json").read_text())
    assert told["dry_run"] is True
    assert told["steps"] > 0
    assert told["expected_seconds"] > 0
    assert f"distil: {told['steps']:,} step" in err


def test_the_folder_tells_a_person_what_was_done(run: Distil) -> None:
    assert run("-o", "m", "--valid", "valid.csv", "--seed", 7)[0] == 0
    config = Path("m/config.toml").read_text()
    for setting in (
        "[learning]", "seed = 7", "[read]", 'files = ["train.csv"]', 'valid = ["valid.csv"]',
        'encoding = "utf-8"', "# text_column is not set",
    ):  # fmt: skip
        assert setting in config.splitlines(), setting
    card = Path("m/README.md").read_text()
    for told in ("train.csv", "valid.csv", "30", "accuracy", "| good |", "distil classify"):
        assert told in card, told
    assert str(Path.cwd()) not in card


@pytest.mark.slow
def test_a_picture_of_the_run(run: Distil) -> None:
    pytest.importorskip("matplotlib")
    assert run("-o", "m", "--valid", "valid.csv", "--plot", "run.svg")[0] == 0
    drawn = Path("run.svg").read_text()
    for told in ("accuracy", "good", "bad"):
        assert told in drawn
    code, _, err = run("-o", "n", "--plot", "run.svg")
    assert code == 2
    assert "run.svg" in err
    assert run("-o", "n", "--plot", "run.pdf")[0] == 2
    assert not Path("n").exists()


def test_an_unusable_answer_is_counted_and_left_out(distil: Distil, qa_folder: Path) -> None:
    rows = [{"question": "what", "context": "the film was good", "answer": "film"}] * 1
    rows += [{"question": f"what {n}", "context": "a book", "answer": "plot"} for n in (1, 2)]
    Path("qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = distil(
        "finetune", "qa.jsonl", "--valid", "qa.jsonl", "--task", "qa", "-m", qa_folder, "-o", "m",
        "--epochs", 1, "--device", "cpu", "--precision", "fp32",
    )  # fmt: skip
    assert code == 0, err
    assert "warning: train: 2 answers are not in the context" in err
    assert "qa.jsonl: line 2: 'plot'" in err
