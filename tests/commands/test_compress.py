"""`distil compress`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.checkpoint.abstention import KEY, Abstention
from distilcli.checkpoint.config import ModelConfig
from distilcli.checkpoint.folder import describe_folder
from distilcli.checkpoint.safetensors_header import read_checkpoint_header
from distilcli.compression.report import CompressionReport, Size
from distilcli.predictors.classifier import Classifier

Distil = Callable[..., tuple[int, str, str]]
Make = Callable[..., Path]
TEXTS = ["the film was good", "a bad movie", "the plot was dull", "i loved the acting", "boring"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("text\n" + "".join(f"{text}\n" for text in TEXTS))
    labelled = [f"{text},{('negative', 'positive')[at % 2]}\n" for at, text in enumerate(TEXTS)]
    Path("labelled.csv").write_text("text,label\n" + "".join(labelled))


@pytest.fixture
def run(distil: Distil) -> Distil:
    """Run `distil compress` to the folder `small`, without timing."""

    def run(model: object, *arguments: object) -> tuple[int, str, str]:
        settings = ("-o", "small", "--seconds", 0, "--device", "cpu", "--format", "json")
        return distil("compress", model, *settings, *arguments)

    return run


def config() -> dict[str, object]:
    raw: dict[str, object] = json.loads(Path("small/config.json").read_text())
    return raw


def scores(model: object) -> list[float]:
    return [found.score for found in Classifier(str(model), device="cpu")(TEXTS)]


def test_everything_at_once(run: Distil, make_model: Make) -> None:
    model = make_model(n_layers=3)
    code, out, err = run(
        model, "--prune-layers", 1, "--prune-heads", 3, "--prune-ffn", 0.5, "--prune-vocab",
        "--positions", 16, "--int8", "--data", "labelled.csv",
    )  # fmt: skip
    assert code == 0, err
    found, report = config(), json.loads(out)
    assert (found["n_layers"], found["hidden_dim"]) == (2, 32)
    assert found["max_position_embeddings"] == 16
    assert sum(map(len, found["pruned_heads"].values())) == 3  # type: ignore[attr-defined]
    assert report["parameters"][1] < report["parameters"][0] / 2
    assert report["bytes"][1] < report["bytes"][0] / 2
    assert report["agreement_rows"] == len(TEXTS)
    assert report["metrics"].keys() >= {"accuracy", "macro_f1"}
    assert len(report["heads"]) == 2
    assert len(scores("small")) == len(TEXTS)
    header = read_checkpoint_header(describe_folder("small", Path("small")).weight_files)
    assert {tensor.dtype for tensor in header.tensors.values()} == {"I8", "F32"}
    assert sorted(path.name for path in Path().glob(".*")) == []


def test_int8_is_a_quarter_and_agrees(run: Distil, make_model: Make) -> None:
    model = make_model()
    code, out, _ = run(model, "--int8", "--data", "rows.csv", "--min-agreement", 1)
    assert code == 0
    assert json.loads(out)["agreement"] == 1
    assert scores("small") == pytest.approx(scores(model), abs=0.05)
    code, _, err = run("small", "--int8", "-o", "again")
    assert (code, Path("again").exists()) == (2, False)
    assert "--int8 has no effect" in err


def test_the_stored_form_is_kept(run: Distil, make_model: Make) -> None:
    assert run(make_model(), "--int8")[0] == 0
    assert run("small", "--positions", 16, "-o", "shorter")[0] == 0
    header = read_checkpoint_header(describe_folder("m", Path("shorter")).weight_files)
    assert "I8" in {tensor.dtype for tensor in header.tensors.values()}


def test_vocabulary_and_positions_leave_scores_as_they_were(run: Distil, make_model: Make) -> None:
    model = make_model()
    code, out, _ = run(model, "--prune-vocab", "--positions", 16, "--data", "rows.csv")
    assert (code, json.loads(out)["agreement"]) == (0, 1)
    assert scores("small") == pytest.approx(scores(model), abs=1e-6)
    settings = json.loads(Path("small/tokenizer_config.json").read_text())
    assert settings["model_max_length"] == 16


def test_named_heads_need_no_rows(run: Distil, make_model: Make) -> None:
    assert run(make_model(), "--prune-heads", "0:1,3", "--prune-heads", "1:0")[0] == 0
    assert config()["pruned_heads"] == {"0": [1, 3], "1": [0]}


def test_auto_removes_as_many_heads_as_agree(run: Distil, make_model: Make) -> None:
    model = make_model()
    every = ("--prune-heads", "auto", "--data", "rows.csv")
    code, out, _ = run(model, *every, "--min-agreement", 0)
    assert code == 0
    assert [len(layer["pruned"]) for layer in json.loads(out)["heads"]] == [3, 3]
    code, out, _ = run(model, *every, "--min-agreement", 1, "--force")
    assert (code, json.loads(out)["agreement"]) == (0, 1)


def test_a_mean_of_models(run: Distil, make_model: Make) -> None:
    first, other = make_model("first"), make_model("other", seed=1)
    assert run(first, "--merge", other)[0] == 0
    assert scores("small") != pytest.approx(scores(first), abs=1e-4)


def test_too_little_agreement_writes_nothing(run: Distil, make_model: Make) -> None:
    model = make_model(n_layers=4)
    cut = ("--prune-layers", "0,1,2", "--prune-ffn", 0.9, "--data", "rows.csv")
    code, out, _ = run(model, *cut)
    share = json.loads(out)["agreement"]
    assert code == 0
    assert share < 1
    code, out, err = run(model, *cut, "--min-agreement", 1, "-o", "other")
    assert (code, out, Path("other").exists()) == (7, "", False)
    assert "100.0% required; nothing was written" in err
    assert list(Path().glob(".*")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "nothing to do"),
        (["--data", "rows.csv"], 2, "nothing to do"),
        (["--prune-heads", "0:0,1,2,3"], 2, "leaves layer 0 none"),
        (["--prune-heads", "7", "--data", "rows.csv"], 2, "at most 6 can go"),
        (["--prune-heads", "many", "--data", "rows.csv"], 2, "give a number, auto, or"),
        (["--prune-layers", "0,1"], 2, "leaves no layer"),
        (["--prune-layers", "5"], 2, "layers 0 to 1"),
        (["--prune-ffn", "1.2"], 2, "from 0 to 1"),
        (["--prune-vocab"], 2, "--prune-vocab needs rows"),
        (["--prune-vocab", "--data", "empty.csv"], 3, "no token beside the special ones"),
        (["--positions", "64"], 2, "from 8 to 63"),
        (["--int8", "--data", "rows.csv", "--text-column", "body"], 3, "body"),
        (["--int8", "--data", "nowhere.csv"], 3, "nowhere.csv"),
        (["--int8", "--min-agreement", "0.9"], 2, "--min-agreement has no effect without --data"),
        (["--merge", "nowhere"], 4, "nowhere"),
        (["--int8", "-o", "."], 2, "is not empty; use --force"),
        (["--int8", "-o", "rows.csv"], 2, "is a file"),
    ],
)
def test_what_cannot_be_done(
    distil: Distil, tiny_folder: Path, arguments: list[str], code: int, message: str
) -> None:
    Path("empty.csv").write_text('text\n""\n')
    where = [] if "-o" in arguments else ["-o", "small"]
    found, out, err = distil("compress", tiny_folder, *arguments, *where, "--seconds", 0)
    assert (found, out, Path("small").exists()) == (code, "", False), err
    assert message in err.splitlines()[-1]


def test_labels_that_do_not_fit_are_told(run: Distil, make_model: Make) -> None:
    Path("numbers.csv").write_text("text,label\n" + "".join(f"{text},1\n" for text in TEXTS))
    code, out, err = run(make_model(), "--int8", "--data", "numbers.csv")
    assert (code, json.loads(out)["metrics"]) == (0, {})
    assert "quality is not measured" in err
    mapped = ("--map", "1=positive", "--force")
    code, out, _ = run(make_model("m2"), "--int8", "--data", "numbers.csv", *mapped)
    assert (code, "accuracy" in json.loads(out)["metrics"]) == (0, True)


def test_thresholds_of_the_original_are_left_out(run: Distil, make_model: Make) -> None:
    model = make_model()
    raw = json.loads((model / "config.json").read_text())
    kept = Abstention(thresholds=0.6, max_error=0.1, confidence=0.9)
    (model / "config.json").write_text(json.dumps(raw | {KEY: kept.as_json()}))
    code, _, err = run(model, "--positions", 16)
    assert code == 0
    assert KEY not in config()
    assert "thresholds of the original are left out" in err


@pytest.mark.parametrize("kind", ["TokenClassifier", "QuestionAnswerer", "MultipleChoice",
                                  "MaskedLanguageModel", "BaseModel"])  # fmt: skip
def test_every_head(run: Distil, make_model: Make, kind: str) -> None:
    rows = {
        "QuestionAnswerer": "question,context\nwas it good,the film was good\n",
        "MultipleChoice": 'prompt,options\nthe film,"[""good"", ""bad""]"\n',
    }.get(kind, "text\nthe film was good\n")
    Path("task.csv").write_text(rows)
    cut = ("--prune-heads", 2, "--prune-ffn", 0.25, "--prune-vocab", "--data", "task.csv")
    code, out, err = run(make_model(head=kind), *cut)
    assert code == 0, err
    assert json.loads(out)["agreement_rows"] == 1


@pytest.mark.slow
def test_the_speed_is_measured_in_pairs(distil: Distil, make_model: Make) -> None:
    cut = ("--prune-layers", 0, "-o", "small", "--seconds", 0.2, "--format", "json")
    code, out, _ = distil("compress", make_model(), *cut)
    ratio, (low, high) = (json.loads(out)[name] for name in ("rate_ratio", "rate_ratio_interval"))
    assert code == 0
    assert 0 < low <= ratio <= high


def test_a_table_has_ratios_and_the_sizes_that_changed() -> None:
    old = Size(100, 50, ModelConfig(n_layers=6))
    new = Size(25, 40, ModelConfig(n_layers=3, pruned_heads={0: (1, 2)}))
    records = CompressionReport(output=Path("x"), old=old, new=new).records()
    assert [tuple(each.values()) for each in records] == [
        ("bytes on disk", 100, 25, 0.25),
        ("parameters", 50, 40, 0.8),
        ("n_layers", 6, 3, 0.5),
        ("heads", 72, 34, 34 / 72),
    ]


@pytest.mark.slow
def test_a_teacher_brings_the_quality_back(distil: Distil, make_model: Make) -> None:
    firsts, nouns = "good bad great poor dull bright".split(), "film movie plot book".split()
    ends = ("was slow", "and fun", "")
    rows = [f"{first} {noun} {end}" for first in firsts for noun in nouns for end in ends]
    good = ("good", "great", "bright")
    names = ("negative", "positive")
    lines = [f"{row},{names[row.split()[0] in good]}\n" for row in rows]
    Path("train.csv").write_text("text,label\n" + "".join(lines))
    learning = ("--valid", "train.csv", "--learning-rate", 3e-3, "--max-tokens", 128,
                "--device", "cpu", "--threads", 1)  # fmt: skip
    start = ("--model", make_model(n_layers=3), "--epochs", 12)
    assert distil("finetune", "train.csv", "-o", "original", *start, *learning)[0] == 0
    cut = ("--prune-layers", "0,1", "--prune-ffn", 0.9, "--data", "train.csv", "--seconds", 0)
    code, out, _ = distil("compress", "original", "-o", "small", *cut, "--format", "json")
    before, after = json.loads(out)["metrics"]["accuracy"]
    assert (code, before > 0.9, after < before) == (0, True, True)
    teach = ("--model", "small", "--teacher", "original", "--epochs", 12)
    assert distil("finetune", "train.csv", "-o", "taught", *teach, *learning)[0] == 0
    _, out, _ = distil("evaluate", "taught", "train.csv", "--format", "json", "--device", "cpu")
    assert json.loads(out)["metrics"]["accuracy"] > after
    found = json.loads(Path("taught/config.json").read_text())
    assert (found["n_layers"], found["hidden_dim"]) == (1, 6)
