"""`distil finetune --teacher`."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.commands._parse import delimited
from tests.commands.test_finetune import ROWS, summary, weights

pytestmark = pytest.mark.slow

Distil = Callable[..., tuple[int, str, str]]
Make = Callable[..., Path]
LABELS = ("bad", "good")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{text},{label}\n".replace(" , ", " ") for text, label in ROWS]
    Path("train.csv").write_text("text,label\n" + "".join(lines))
    Path("valid.csv").write_text("text,label\n" + "".join(lines[:6]))
    Path("texts.csv").write_text("text\n" + "".join(line.split(",")[0] + "\n" for line in lines))


@pytest.fixture
def run(distil: Distil) -> Distil:
    """Run `distil finetune`, a few short steps an epoch."""
    settings = ("--epochs", 1, "--token-budget", 64, "--device", "cpu", "--threads", 1)

    def run(
        *arguments: object, train: str = "train.csv", valid: str = "valid.csv"
    ) -> tuple[int, str, str]:
        return distil("finetune", train, "-o", "m", "--valid", valid, *settings, *arguments)

    return run


@pytest.fixture
def teacher(make_model: Make) -> Path:
    """A BERT with labels, of random weights."""
    return make_model("teacher", model_type="bert", labels=LABELS, n_layers=4)


def test_half_of_the_teacher_learns_from_it(run: Distil, distil: Distil, teacher: Path) -> None:
    code, out, err = run("--teacher", teacher)
    assert (code, out) == (0, "")
    assert f"training {teacher} on 24 texts" in err
    config = json.loads(Path("m/config.json").read_text())
    assert (config["model_type"], config["n_layers"]) == ("distilbert", 2)
    code, out, _ = distil("classify", "valid.csv", "--model", "m")
    rows = delimited(out)
    right = sum(row["label"] == row["predicted_label"] for row in rows)
    _, out, _ = distil("classify", "valid.csv", "--model", teacher)
    same = sum(
        row["predicted_label"] == other["predicted_label"]
        for row, other in zip(rows, delimited(out), strict=True)
    )
    card = Path("m/README.md").read_text()
    assert f"Both give the same label to {same / 6:.1%} of 6 validation rows." in card
    assert "% of the parameters of its teacher" in card
    assert "| accuracy |" in card.partition("## Distillation")[2].partition("## Data")[0]
    assert code == 0
    best = summary("m")["best"]["accuracy"]  # type: ignore[index]
    assert right / len(rows) == pytest.approx(best, abs=1e-5)


def test_a_teacher_without_a_head_is_named_as_the_cause(run: Distil, make_model: Make) -> None:
    encoder = make_model("encoder", head="BaseModel", labels=())
    code, _, err = run("--teacher", encoder, train="texts.csv")
    assert (code, err.count("\n")) == (4, 1)
    assert "--teacher has no labels, so it has no head for the task classify" in err


@pytest.mark.parametrize(
    "option",
    [
        ["--student-layers", "1,3"],
        ["--student", "dim=16,n_layers=1,n_heads=2"],
        ["--temperature", "5"],
        ["--alpha-ce", "1"],
        ["--alpha-task", "0"],
        ["--alpha-cos", "0"],
        ["--alpha-hidden", "2"],
        ["--alpha-attention", "2"],
    ],
    ids=" ".join,
)
def test_an_option_changes_what_is_learned(run: Distil, teacher: Path, option: list[str]) -> None:
    run("--teacher", teacher, "--lr", 0.001)
    plain = weights("m")
    code, _, _ = run("--teacher", teacher, "--lr", 0.001, "--force", *option)
    assert code == 0
    assert weights("m") != plain


def test_a_second_run_costs_no_pass_of_the_teacher(
    run: Distil, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distilcli.training.distill.teacher import Teacher

    assert run("--teacher", teacher, "--teacher-cache", "kept")[0] == 0
    first = weights("m")
    monkeypatch.setattr(Teacher, "targets", lambda *_, **__: pytest.fail("asked again"))
    assert run("--teacher", teacher, "--teacher-cache", "kept", "--force")[0] == 0
    assert weights("m") == first


def test_a_dry_run_asks_no_teacher_for_what_it_would_keep(run: Distil, teacher: Path) -> None:
    how = ("--teacher", teacher, "--teacher-cache", "kept")
    assert run(*how, "--dry-run")[0] == 0
    assert not Path("kept").exists()
    assert not Path("m").exists()


def test_texts_without_labels_are_learned(run: Distil, teacher: Path) -> None:
    code, _, err = run("--teacher", teacher, train="texts.csv")
    assert code == 0
    assert "labels: bad, good" in err
    code, _, err = run("-m", teacher, "--force", train="texts.csv")
    assert code == 3
    assert "no label column beside 'text'" in err


def test_layers_of_a_model_are_taken_without_a_teacher_too(run: Distil, make_model: Make) -> None:
    model = make_model(labels=LABELS)
    assert run("-m", model, "--student-layers", "1")[0] == 0
    assert json.loads(Path("m/config.json").read_text())["n_layers"] == 1
    assert run("-m", model, "--student", "n_layers=1,dim=24,n_heads=3", "--force")[0] == 0
    assert json.loads(Path("m/config.json").read_text())["dim"] == 24


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--temperature", "3"], "--temperature needs a --teacher; name one"),
        (["--alpha-ce", "1"], "--alpha-ce needs a --teacher"),
        (["--alpha-hidden", "0"], "--alpha-hidden needs a --teacher"),
        (["--teacher-cache", "x"], "--teacher-cache needs a --teacher"),
        (["--student-layers", "0;1"], "give numbers separated by commas"),
        (["--student-layers", "0,9"], "no layer 9; the model has layers 0 to 1"),
        (["--student", "depth=3"], "the names are dim, n_layers, n_heads, hidden_dim"),
        (
            ["--student", "dim=8", "--student-layers", "0"],
            "--student makes a new model with random",
        ),
        (["--freeze", "3"], "the model has 2 layers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_cannot_be_meant_are_refused(
    run: Distil, tiny_folder: Path, options: list[str], why: str
) -> None:
    code, out, err = run("-m", tiny_folder, *options)
    assert (code, out) == (2, "")
    assert why in err.splitlines()[-1]
    assert not Path("m").exists() or not list(Path("m").iterdir())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--alpha-ce", "-1"], "--alpha-ce is -1.0; it must be finite, 0 or more"),
        (["--temperature", "0"], "--temperature is 0"),
        (
            ["--alpha-ce", "0", "--alpha-task", "0", "--alpha-cos", "0"],
            "--alpha-ce and all other weights are 0",
        ),
        (
            ["--alpha-attention", "1", "--teacher-cache", "c"],
            "--teacher-cache cannot keep attention",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_weights_that_cannot_be_are_refused(
    run: Distil, teacher: Path, options: list[str], why: str
) -> None:
    code, _, err = run("--teacher", teacher, *options)
    assert code == 2
    assert why in err.splitlines()[-1]


def last_line(result: tuple[int, str, str], code: int) -> str:
    """The one line that an error is; it begins with the program's name."""
    assert result[0] == code
    assert "Traceback" not in result[2]
    assert not Path("m").exists()
    return result[2].splitlines()[-1]


