import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.commands._finetune_options import with_setting
from tests.commands._parse import delimited

pytestmark = pytest.mark.slow

Distil = Callable[..., tuple[int, str, str]]

ROWS = [
    ("i loved the film", "good"),
    ("it was dull and slow", "bad"),
    ("good acting , bright plot", "good"),
    ("boring and cheap", "bad"),
    ("great fun", "good"),
    ("a poor book", "bad"),
    ("works very good", "good"),
    ("the battery is bad", "bad"),
] * 3


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{text},{label}\n" for text, label in ROWS]
    Path("train.csv").write_text("text,label\n" + "".join(lines).replace(" , ", " "))
    Path("valid.csv").write_text("text,label\n" + "".join(lines[:6]).replace(" , ", " "))


@pytest.fixture
def run(distil: Distil, tiny_folder: Path) -> Callable[..., tuple[int, str, str]]:
    """Run `distil finetune` from the tiny model, three short steps an epoch."""
    settings = ("--epochs", 1, "--token-budget", 64, "--device", "cpu", "--threads", 1)

    def run(*arguments: object, files: tuple[str, ...] = ("train.csv",)) -> tuple[int, str, str]:
        return distil("finetune", *files, "-m", tiny_folder, *settings, *arguments)

    return run


def summary(folder: str) -> dict[str, object]:
    """What a finished run says of itself."""
    found: dict[str, object] = json.loads(Path(folder, "summary.json").read_text())
    return found


def weights(folder: str) -> bytes:
    """The trained model, to be compared."""
    return Path(folder, "model.safetensors").read_bytes()


