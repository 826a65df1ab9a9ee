import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from distilcli.checkpoint.folder import describe_folder
from distilcli.checkpoint.sentence_transformers import SentenceRecipe
from distilcli.errors import ModelError, UsageError
from distilcli.training.datasets.classify import UNLABELLED, Examples
from distilcli.training.datasets.embed import TextPair
from distilcli.training.distill.setup import DistillationPlan
from distilcli.training.distill.teacher import Teacher
from distilcli.training.init_model import StartingPoint
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.objectives.embed import EmbedObjective
from distilcli.training.options import DistillationOptions, ObjectiveOptions
from tests.conftest import make_tiny
from tests.training._finetune import finetune
from tests.training.test_run import LABELS, LEARN, OPTIONS, accuracy, at_step, examples, tune

pytestmark = pytest.mark.slow

Make = Callable[..., Path]
NARROW = {"sizes": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}}
SHORT = replace(OPTIONS, epochs=2, evaluate_every=2)
TRAIN, VALID = examples(60, seed=1), examples(100, seed=2)


@pytest.fixture(scope="module")
def teacher(vocab: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT that knows the labels nearly always."""
    folder = tmp_path_factory.mktemp("teacher")
    make_tiny(folder, vocab, model_type="bert", labels=LABELS)
    trained = folder / "trained"
    tune(folder, trained, train=examples(240, seed=9), valid=VALID)
    assert accuracy(trained, VALID) > 0.95
    return trained


def learn(
    model: Path,
    teacher: Path,
    folder: Path,
    *,
    train: Examples = TRAIN,
    valid: Examples = VALID,
    cache: Path | None = None,
    start: dict[str, Any] | None = None,
    weights: dict[str, float] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Train a student of a teacher."""
    return finetune(
        StartingPoint(files=describe_folder(str(model), model), **(start or {})),
        ClassifyObjective(train, valid),
        folder=folder,
        teacher=DistillationPlan(
            files=describe_folder("teacher", teacher),
            options=DistillationOptions(**(weights or {})),
            cache=cache,
        ),
        **{"options": SHORT, "device": "cpu", **settings},
    )


def saved(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def few_labels(rows: Examples, count: int) -> Examples:
    """The same rows, of which only the first ones keep their labels."""
    return replace(rows, labels=[*rows.labels[:count], *[UNLABELLED] * (len(rows.labels) - count)])


def test_a_student_learns_more_with_a_teacher(
    make_model: Make, teacher: Path, tmp_path: Path
) -> None:
    model, rows = make_model(seed=3), examples(240, seed=5)
    few = replace(rows, texts=rows.texts[:8], labels=rows.labels[:8])
    options = replace(LEARN, epochs=12, evaluate_every=40)
    learn(model, teacher, tmp_path / "with", train=few_labels(rows, 8), options=options)
    # As many steps as with all rows.
    alone = replace(options, epochs=240)
    tune(model, tmp_path / "alone", train=few, valid=VALID, options=alone)
    # (three seeds gave 0.94 to 0.96 against 0.57 to 0.61)
    assert accuracy(tmp_path / "with", VALID) > accuracy(tmp_path / "alone", VALID) + 0.15


def test_a_student_that_starts_from_its_teacher(teacher: Path, tmp_path: Path) -> None:
    before = (teacher / "model.safetensors").read_bytes()
    learn(
        teacher, teacher, tmp_path / "run", train=few_labels(examples(160, seed=5), 0),
        start={"fold": True, "layers": (0,)}, options=replace(LEARN, epochs=6),
    )  # fmt: skip
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["model_type"], config["n_layers"]) == ("distilbert", 1)
    assert accuracy(tmp_path / "run", VALID) > 0.85
    assert (teacher / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    "weights",
    [
        {"temperature": 4.0},
        {"alpha_ce": 1.0},
        {"alpha_task": 0.0},
        {"alpha_cos": 0.0},
        {"alpha_hidden": 1.0},
        {"alpha_attention": 1.0},
    ],
    ids=str,
)
def test_every_weight_changes_what_is_learned(
    tiny_folder: Path, teacher: Path, tmp_path: Path, weights: dict[str, float]
) -> None:
    one = replace(SHORT, epochs=1)
    for name, chosen in (("plain", {}), ("other", weights)):
        learn(tiny_folder, teacher, tmp_path / name, weights=chosen, options=one)
    found, other = saved(tmp_path / "plain"), saved(tmp_path / "other")
    key = "distilbert.transformer.layer.0.ffn.lin1.weight"
    assert not torch.equal(found[key], other[key])


def test_a_projection_learns_and_is_no_part_of_the_model(
    make_model: Make, teacher: Path, tmp_path: Path
) -> None:
    runs = {}
    for name, learning_rate in (("a", 3e-3), ("b", 3e-3), ("c", 1e-3)):
        options = replace(SHORT, learning_rate=learning_rate)
        learn(make_model(name), teacher, tmp_path / f"run-{name}", start=NARROW, options=options)
        runs[name] = saved(tmp_path / f"run-{name}")
    assert all(torch.equal(runs["a"][key], runs["b"][key]) for key in runs["a"])
    assert not torch.equal(runs["a"]["classifier.weight"], runs["c"]["classifier.weight"])
    assert not any("projection" in key for key in runs["a"])
    assert runs["a"]["classifier.weight"].shape == (2, 16)


@pytest.mark.parametrize("weights", [{"alpha_cos": 0.0}, {"alpha_hidden": 0.5}], ids=str)
def test_kept_answers_teach_as_the_teacher_does_and_spare_it(
    tiny_folder: Path,
    teacher: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    weights: dict[str, float],
) -> None:
    told: list[tuple[int, int]] = []
    settings: dict[str, Any] = {"weights": weights, "cache": tmp_path / "cache"}
    learn(tiny_folder, teacher, tmp_path / "live", weights=weights)
    learn(
        tiny_folder, teacher, tmp_path / "first", **settings,
        on_pass=lambda _, *done: told.append(done),
    )  # fmt: skip
    assert told[-1] == (60, 60)
    monkeypatch.setattr(Teacher, "targets", lambda *_, **__: pytest.fail("the teacher was asked"))
    learn(tiny_folder, teacher, tmp_path / "second", **settings)
    live, first, second = (saved(tmp_path / name) for name in ("live", "first", "second"))
    assert all(torch.equal(second[key], weight) for key, weight in first.items())
    # The pass has other batches, and hidden states are kept in fp16: the last bits differ.
    before = saved(tiny_folder)
    moved = sum((before[key] - weight).abs().sum().item() for key, weight in first.items())
    apart = sum((live[key] - weight).abs().sum().item() for key, weight in first.items())
    assert apart < 0.002 * moved


def test_answers_are_kept_by_what_they_depend_on(
    make_model: Make, tiny_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    one = replace(SHORT, epochs=1)

    def kept(name: str, by: Path = teacher, **settings: Any) -> int:
        learn(tiny_folder, by, tmp_path / name, cache=cache, **{"options": one, **settings})
        return len(list(cache.iterdir()))

    assert kept("a") == 1
    assert kept("other options", options=replace(one, seed=3, token_budget=128)) == 1
    assert kept("other weights", weights={"alpha_ce": 1.0, "temperature": 3.0}) == 1
    assert kept("other validation", valid=examples(20, seed=8)) == 1
    assert kept("other data", train=examples(60, seed=4)) == 2
    assert kept("other length", start={"max_length": 8}) == 3
    assert kept("other layers", weights={"alpha_hidden": 1.0}) == 4
    assert kept("other teacher", by=make_model("t", labels=LABELS)) == 5


def test_vectors_of_another_recipe_are_other_answers(
    make_model: Make, tiny_folder: Path, tmp_path: Path
) -> None:
    teacher, cache = make_model(head="BaseModel"), tmp_path / "cache"
    pairs = [TextPair("good film", "great book"), TextPair("bad", "poor , dull")] * 3
    recipe = SentenceRecipe(pooling=("mean",))
    for number, pooling in enumerate(("mean", "cls", "mean")):
        objective = EmbedObjective(pairs, pairs, replace(recipe, pooling=(pooling,)))
        finetune(
            StartingPoint(files=describe_folder("m", tiny_folder)),
            objective,
            options=replace(SHORT, epochs=1),
            folder=tmp_path / str(number),
            teacher=DistillationPlan(files=describe_folder("t", teacher), cache=cache),
            device="cpu",
        )
    assert len(list(cache.iterdir())) == 2


def test_rows_that_are_drawn_otherwise_have_other_answers(
    tiny_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    for number, seed in enumerate((1, 2, 1)):
        objective = ClassifyObjective(TRAIN, VALID, ObjectiveOptions(augment=0.3, seed=seed))
        finetune(
            StartingPoint(files=describe_folder("m", tiny_folder)),
            objective,
            options=replace(SHORT, seed=seed),
            folder=tmp_path / str(number),
            teacher=DistillationPlan(files=describe_folder("t", teacher), cache=tmp_path / "cache"),
            device="cpu",
        )
    assert [len(list(kept.iterdir())) for kept in (tmp_path / "cache").iterdir()] == [2, 2]
    assert saved(tmp_path / "0").keys() == saved(tmp_path / "2").keys()
    assert all(
        torch.equal(a, saved(tmp_path / "2")[key]) for key, a in saved(tmp_path / "0").items()
    )


def test_attention_is_not_kept(tiny_folder: Path, teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`teacher_cache` cannot keep attention"):
        learn(
            tiny_folder, teacher, tmp_path / "run", cache=tmp_path / "c",
            weights={"alpha_attention": 1.0},
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("keeps", [False, True], ids=["asked", "kept"])
def test_an_interrupted_run_ends_as_an_unbroken_one(
    tiny_folder: Path, teacher: Path, tmp_path: Path, keeps: bool
) -> None:
    settings: dict[str, Any] = {"start": NARROW, "weights": {"alpha_hidden": 1.0}}
    if keeps:
        settings["cache"] = tmp_path / "cache"
    unbroken = learn(tiny_folder, teacher, tmp_path / "a", **settings)
    with pytest.raises(KeyboardInterrupt):
        learn(tiny_folder, teacher, tmp_path / "b", on_progress=at_step(3), **settings)
    state = torch.load(tmp_path / "b" / "training_state.pt", weights_only=True)
    assert state["projection"]["weight"].shape == (32, 16)
    torch.manual_seed(99)  # whatever was drawn in between
    assert learn(tiny_folder, teacher, tmp_path / "b", resume=True, **settings) == unbroken
    for name in ("model.safetensors", "metrics.jsonl", "summary.json", "config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_run_interrupted_before_its_first_step_ends_as_an_unbroken_one(
    tiny_folder: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that vary have a pass in every epoch: it is interrupted in the first and the second."""
    monkeypatch.setattr("distilcli.training.distill.teacher_pass._PASS_BUDGET", 128)
    objective = ClassifyObjective(TRAIN, VALID, ObjectiveOptions(augment=0.3))

    def run(name: str, **settings: Any) -> Any:
        return finetune(
            StartingPoint(files=describe_folder("m", tiny_folder)), objective, options=SHORT,
            folder=tmp_path / name, device="cpu",
            teacher=DistillationPlan(
                files=describe_folder("t", teacher), cache=tmp_path / f"c{name}"
            ),
            **settings,
        )  # fmt: skip

    passes: list[int] = []

    def press(_: str, done: int, __: int) -> None:
        passes.append(done)
        if len(passes) in {2, 9}:
            signal.raise_signal(signal.SIGINT)

    unbroken = run("a", on_pass=lambda _, *done: passes.append(done[0]))
    a_pass = len(passes) // 2
    assert 3 < a_pass < 9 - 1
    passes.clear()
    for resume in (False, True):
        with pytest.raises(KeyboardInterrupt):
            run("b", resume=resume, on_pass=press)
    torch.manual_seed(99)
    assert run("b", resume=True, on_pass=press) == unbroken
    assert len(passes) == 2 * a_pass
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_run_with_another_teacher_or_other_weights_is_not_resumed(
    make_model: Make, tiny_folder: Path, teacher: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        learn(tiny_folder, teacher, folder, on_progress=at_step(3))
    other = make_model("other", labels=LABELS)
    for named, changes in (
        ("teacher", {"teacher": other}),
        ("teacher_cache", {"cache": tmp_path / "cache"}),
        ("alpha_cos", {"weights": {"alpha_cos": 2.0}}),
        ("temperature", {"weights": {"temperature": 3.0}}),
        ("layers", {"start": {"layers": (0,)}}),
    ):
        settings: dict[str, Any] = {"model": tiny_folder, "teacher": teacher, **changes}
        with pytest.raises(UsageError, match=f"was started with another {named}; repeat"):
            learn(folder=folder, resume=True, **settings)
    with pytest.raises(
        UsageError, match=r"another alpha_attention, .*, teacher, teacher_cache, temperature; "
    ):
        tune(tiny_folder, folder, train=TRAIN, valid=VALID, options=SHORT, resume=True)


def refused(model: Path, teacher: Path, folder: Path, **settings: Any) -> str:
    """What is said of a teacher that cannot teach; nothing is written."""
    with pytest.raises(ModelError) as caught:
        learn(model, teacher, folder / "run", **settings)
    assert not (folder / "run").exists()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("labels", [("good", "bad"), ("bad", "great"), ("bad", "good", "so-so")])
def test_a_teacher_of_other_labels_is_refused(
    make_model: Make, tiny_folder: Path, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    message = refused(tiny_folder, make_model("teacher", labels=labels), tmp_path)
    assert (
        f"teacher: the teacher's labels are {', '.join(labels)}, the student's bad, good" in message
    )
    assert "in the same order" in message


@pytest.mark.parametrize(
    ("kind", "named"), [("multi_label_classification", "several labels"), ("regression", "numbers")]
)
def test_a_teacher_of_another_kind_is_refused(
    make_model: Make, tiny_folder: Path, tmp_path: Path, kind: str, named: str
) -> None:
    message = refused(tiny_folder, make_model(labels=LABELS, problem_type=kind), tmp_path)
    assert f"the teacher predicts {named}, the student one label" in message


@pytest.mark.parametrize("head", ["BaseModel", "QuestionAnswerer", "MaskedLanguageModel"])
def test_a_teacher_without_a_head_for_the_task_is_refused(
    make_model: Make, tiny_folder: Path, tmp_path: Path, head: str
) -> None:
    message = refused(tiny_folder, make_model("teacher", head=head), tmp_path)
    assert "teacher: has no trained classification head" in message


def other_tokenizer(folder: Path, **options: Any) -> Path:
    """The same model, which reads text otherwise."""
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **options}))
    return folder


def test_a_teacher_of_another_vocabulary_is_refused(
    make_model: Make, tiny_folder: Path, tmp_path: Path
) -> None:
    teacher = make_model("teacher", labels=LABELS)
    words = (teacher / "vocab.txt").read_text().split("\n")
    words[10], words[11] = words[11], words[10]
    (teacher / "vocab.txt").write_text("\n".join(words))
    assert "the teacher's tokenizer is not the student's" in refused(tiny_folder, teacher, tmp_path)


def test_a_teacher_that_tells_capitals_apart_is_refused(
    make_model: Make, tiny_folder: Path, tmp_path: Path
) -> None:
    teacher = other_tokenizer(make_model("teacher", labels=LABELS), do_lower_case=False)
    assert "start from a model with the same vocabulary and case" in refused(
        tiny_folder, teacher, tmp_path
    )
    # What is no matter for the tokens is no reason.
    teacher = other_tokenizer(teacher, do_lower_case=True, clean_up_tokenization_spaces=False)
    learn(tiny_folder, teacher, tmp_path / "run", options=replace(SHORT, epochs=1))


def test_a_teacher_that_reads_less_than_the_student_is_refused(
    make_model: Make, tiny_folder: Path, tmp_path: Path
) -> None:
    teacher = other_tokenizer(make_model("teacher", labels=LABELS), model_max_length=20)
    message = refused(tiny_folder, teacher, tmp_path)
    assert "the teacher reads 20 tokens, the student 64; set `max_length` to 20" in message
    learn(
        tiny_folder, teacher, tmp_path / "run", start={"max_length": 20},
        options=replace(SHORT, epochs=1),
    )  # fmt: skip


def test_the_teacher_is_not_overwritten(make_model: Make, tiny_folder: Path) -> None:
    teacher = make_model("teacher", labels=LABELS)
    before = saved(teacher)
    with pytest.raises(UsageError, match="is the teacher, which the run would overwrite"):
        learn(tiny_folder, teacher, teacher, force=True)
    assert saved(teacher).keys() == before.keys()