def test_a_label_that_the_teacher_does_not_know(run: Distil, teacher: Path) -> None:
    Path("train.csv").write_text("text,label\na,good\nb,bad\nc,goood\n")
    line = last_line(run("--teacher", teacher), 3)
    assert "has the label 'goood', which the teacher does not have; did you mean 'good'?" in line


def test_teachers_that_cannot_teach(
    run: Distil, make_model: Make, qa_folder: Path, tmp_path: Path
) -> None:
    student = make_model("student", labels=LABELS)
    assert "has no labels, so it has no head for the task classify" in last_line(
        run("--teacher", qa_folder, "-m", student), 4
    )
    short = make_model("short", labels=LABELS, n_layers=1)
    config = {"do_lower_case": True, "model_max_length": 30}
    (short / "tokenizer_config.json").write_text(json.dumps(config))
    assert "reads 30 tokens, the student 64; set --max-length to 30" in last_line(
        run("--teacher", short, "-m", student), 4
    )
    other = make_model("other", labels=LABELS)
    words = (other / "vocab.txt").read_text().splitlines()
    (other / "vocab.txt").write_text("\n".join([*words[:-1], "another"]) + "\n")
    assert "the teacher's tokenizer is not the student's" in last_line(
        run("--teacher", other, "-m", student), 4
    )