def test_the_command_keeps_the_memory_that_it_frees(
    run: Distil, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("distilcli.memory.keep_freed_memory", lambda: asked.append(True))
    assert run("-o", "m")[0] == 0
    assert asked == [True]


def test_a_model_ready_for_classify(run: Distil, distil: Distil) -> None:
    code, out, err = run("-o", "m", "--valid", "valid.csv", "--epochs", 4, "--lr", 0.01)
    assert (code, out) == (0, "")
    assert "on 24 texts, validated on 6; labels: bad, good; text column 'text'" in err
    assert "distil: step 12 of 12: loss " in err
    assert err.splitlines()[-1] == "distil: the model is in m; try: distil classify FILE -m m"
    assert {path.name for path in Path("m").iterdir()} >= {
        "config.json",
        "model.safetensors",
        "vocab.txt",
        "metrics.jsonl",
        "summary.json",
    }
    code, out, _ = distil("classify", "valid.csv", "--model", "m")
    rows = delimited(out)
    right = sum(row["label"] == row["predicted_label"] for row in rows)
    assert code == 0
    assert right / len(rows) == pytest.approx(summary("m")["best"]["accuracy"], abs=1e-5)  # type: ignore[index]


@pytest.mark.parametrize(
    "option",
    [
        ["--epochs", "2"],
        ["--learning-rate", "0.01"],
        ["--schedule", "cosine"],
        ["--warmup", "0.9"],
        ["--weight-decay", "0.5"],
        ["--layer-decay", "0.5"],
        ["--clip", "0.001"],
        ["--token-budget", "32"],
        ["--accumulate", "2"],
        ["--max-length", "8"],
        ["--freeze", "embeddings"],
        ["--average", "0.9"],
        ["--seed", "1"],
        ["--limit", "20"],
        ["--valid-split", "0.5"],
        ["--pair-column", "text"],
    ],
    ids=" ".join,
)
def test_an_option_changes_what_is_learned(run: Distil, option: list[str]) -> None:
    texts = "".join(f"{text} and {text} {text},{label}\n" for text, label in ROWS[3:])
    Path("train.csv").write_text("text,label\n" + texts.replace(" , ", " "))
    run("-o", "plain", "--lr", 0.001)
    code, _, _ = run("-o", "other", "--lr", 0.001, *option)
    assert code == 0
    assert weights("plain") != weights("other")


def test_positions_grow_and_heads_go(run: Distil, distil: Distil) -> None:
    changes = ("--positions", 100, "--position-growth", "interpolate", "--prune-heads", "0:1,3")
    code, _, err = run("-o", "changed", *changes, "--prune-heads", "1:0")
    assert code == 0
    note = "transformers 5 does not load models with pruned heads; version 4 does"
    assert note in err
    assert note in run("-o", "again", "-m", "changed")[2]
    config = json.loads(Path("changed/config.json").read_text())
    assert config["max_position_embeddings"] == 100
    assert config["pruned_heads"] == {"0": [1, 3], "1": [0]}
    text = "good " * 90
    code, out, _ = distil("classify", "-m", "changed", "--text", text, "--format", "csv")
    assert code == 0
    assert "truncated" not in out.splitlines()[0]
    # What was made is what is read again: the same numbers from the folder's own weights.
    assert distil("classify", "-m", "changed", "--text", text, "--format", "csv")[1] == out
    assert note not in run("-o", "copied", "--positions", 100)[2]
    assert weights("copied") != weights("changed")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--prune-heads", "0:9"], "--prune-heads: layer 0 has no heads [9]"),
        (["--prune-heads", "0"], "--prune-heads '0': write LAYER:HEAD,HEAD"),
        (["--prune-heads", "0:0,1,2,3"], "keep at least one"),
        (["--position-growth", "copy"], "--position-growth needs --positions; add it"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(run: Distil, options: list[str], why: str) -> None:
    code, _, err = run("-o", "model", *options)
    assert code == 2
    assert err.splitlines()[-1].startswith("distil: error: ")
    assert why in err.splitlines()[-1]
    assert not Path("model").exists()


def test_a_run_is_a_function_of_its_options_and_its_data(run: Distil) -> None:
    run("-o", "one", "--precision", "fp32")
    run("-o", "two", "--precision", "fp32", "--gradient-checkpointing")
    run("-o", "three", "--precision", "fp32", "--task", "classify")
    assert weights("one") == weights("three")
    assert weights("one") == weights("two")
    assert summary("two")["options"]["gradient_checkpointing"] is True  # type: ignore[index]
    assert summary("three")["precision"] == "fp32"


def test_columns_by_their_names(run: Distil) -> None:
    renamed = Path("train.csv").read_text().replace("text,label", "body of it,verdict", 1)
    Path("other.csv").write_text(renamed)
    named = ("--text-column", "body of it", "--label-column", "verdict")
    assert run("-o", "m", *named, files=("other.csv",))[0] == 0
    code, _, err = run("-o", "n", *named[:2], files=("other.csv",))
    assert code == 3
    assert "name it with --label-column, or columns of 0 and 1 with --label-columns" in err
    assert "(columns: body of it, verdict)" in err
    code, _, err = run("-o", "n", *named[:3], "verdit", files=("other.csv",))
    assert code == 3
    assert "did you mean 'verdict'?" in err
    assert not Path("n").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--input-format", "csv"],
        ["--delimiter", ";"],
        ["--no-header", "--text-column", "1", "--label-column", "2"],
        ["--encoding", "utf-16"],
    ],
)
def test_how_the_rows_are_read(run: Distil, arguments: list[str]) -> None:
    text = Path("train.csv").read_text()
    if "--delimiter" in arguments:
        text = text.replace(",", ";")
    if "--no-header" in arguments:
        text = text.partition("\n")[2]
    name = "rows.data" if "--input-format" in arguments else "rows.csv"
    Path(name).write_text(text, encoding="utf-16" if "--encoding" in arguments else "utf-8")
    code, _, _ = run("-o", "m", *arguments, files=(name,))
    assert code == 0
    run("-o", "plain")
    assert weights("m") == weights("plain")


def test_several_files(run: Distil) -> None:
    _, _, err = run("-o", "m", "--valid", "valid.csv", files=("train.csv", "valid.csv"))
    assert "on 30 texts" in err
    _, _, err = run("-o", "n", "--valid", "valid.csv", "--valid", "train.csv")
    assert "validated on 30" in err


