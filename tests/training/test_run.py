import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from distilcli.checkpoint.folder import describe_folder
from distilcli.errors import InputError, ModelError, ResourceError, UsageError
from distilcli.gold.fingerprints import row_keys
from distilcli.predictors.classifier import Classifier
from distilcli.tasks.settings import BatchOptions
from distilcli.training.datasets.classify import Examples
from distilcli.training.init_model import StartingPoint, start_model
from distilcli.training.loop import Progress
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.options import TrainingOptions
from distilcli.training.run_folder import RunFolder
from tests.conftest import WORDS
from tests.training._finetune import finetune

pytestmark = pytest.mark.slow

LABELS = ("bad", "good")
OPTIONS = TrainingOptions(epochs=4, learning_rate=3e-3, token_budget=256, precision="fp32")
# Long enough to learn what there is to learn.
LEARN = replace(OPTIONS, epochs=10, learning_rate=2e-3, token_budget=128)
Make = Callable[..., Path]


def examples(count: int, *, seed: int, names: tuple[str, ...] = LABELS) -> Examples:
    """Sentences of everyday words, one of which says what the label is."""
    draw = random.Random(seed)
    words = {0: ["bad", "poor", "hated"], 1: ["good", "great", "loved"]}
    others = [word for word in WORDS if word not in words[0] + words[1]]
    texts, labels = [], []
    for _ in range(count):
        labels.append(draw.randrange(2))
        chosen = [*draw.choices(others, k=draw.randint(1, 8)), draw.choice(words[labels[-1]])]
        texts.append(" ".join(draw.sample(chosen, len(chosen))))
    return Examples(texts, None, labels, names)


def objective(names: tuple[str, ...]) -> ClassifyObjective:
    return ClassifyObjective(examples(8, seed=3, names=names), examples(8, seed=4, names=names))


TRAIN, VALID = examples(160, seed=1), examples(60, seed=2)


def tune(model: Path, folder: Path, **settings: Any) -> dict[str, Any]:
    settings = {
        "train": TRAIN, "valid": VALID, "options": LEARN, "device": "cpu", "fold": False,
        "max_length": None, **settings,
    }  # fmt: skip
    start = StartingPoint(
        files=describe_folder(str(model), model),
        fold=settings.pop("fold"),
        max_length=settings.pop("max_length"),
    )
    train, valid = settings.pop("train"), settings.pop("valid")
    return finetune(start, ClassifyObjective(train, valid), folder=folder, **settings)


def accuracy(folder: Path, rows: Examples = VALID) -> float:
    """What `classify` makes of the rows."""
    classifier = Classifier(str(folder), device="cpu", batches=BatchOptions(threads=1))
    found = classifier(rows.texts if rows.pairs is None else zip(rows.texts, rows.pairs))  # noqa: B905
    hits = [result.ranked()[0] == label for result, label in zip(found, rows.labels, strict=True)]
    return sum(hits) / len(hits)


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_the_folder_predicts_as_the_run_says(
    make_model: Make, tmp_path: Path, model_type: str
) -> None:
    summary = tune(make_model(model_type=model_type), tmp_path / "run")
    assert summary["best"]["accuracy"] > 0.85
    assert accuracy(tmp_path / "run") == pytest.approx(summary["best"]["accuracy"], abs=1e-6)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["model_type"] == model_type
    assert config["id2label"] == {"0": "bad", "1": "good"}
    assert config["problem_type"] == "single_label_classification"
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json",
        "metrics.jsonl", "summary.json", "config.toml", "README.md", "training_rows.npy",
    }  # fmt: skip


def test_a_folded_bert_becomes_a_distilbert(make_model: Make, tmp_path: Path) -> None:
    bert = make_model(model_type="bert")
    summary = tune(bert, tmp_path / "run", fold=True)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["model_type"] == "distilbert"
    assert summary["best"]["accuracy"] > 0.85
    assert accuracy(tmp_path / "run") == pytest.approx(summary["best"]["accuracy"], abs=1e-6)
    with pytest.raises(ModelError, match="no token types to fold"):
        tune(tmp_path / "run", tmp_path / "again", fold=True)


def test_pairs_are_learned(make_model: Make, tmp_path: Path) -> None:
    def paired(rows: Examples) -> Examples:
        return replace(rows, texts=["the film"] * len(rows.texts), pairs=rows.texts)

    summary = tune(
        make_model(model_type="bert"), tmp_path / "run", train=paired(TRAIN), valid=paired(VALID)
    )
    assert summary["best"]["accuracy"] > 0.85
    assert accuracy(tmp_path / "run", paired(VALID)) == pytest.approx(
        summary["best"]["accuracy"], abs=1e-6
    )