def test_the_teacher_is_not_overwritten(run: Distil, teacher: Path) -> None:
    before = (teacher / "model.safetensors").read_bytes()
    code, _, err = run("--teacher", teacher, "-o", teacher, "--force")
    assert code == 2
    assert "which the run would overwrite" in err.splitlines()[-1]
    assert (teacher / "model.safetensors").read_bytes() == before


def test_a_full_disk_of_the_cache(
    run: Distil, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distilcli.training.distill import teacher_pass

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(teacher_pass, "_write", full)
    code, _, err = run("--teacher", teacher, "--teacher-cache", "kept")
    assert code == 5
    assert "No space left on device; use a --teacher-cache" in err.splitlines()[-1]
    assert not list(Path("kept").glob("*/*"))
    assert not Path("m/model.safetensors").exists()


def test_what_the_cache_takes(
    run: Distil, make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = make_model("filler", head="MaskedLanguageModel", labels=(), problem_type=None)
    options = ("--task", "mlm", "--teacher", teacher, "--teacher-cache", "kept")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000))
        line = last_line(run(*options), 5)
    assert "kept: the teacher's outputs would take about 0." in line
    assert "and 0.0 MB are free; use a --teacher-cache with more room, or none" in line
    monkeypatch.setattr("distilcli.console.training._LARGE_CACHE", 0)
    code, _, err = run(*options)
    assert code == 0, err
    assert "distil: the teacher's answers will take about 0.0 GB in the cache" in err
    code, _, err = run(*options, "--force")
    assert (code, "in the cache" in err) == (0, False)