def test_when_it_is_evaluated(run: Distil) -> None:
    run("-o", "m", "--valid", "valid.csv", "--eval-every", 2, "--epochs", 2)
    steps = [json.loads(line)["step"] for line in Path("m/metrics.jsonl").read_text().splitlines()]
    assert steps[:3] == [0, 2, 4]  # 0: the fitted head
    # With nothing learned no evaluation is better than that of the first epoch.
    run("-o", "n", "--valid", "valid.csv", "--epochs", 9, "--early-stopping", 2, "--lr", 1e-9)
    assert len(Path("n/metrics.jsonl").read_text().splitlines()) == 4


def test_folding_a_bert(distil: Distil, make_model: Callable[..., Path]) -> None:
    bert = make_model("bert", model_type="bert")
    run = ("finetune", "train.csv", "-m", bert, "--epochs", 1)
    assert distil(*run, "-o", "kept")[0] == 0
    assert distil(*run, "-o", "folded", "--fold")[0] == 0
    kinds = [
        json.loads(Path(name, "config.json").read_text())["model_type"]
        for name in ("kept", "folded")
    ]
    assert kinds == ["bert", "distilbert"]


def test_the_summary_as_json(run: Distil) -> None:
    _, _, err = run("-o", "m", "--json", "--quiet", "--stats", "stats.json")
    report = json.loads(err)
    assert report == json.loads(Path("stats.json").read_text())
    assert report["command"] == "finetune"
    assert report["steps"] == report["best"]["step"]


def test_quiet(run: Distil) -> None:
    assert run("-o", "m", "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "--output is missing"),
        (["-o", "m", "--resume", "--force"], 2, "give one of them"),
        (
            ["-o", "m", "--valid", "valid.csv", "--valid-split", "0.2"],
            2,
            "--valid and --valid-split exclude each other",
        ),
        (["-o", "m", "--stats", "no/s.json"], 2, "there is no folder 'no'"),
        (["-o", "m", "--task", "dance"], 2, "--task"),
        (["-o", "m", "--lr", "-1"], 2, "--learning-rate must be"),
        (["-o", "m", "--limit", "1"], 3, "every row has the label 'good'"),
        (["-o", "m", "--valid", "no.csv"], 3, "no.csv: no such file"),
        (["-o", "m", "--device", "cuda:99"], 5, "--device cuda:99"),
        (["-o", "m", "--device", "cuda:all"], 2, "--device cuda:all is for running a model"),
        (["-o", "m", "--fold"], 4, "no token types to fold"),
        (["-o", "m", "--resume"], 2, "there is no interrupted run"),
        (["-o", "train.csv"], 2, "is a file"),
    ],
)
def test_what_is_refused(run: Distil, arguments: list[str], code: int, words: str) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert err.splitlines()[-1].startswith("distil: error: ")
    assert words in err
    assert not list(Path("m").glob("*"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\n", "has no rows to learn from"),
        ("text,label\ngood,\n", "line 2, column 'label': no value"),
        ("text,label\ngood\n", "line 2: 1 cell where the header has 2"),
        ("text,label\ngood,a\ncaf\xe9,b\n", "line 3: byte 4"),
    ],
)
def test_rows_that_cannot_be_learned_from(run: Distil, content: str, words: str) -> None:
    Path("bad.csv").write_bytes(content.encode("latin-1"))
    for arguments in ({"files": ("bad.csv",)}, {}):
        code, _, err = run("-o", "m", *([] if arguments else ["--valid", "bad.csv"]), **arguments)
        assert code == 3
        assert "bad.csv" in err
        assert words in err
    assert not Path("m").exists()


def test_a_label_that_only_the_validation_rows_have(run: Distil) -> None:
    Path("odd.csv").write_text("text,label\ngood,strange\n")
    code, _, err = run("-o", "m", "--valid", "odd.csv")
    assert code == 3
    assert "odd.csv: has the label 'strange', which the training rows do not have" in err


def test_weird_labels_survive(run: Distil, distil: Distil) -> None:
    text = Path("train.csv").read_text().replace(",bad", ',"[red] ""x"" ,\tñ"')
    Path("train.csv").write_text(text)
    assert run("-o", "m")[0] == 0
    _, out, _ = distil("classify", "--text", "good", "-m", "m", "--top-k", 2, "--format", "json")
    row = json.loads(out)[0]
    assert {row["label"], row["label_2"]} == {"good", '[red] "x" ,\tñ'}