def at_step(step: int) -> Callable[[Progress], None]:
    def on_progress(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return on_progress


def interrupted(model: Path, folder: Path, **settings: Any) -> None:
    """A run that ended after its first evaluation."""
    options = replace(OPTIONS, evaluate_every=2)
    with pytest.raises(KeyboardInterrupt):
        tune(model, folder, on_progress=at_step(3), **{"options": options, **settings})


def test_an_interrupted_run_ends_as_an_unbroken_one(make_model: Make, tmp_path: Path) -> None:
    model, options = make_model(), replace(OPTIONS, evaluate_every=2)
    unbroken = tune(model, tmp_path / "a", options=options)
    interrupted(model, tmp_path / "b")
    assert tune(model, tmp_path / "b", options=options, resume=True) == unbroken
    for name in ("model.safetensors", "metrics.jsonl", "summary.json", "config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with pytest.raises(UsageError, match="the run is finished"):
        tune(model, tmp_path / "b", options=options, resume=True)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"options": replace(OPTIONS, evaluate_every=2, seed=1)}, "seed"),
        ({"train": examples(160, seed=3)}, "training data"),
        ({"train": replace(TRAIN, labels=TRAIN.labels[::-1])}, "training data"),
        ({"train": replace(TRAIN, pairs=TRAIN.texts)}, "training data"),
        ({"valid": examples(60, seed=3)}, "validation data"),
        ({"max_length": 20}, "max_length"),
    ],
)
def test_a_changed_run_is_not_resumed(
    tiny_folder: Path, tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    interrupted(tiny_folder, tmp_path / "run")
    settings = {"options": replace(OPTIONS, evaluate_every=2), **changes}
    with pytest.raises(UsageError, match=f"was started with another {named}; repeat"):
        tune(tiny_folder, tmp_path / "run", resume=True, **settings)


def test_a_head_for_the_same_labels_is_kept(make_model: Make) -> None:
    folder = make_model(labels=LABELS)
    start = StartingPoint(files=describe_folder("m", folder))
    given = load_file(folder / "model.safetensors")
    kept = start_model(start, objective(LABELS)).model.state_dict()
    assert all(torch.equal(kept[name], weight) for name, weight in given.items())
    for labels in (("good", "bad"), ("bad", "good", "so-so")):
        model = start_model(start, objective(labels)).model
        assert model.config.labels == labels
        drawn = model.state_dict()
        changed = {name for name in given if not given[name].equal(drawn[name])}
        assert {name for name in changed if name.endswith("weight")} == {
            "pre_classifier.weight", "classifier.weight",
        }  # fmt: skip


def test_a_head_is_not_kept_when_its_encoder_is_folded(make_model: Make) -> None:
    folder = make_model(model_type="bert", labels=LABELS)
    start = StartingPoint(files=describe_folder("m", folder), fold=True)
    drawn = start_model(start, objective(LABELS)).model.classifier.weight
    assert not torch.equal(drawn, load_file(folder / "model.safetensors")["classifier.weight"])


def test_an_encoder_without_a_head_can_be_started_from(make_model: Make, tmp_path: Path) -> None:
    folder = make_model()
    path = folder / "model.safetensors"
    body = {key: w.clone() for key, w in load_file(path).items() if key.startswith("distilbert.")}
    save_file({key.removeprefix("distilbert."): weight for key, weight in body.items()}, path)
    summary = tune(folder, tmp_path / "run", options=replace(OPTIONS, freeze="embeddings"))
    assert summary["best"]["accuracy"] > 0.6
    table = "distilbert.embeddings.word_embeddings.weight"
    assert torch.equal(load_file(tmp_path / "run" / "model.safetensors")[table], body[table])


def test_half_a_body_is_refused(make_model: Make, tmp_path: Path) -> None:
    folder = make_model()
    path = folder / "model.safetensors"
    save_file({k: w.clone() for k, w in load_file(path).items() if "layer.1" not in k}, path)
    with pytest.raises(
        ModelError, match=r"config\.json; its n_layers is 2, but the weights have 1"
    ):
        tune(folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_fails_before_it_saves_leaves_no_folder(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ResourceError("no space left")

    monkeypatch.setattr(RunFolder, "save_state", full)
    monkeypatch.setattr(RunFolder, "save_best", full)
    with pytest.raises(ResourceError, match="no space left"):
        tune(tiny_folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_taken_folder_is_left_alone(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match="is not empty"):
        tune(tiny_folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_long_rows_are_cut_at_the_shortest_limit(make_model: Make, tmp_path: Path) -> None:
    folder = make_model()
    long = replace(TRAIN, texts=["good " * 100] * len(TRAIN.texts))
    one = replace(OPTIONS, epochs=1)
    rows = len(TRAIN.texts)
    assert tune(folder, tmp_path / "a", train=long, options=one)["tokens"] == 64 * rows
    found = tune(folder, tmp_path / "b", train=long, options=one, max_length=10)
    assert found["tokens"] == 10 * rows
    config = {"do_lower_case": True, "model_max_length": 30}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert tune(folder, tmp_path / "c", train=long, options=one)["tokens"] == 30 * rows
    with pytest.raises(UsageError, match=r"max.length.? 3 leaves no room"):
        tune(folder, tmp_path / "d", max_length=3)


def test_a_tokenizer_of_another_model_is_refused(make_model: Make, tmp_path: Path) -> None:
    folder = make_model()
    with (folder / "vocab.txt").open("a") as file:
        file.write("another\n")
    with pytest.raises(ModelError, match="the tokenizer that belongs to the model"):
        tune(folder, tmp_path / "run")


def test_the_labels_of_a_model_are_known_before_it_is_loaded(tiny_folder: Path) -> None:
    start = StartingPoint(files=describe_folder("m", tiny_folder))
    assert start.labels() == ("negative", "positive")


def test_threads_are_as_asked(tiny_folder: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    seen: list[int] = []
    try:
        tune(
            tiny_folder, tmp_path / "run", threads=2, options=replace(OPTIONS, epochs=1),
            on_progress=lambda _: seen.append(torch.get_num_threads()),
        )  # fmt: skip
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {2}


def test_the_model_to_start_from_is_not_overwritten(make_model: Make) -> None:
    model = make_model()
    before = (model / "model.safetensors").read_bytes()
    with pytest.raises(UsageError, match="is the model to start from"):
        tune(model, model.parent / "x" / ".." / model.name, force=True)
    assert (model / "model.safetensors").read_bytes() == before


def table(rows: Examples) -> list[dict[str, str]]:
    return [
        {"text": text, "label": LABELS[label]}
        for text, label in zip(rows.texts, rows.labels, strict=True)
    ]


def test_rows_in_memory_train_like_files(make_model: Make, tmp_path: Path) -> None:
    from distilcli.training.run import finetune

    settings: dict[str, Any] = {
        "model": str(make_model()), "epochs": 1, "learning_rate": 2e-3, "token_budget": 128,
        "precision": "fp32", "device": "cpu",
    }  # fmt: skip
    paths = {}
    for name, rows in (("train", TRAIN), ("valid", VALID)):
        paths[name] = tmp_path / f"{name}.jsonl"
        paths[name].write_text("".join(json.dumps(row) + "\n" for row in table(rows)))
    found = finetune(paths["train"], tmp_path / "files", valid=paths["valid"], **settings)
    assert found == finetune(table(TRAIN), tmp_path / "rows", valid=table(VALID), **settings)
    saved = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("files", "rows")]
    assert saved[0] == saved[1]
    assert found["best"]["accuracy"] == pytest.approx(accuracy(tmp_path / "rows"), abs=1e-6)
    card = (tmp_path / "rows" / "README.md").read_text()
    assert "| training |  | 160 |" in card
    assert "```sh\n\n```" not in card
    assert "[read]" in (tmp_path / "files" / "config.toml").read_text()
    assert "[read]" not in (tmp_path / "rows" / "config.toml").read_text()


def test_finetune_checks_before_it_loads(tiny_folder: Path, tmp_path: Path) -> None:
    from distilcli.training.run import finetune

    rows, model = table(VALID), str(tiny_folder)
    with pytest.raises(UsageError, match="`task` guess: the tasks are classify"):
        finetune(rows, tmp_path / "m", task="guess", model=model)
    with pytest.raises(UsageError, match="`epochs` is 0; it must be at least 1"):
        finetune(rows, tmp_path / "m", model=model, epochs=0)
    with pytest.raises(UsageError, match="is not empty; use `force`"):
        finetune(rows, tiny_folder.parent, model=model)
    with pytest.raises(InputError, match="no column 'stars' in the training rows"):
        finetune(rows, tmp_path / "m", model=model, label_column="stars")
    assert not (tmp_path / "m").exists()


def test_a_run_keeps_the_keys_of_its_training_rows(tiny_folder: Path, tmp_path: Path) -> None:
    tune(tiny_folder, tmp_path / "run", options=replace(OPTIONS, epochs=1))
    keys = np.load(tmp_path / "run" / "training_rows.npy")
    assert keys.dtype == np.uint64
    assert (np.diff(keys.astype(object)) >= 0).all()
    assert np.isin(row_keys(TRAIN.texts), keys).all()
    assert np.isin(row_keys(["Good  FILM"]), keys) == np.isin(row_keys(["good film"]), keys)
    assert not np.isin(row_keys(["a text that is not there"]), keys).any()


def test_a_limit_that_cuts_sorted_rows_is_named(tiny_folder: Path, tmp_path: Path) -> None:
    from distilcli.training.run import finetune

    rows = sorted(table(TRAIN), key=lambda row: row["label"])
    three = [*rows, *({"text": f"film {n}", "label": "so-so"} for n in range(9))]
    settings: dict[str, Any] = {"model": str(tiny_folder), "device": "cpu", "valid": three[::-1]}
    with pytest.raises(InputError, match=r"has the label 'so-so'.*`limit` took only the first 150"):
        finetune(three, tmp_path / "m", limit=150, **settings)
    with pytest.raises(InputError, match=r"every row has the label 'bad'.*`limit` took only the"):
        finetune(rows, tmp_path / "m", limit=9, **settings)
    with pytest.raises(InputError) as caught:
        finetune(rows, tmp_path / "m", **settings)
    assert "`limit`" not in str(caught.value)
