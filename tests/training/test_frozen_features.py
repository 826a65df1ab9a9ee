from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from distilcli.errors import UsageError
from distilcli.model.encoder import Encoder
from distilcli.predictors.chooser import Chooser
from distilcli.training.datasets.classify import Examples
from distilcli.training.datasets.mlm import PlainTexts
from distilcli.training.objectives import AnyObjective
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.objectives.mlm import MlmObjective
from distilcli.training.options import ObjectiveOptions
from tests.training.objectives._toy import assert_exact_resume, learn
from tests.training.objectives.test_choose import ChooseObjective, problems
from tests.training.objectives.test_embed import RECIPE, EmbedObjective, scored
from tests.training.objectives.test_tag import TagObjective, sentences

Make = Callable[..., Path]
TEXTS = ["a good film", "it was bad", "a great book and i loved it", "dull", "fun ! " * 4] * 6
LABELS = [1, 0, 1, 0, 1] * 6


def rows(labels: list[Any], names: tuple[str, ...] = ()) -> Examples[Any]:
    return Examples(TEXTS, None, labels, names)


CHOOSE = ChooseObjective(problems(20, seed=1), problems(20, seed=2))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each pass through the encoder."""
    seen: list[int] = []
    forward = Encoder.forward

    def counted(self: Encoder, input_ids: torch.Tensor, *inputs: Any, **settings: Any) -> Any:
        seen.append(len(input_ids))
        return forward(self, input_ids, *inputs, **settings)

    monkeypatch.setattr(Encoder, "forward", counted)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_the_same_is_learned_as_without_a_memory(
    make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passes: list[int],
    model_type: str,
) -> None:  # fmt: skip
    folder = make_model(head="BaseModel", model_type=model_type)
    options = {"freeze": "encoder", "dropout": 0.0, "epochs": 4}
    learn(folder, CHOOSE, tmp_path / "quick", **options)
    quick = sum(passes)
    passes.clear()
    with monkeypatch.context() as patch:
        patch.setattr("distilcli.training.run.cache_features", lambda *_, **__: None)
        learn(folder, CHOOSE, tmp_path / "slow", **options)
    # Each text is read once, not in every epoch and every evaluation.
    assert quick < sum(passes) / 3
    # What is common to all options does nothing, and only rounding moves it.
    found = [
        Chooser(str(tmp_path / name), device="cpu")([row.problem for row in CHOOSE.valid])
        for name in ("quick", "slow")
    ]
    assert [c.scores for c in found[0]] == [pytest.approx(c.scores, abs=1e-4) for c in found[1]]
    one = load_file(tmp_path / "quick" / "model.safetensors")
    for key, weight in load_file(folder / "model.safetensors").items():
        assert torch.equal(one[f"{model_type}.{key}"], weight)


def test_an_interrupted_run_ends_as_an_unbroken_one(make_model: Make, tmp_path: Path) -> None:
    folder = make_model(head="BaseModel")
    assert_exact_resume(folder, CHOOSE, tmp_path, freeze="encoder", token_budget=40)


def test_how_far_the_one_pass_is_is_told_before_the_first_step(
    make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distilcli.training.frozen_features._PASS_BUDGET", 60)
    told: list[Any] = []
    learn(
        make_model(head="BaseModel"), CHOOSE, tmp_path / "run", freeze="encoder", epochs=1,
        on_pass=lambda *read: told.append(read), on_progress=lambda _: told.append("step"),
    )  # fmt: skip
    passes = told[: told.index("step")]
    assert len(passes) > 2
    sequences = sum(len(problem.problem[1]) for problem in CHOOSE.train)
    assert [(who, total) for who, _, total in passes] == [("the encoder", sequences)] * len(passes)
    done = [done for _, done, _ in passes]
    assert done == sorted(set(done))
    assert done[-1] == sequences
    assert told[len(passes) :] == ["step"] * (len(told) - len(passes))


def test_texts_that_vary_are_read_anew(make_model: Make, tmp_path: Path, passes: list[int]) -> None:
    train = rows(LABELS, ("bad", "good"))
    objective = ClassifyObjective(train, train, ObjectiveOptions(augment=0.3))
    learn(make_model(head="BaseModel"), objective, tmp_path / "run", freeze="encoder", epochs=3)
    assert sum(passes) >= 3 * 2 * len(TEXTS)


@pytest.mark.parametrize(
    "objective",
    [
        TagObjective(sentences(20, seed=1), sentences(9, seed=2)),
        MlmObjective(PlainTexts(["the film was good"] * 20), PlainTexts(["the film was good"] * 5)),
    ],
    ids=lambda objective: objective.task,
)
def test_other_heads_learn_on_a_frozen_encoder_too(
    make_model: Make, tmp_path: Path, objective: AnyObjective
) -> None:
    folder = make_model(head="BaseModel")
    learn(folder, objective, tmp_path / "run", freeze="encoder", epochs=1)
    trained = load_file(tmp_path / "run" / "model.safetensors")
    for key, weight in load_file(folder / "model.safetensors").items():
        assert torch.equal(trained[f"distilbert.{key}"], weight)


def test_an_encoder_alone_cannot_be_frozen(make_model: Make, tmp_path: Path) -> None:
    objective = EmbedObjective(scored(9, seed=1), scored(9, seed=2), RECIPE)
    with pytest.raises(UsageError, match="`freeze` encoder: leaves nothing to train"):
        learn(make_model(head="BaseModel"), objective, tmp_path / "run", freeze="encoder")