def test_a_folder_that_holds_something_needs_force(run: Distil) -> None:
    run("-o", "m")
    before = weights("m")
    code, _, err = run("-o", "m", "--seed", 1)
    assert code == 2
    assert "m: is not empty; use --force" in err
    assert "learns" not in err  # nothing was read for it
    assert weights("m") == before
    assert run("-o", "m", "--seed", 1, "--force")[0] == 0
    assert weights("m") != before


@pytest.mark.skipif(os.name == "nt", reason="signals differ there")
def test_an_interrupted_run_goes_on_as_if_unbroken(
    run: Distil, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distilcli.training.loop import Trainer

    step = Trainer.step
    taken = []

    def interrupted_step(trainer: Trainer, batches: list[list[int]]) -> None:
        step(trainer, batches)
        taken.append(1)
        if len(taken) == 7:
            signal.raise_signal(signal.SIGINT)

    options = ("--epochs", 3, "--lr", 0.001)
    run("-o", "whole", *options)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", interrupted_step)
        code, out, err = run("-o", "broken", *options)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == (
        "distil: warning: interrupted; broken: repeat the command with --resume to go on"
    )
    code, _, err = run("-o", "broken", *options, "--resume", "--seed", 1)
    assert code == 2
    assert "was started with another seed" in err
    monkeypatch.setattr("sys.argv", ["distil", "finetune", "-o", "broken", "--resume"])
    assert run("-o", "broken", *options, "--resume")[0] == 0
    assert weights("broken") == weights("whole")
    for name in ("config.toml", "README.md"):
        assert "distil finetune -o broken\n" in Path("broken", name).read_text()
    assert run("-o", "broken", *options, "--resume")[0] == 2


def test_offline(distil: Distil, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    from distilcli.checkpoint import hub

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_download", pytest.fail)
    code, _, err = distil("finetune", "train.csv", "-m", "some/model", "-o", "m", "--offline")
    assert code == 4
    assert "the network is off" in err


@pytest.mark.parametrize("name", ["train.csv", "./valid.csv"])
def test_statistics_never_replace_rows_to_learn_from(run: Distil, name: str) -> None:
    before = Path(name).read_text()
    code, _, err = run("-o", "m", "--valid", "valid.csv", "--stats", name)
    assert code == 2
    assert "--stats would replace this input" in err
    assert Path(name).read_text() == before


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("x.conll", "EU B-ORG\nis O\n", (), "CoNLL has a label for each word; give --task tag"),
        (
            "x.csv", "prompt,label\np,A\n", ("--task", "choose"),
            "no column 'options' in x.csv; name it with --options-column",
        ),
        (
            "x.csv", "words,options,label\np,[],A\n", ("--task", "choose"),
            "no column 'prompt' in x.csv; name it with --text-column",
        ),
        (
            "x.jsonl", '{"question": "q", "context": "c", "answers": null}\n', ("--task", "qa"),
            "no answer is given; an empty list says that there is none",
        ),
    ],
)  # fmt: skip
def test_the_way_out_is_an_option_of_finetune(
    distil: Distil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, content: str, options: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content)
    code, out, err = distil("finetune", name, "-o", "run", *options, "-q")
    assert (code, out) == (3, "")
    assert message in err


@pytest.mark.parametrize(
    ("words", "value", "expected"),
    [
        ("finetune a.csv -o m", "6", "finetune a.csv -o m --epochs 6 --force"),
        ("finetune a.csv --epochs 3 -o m", "6", "finetune a.csv -o m --epochs 6 --force"),
        ("finetune --epochs=3 a.csv", "6", "finetune a.csv --epochs 6 --force"),
        ("finetune --epochs 3 a.csv", None, "finetune a.csv --force"),
    ],
)
def test_the_command_is_the_same_but_for_the_setting(
    words: str, value: str | None, expected: str
) -> None:
    assert with_setting(words.split(), "--epochs", value) == expected.split()