def test_an_interrupted_pass_of_the_teacher(
    run: Distil, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distilcli.training.distill import teacher_pass

    write = teacher_pass._write
    monkeypatch.setattr(teacher_pass, "_PASS_BUDGET", 64)
    with monkeypatch.context() as patch:
        patch.setattr(
            teacher_pass, "_write",
            lambda *batch: (write(*batch), signal.raise_signal(signal.SIGINT)),
        )  # fmt: skip
        code, out, err = run("--teacher", teacher, "--teacher-cache", "kept")
    assert (code, out) == (130, "")
    last = "distil: warning: interrupted; m: repeat the command with --resume to go on"
    assert err.splitlines()[-1] == last
    assert list(Path("kept").glob("*/*/unfinished.npz"))
    assert run("--teacher", teacher, "--teacher-cache", "kept", "--resume")[0] == 0


SENTENCES = "the B-A\nfilm I-A\nwas O\n\ngood B-A\nbook O\n\n"


@pytest.mark.parametrize("train", [SENTENCES * 6, "the\nfilm\nwas\n\ngood\n\n" * 6])
@pytest.mark.parametrize("cache", [[], ["--teacher-cache", "kept"]], ids=["asked", "kept"])
def test_tags_are_learned_from_a_teacher(
    run: Distil, distil: Distil, make_model: Make, train: str, cache: list[str]
) -> None:
    teacher = make_model(
        "tagger", model_type="bert", head="TokenClassifier", labels=("O", "B-A", "I-A", "B-B"),
        problem_type=None,
    )  # fmt: skip
    Path("train.conll").write_text(train)
    Path("valid.conll").write_text(SENTENCES)
    code, _, err = run(
        "--task", "tag", "--teacher", teacher, *cache, train="train.conll", valid="valid.conll"
    )  # fmt: skip
    assert (code, "labels: O, B-A, I-A, B-B" in err) == (0, True), err
    assert distil("tag", "valid.conll", "--model", "m")[0] == 0


def question(number: int, *, answered: bool) -> str:
    """A question whose context is longer than the model reads."""
    context = "the film was good . " * (3 * number) + "i loved the book ."
    row: dict[str, object] = {"question": "what was it ?", "context": context}
    if answered:
        row["answers"] = [{"text": "book", "answer_start": context.index("book")}]
    return json.dumps(row) + "\n"


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("cache", [[], ["--teacher-cache", "kept"]], ids=["asked", "kept"])
def test_answers_are_learned_from_a_teacher(
    run: Distil, distil: Distil, make_model: Make, answered: bool, cache: list[str]
) -> None:
    # Token types tell the question from the context: the teacher has them, the student has not.
    teacher = make_model(
        "reader", model_type="bert", head="QuestionAnswerer", labels=(), problem_type=None
    )
    Path("train.jsonl").write_text("".join(question(n, answered=answered) for n in range(8)))
    Path("valid.jsonl").write_text(question(1, answered=True))
    code, _, err = run(
        "--task", "qa", "--teacher", teacher, *cache, train="train.jsonl", valid="valid.jsonl"
    )
    assert code == 0, err
    assert json.loads(Path("m/config.json").read_text())["model_type"] == "distilbert"
    code, out, _ = distil("qa", "valid.jsonl", "--model", "m", "--format", "jsonl")
    assert code == 0
    assert "answer" in json.loads(out)


def test_pairs_are_learned_from_a_teacher_with_token_types(run: Distil, teacher: Path) -> None:
    rows = "".join(f"{text},the film,{label}\n".replace(" , ", " ") for text, label in ROWS)
    Path("train.csv").write_text("text,other,label\n" + rows)
    Path("valid.csv").write_text("text,other,label\n" + rows)
    code, _, err = run("--teacher", teacher, "--pair-column", "other")
    assert code == 0, err
    assert torch.isfinite(torch.tensor(summary("m")["best"]["train_loss"]))  # type: ignore[index]


@pytest.mark.parametrize(
    ("task", "head", "kind", "train", "valid"),
    [
        ("multilabel", "SequenceClassifier", "multi_label_classification",
         '{"text": "good film", "labels": ["bad"]}\n{"text": "dull"}\n',
         '{"text": "good film", "labels": ["bad", "good"]}\n'),
        ("regress", "SequenceClassifier", "regression",
         '{"text": "dull"}\n{"text": "good film"}\n',
         '{"text": "good film", "score": 2}\n{"text": "dull", "score": 1}\n'),
        ("choose", "MultipleChoice", None,
         '{"prompt": "it", "options": ["good", "dull", "fun"]}\n',
         '{"prompt": "a film", "options": ["good", "dull"], "label": 0}\n'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cache", [[], ["--teacher-cache", "kept"]], ids=["asked", "kept"])
def test_rows_without_a_label_are_learned_from_a_teacher(
    run: Distil, make_model: Make, task: str, head: str, kind: str | None, train: str, valid: str,
    cache: list[str],
) -> None:  # fmt: skip
    labels = {"multilabel": LABELS, "regress": ("LABEL_0",), "choose": ()}[task]
    teacher = make_model("t", model_type="bert", head=head, labels=labels, problem_type=kind)
    Path("train.jsonl").write_text(train * 4)
    Path("valid.jsonl").write_text(valid)
    code, _, err = run(
        "--task", task, "--teacher", teacher, *cache, train="train.jsonl", valid="valid.jsonl"
    )
    assert code == 0, err
    assert torch.isfinite(torch.tensor(summary("m")["best"]["train_loss"]))  # type: ignore[index]


def test_the_scores_of_another_model_teach(
    run: Distil, distil: Distil, teacher: Path, tiny_folder: Path
) -> None:
    assert distil("classify", "texts.csv", "-m", teacher, "--all-scores", "-o", "s.csv")[0] == 0
    options = ("-m", tiny_folder, "--teacher-scores")
    code, _, err = run(*options, "s.csv", train="texts.csv")
    assert code == 0
    assert "on 24 texts, validated on 6; labels: bad, good" in err
    by_text = weights("m")
    assert "of 6 validation rows." in Path("m/README.md").read_text()
    # The same by row, with the columns in another order.
    lines = [line.split(",") for line in Path("s.csv").read_text().splitlines()]
    columns = [lines[0].index(f"score_{label}") for label in ("good", "bad")]
    Path("rows.csv").write_text(
        "good,bad\n" + "".join(",".join(row[at] for at in columns) + "\n" for row in lines[1:])
    )
    assert run(*options, "rows.csv", "--force", train="texts.csv")[0] == 0
    assert weights("m") == by_text
    Path("even.csv").write_text("good,bad\n" + ".5,.5\n" * 24)
    assert run(*options, "even.csv", "--force", train="texts.csv")[0] == 0
    assert weights("m") != by_text


def test_vectors_of_another_model_teach(run: Distil, tiny_folder: Path) -> None:
    import numpy as np

    vectors = np.random.default_rng(0).normal(size=(24, 7)).astype(np.float32)
    np.save("v.npy", vectors)
    Path("pairs.csv").write_text("sentence1,sentence2\na film,a book\na plot,a battery\n")
    options = ("-m", tiny_folder, "--task", "embed", "--teacher-vectors", "v.npy")
    code, _, err = run(*options, train="texts.csv", valid="pairs.csv")
    assert code == 0
    assert "on 24 texts, validated on 2" in err
    before = weights("m")
    np.save("v.npy", vectors[::-1])
    assert run(*options, "--force", train="texts.csv", valid="pairs.csv")[0] == 0
    assert weights("m") != before
    np.save("v.npy", vectors[1:])
    code, _, err = run(*options, "--force", train="texts.csv", valid="pairs.csv")
    assert code == 3
    assert "v.npy: has 23 rows for 24 training rows" in err


def test_a_run_goes_on_only_with_what_the_teacher_said(
    run: Distil, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distilcli.training.loop import Trainer

    Path("s.csv").write_text("good,bad\n" + ".9,.1\n.2,.8\n" * 12)
    options = ("-m", tiny_folder, "--teacher-scores", "s.csv", "--eval-every", 1)
    assert run(*options, train="texts.csv")[0] == 0
    whole = weights("m")
    step = Trainer.step

    def interrupted(trainer: Trainer, batches: list[list[int]]) -> None:
        step(trainer, batches)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", interrupted)
        assert run(*options, "--force", train="texts.csv")[0] == 130
    Path("s.csv").write_text("good,bad\n" + ".9,.1\n.3,.7\n" * 12)
    code, _, err = run(*options, "--resume", train="texts.csv")
    assert code == 2
    assert "was started with another teacher" in err
    Path("s.csv").write_text("good,bad\n" + ".9,.1\n.2,.8\n" * 12)
    assert run(*options, "--resume", train="texts.csv")[0] == 0
    assert weights("m") == whole


def test_shards_fill_the_cache_for_a_run_that_finds_everything_there(
    run: Distil, teacher: Path
) -> None:
    from distilcli.training.distill import teacher_pass

    cache = ("--teacher", teacher, "--teacher-cache", "cache")
    for shard in ("1/2", "0/2"):
        code, out, err = run(*cache, "--cache-only", "--shard", shard)
        assert (code, out) == (0, "")
        assert err.splitlines()[-1] == (
            f"distil: the teacher's outputs for shard {shard} are in cache; the same command "
            "without --cache-only trains"
        )
    assert not Path("m").exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher_pass, "_write", None)  # whoever makes a pass fails
        assert run(*cache)[0] == 0
    shared = weights("m")
    shutil.rmtree("m")
    shutil.rmtree("cache")
    assert run(*cache, "--cache-only")[0] == 0
    assert run(*cache)[0] == 0
    assert weights("m") == shared


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["--shard", "0/2"], "--shard needs --cache-only; add it"),
        (["--cache-only"], "--cache-only needs --teacher-cache; name a folder"),
        (["--cache-only", "--force"], "--force has no effect with --cache-only; drop it"),
        (["--cache-only", "--json"], "--json has no effect with --cache-only; drop it"),
        (["--cache-only", "--stats", "s.json"], "--stats has no effect with --cache-only; drop"),
        (["--cache-only", "--dry-run"], "--dry-run has no effect with --cache-only; drop it"),
        (["--cache-only", "--shard", "2/2"], "--shard 2/2 does not exist; "),
    ],
)
def test_what_makes_no_sense_with_a_cache_alone(
    run: Distil, teacher: Path, given: list[str], why: str
) -> None:
    cache = () if why.endswith("name a folder") else ("--teacher-cache", "cache")
    code, _, err = run("--teacher", teacher, *cache, *given)
    assert code == 2
    assert why in err
    assert not Path("cache").exists()