def test_a_run_is_repeated_from_its_settings(run: Distil, distil: Distil) -> None:
    given = ("--valid", "valid.csv", "--lr", 0.01, "--seed", 3, "--limit", 20)
    assert run("-o", "first", *given)[0] == 0
    here = ("--device", "cpu", "--threads", 1)
    assert distil("finetune", "--config", "first/config.toml", "-o", "again", *here)[0] == 0
    assert weights("again") == weights("first")
    again = ("--config", "again/config.toml", "-o", "other", "--seed", 0, "--epochs", 2, *here)
    code, _, err = distil("finetune", *again)
    assert code == 0
    assert "on 20 texts, validated on 6" in err
    assert (summary("other")["options"]["seed"], summary("other")["epochs"]) == (0, 2)


def test_the_task_of_a_run_is_repeated_unless_another_is_given(run: Distil, distil: Distil) -> None:
    Path("numbers.csv").write_text("text,label\n" + "a good film,1\na bad one,2\n" * 6)
    numbers = ("--task", "regress", "--valid", "numbers.csv")
    assert run("-o", "m", *numbers, files=("numbers.csv",))[0] == 0
    again = ("finetune", "--config", "m/config.toml", "-o", "n", "--device", "cpu", "--dry-run")
    assert "labels:" not in distil(*again)[2]
    assert "labels: 1, 2" in distil(*again, "--task", "classify")[2]


def test_what_a_configuration_cannot_set_is_refused(run: Distil, distil: Distil) -> None:
    Path("c.toml").write_text('[settings]\nfiles = ["train.csv"]\nepocs = 3\n')
    code, _, err = distil("finetune", "--config", "c.toml", "-o", "m")
    assert code == 2
    assert "c.toml: there is no setting 'epocs' in finetune; did you mean 'epochs'?" in err
    code, _, err = distil("finetune", "-o", "m")
    assert code == 2
    assert "no training rows; give their files, or --config to repeat a run" in err


def test_a_mixture_reads_rows_as_often_as_they_weigh(run: Distil) -> None:
    Path("more.csv").write_text("words,mood\n" + "fun,good\ndull,bad\n" * 4)
    given = ("--valid", "valid.csv", "--mix")
    code, _, err = run("-o", "m", *given, "train.csv=1,more.csv=3:text=words:label=mood", files=())
    assert code == 0
    assert "on 32 texts, validated on 6; labels: bad, good; text column 'text, words'" in err
    before = summary("m")["tokens"]
    card = Path("m/README.md").read_text()
    assert "train.csv, more.csv" in card
    again = ("--force", *given, "train.csv=1,more.csv=1:text=words:label=mood")
    assert run("-o", "m", *again, files=())[0] == 0
    # 16 readings less of a word between [CLS] and [SEP]; padding does not count.
    assert before - summary("m")["tokens"] == 16 * 3  # type: ignore[operator]


def test_a_fitted_head_weighs_the_rows_of_a_mixture(run: Distil, distil: Distil) -> None:
    Path("other.csv").write_text("text,label\n" + "great fun,bad\na poor book,good\n" * 4)
    given = ("--valid", "valid.csv", "--freeze", "encoder", "--device", "cpu", "--threads", 1)
    found = []
    for weight in (1, 20):
        mix = f"train.csv=1,other.csv={weight}"
        assert distil("finetune", "--mix", mix, "-o", "m", "--force", *given)[0] == 0
        found.append(weights("m"))
    assert found[0] != found[1]


def test_a_mixture_takes_the_place_of_the_files_of_a_configuration(
    run: Distil, distil: Distil
) -> None:
    assert run("-o", "m", "--mix", "train.csv=2", files=())[0] == 0
    again = ("--config", "m/config.toml", "-o", "n", "--device", "cpu", "--threads", 1)
    assert distil("finetune", *again)[0] == 0
    assert weights("n") == weights("m")
    code, _, err = distil("finetune", "train.csv", *again, "--force", "--dry-run")
    assert code == 0
    code, _, err = distil("finetune", "train.csv", "--mix", "train.csv=2", "-o", "x")
    assert code == 2
    assert "files and --mix do not go together" in err
