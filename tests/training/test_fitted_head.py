from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from distilcli.checkpoint.config import read_config
from distilcli.errors import UsageError
from distilcli.predictors.classifier import Classifier
from distilcli.tasks.settings import BatchOptions
from distilcli.training.datasets.classify import Examples
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.objectives.multilabel import MultilabelObjective
from distilcli.training.objectives.regress import RegressObjective
from distilcli.training.options import ObjectiveOptions
from distilcli.training.run_options import RunOptions
from tests.training.objectives._toy import learn

pytestmark = pytest.mark.slow

Make = Callable[..., Path]
TEXTS = ["a good film", "it was bad", "a great book and i loved it", "dull", "fun ! " * 4] * 6
LABELS = [1, 0, 1, 0, 1] * 6
FROZEN = {"freeze": "encoder"}


def rows(labels: list[Any], names: tuple[str, ...] = ()) -> Examples[Any]:
    return Examples(TEXTS, None, labels, names)


def classified(**options: Any) -> ClassifyObjective:
    both = rows(LABELS, ("bad", "good"))
    return ClassifyObjective(both, both, ObjectiveOptions(**options))


OBJECTIVES: list[Any] = [
    classified(),
    MultilabelObjective(*[rows([(label,) for label in LABELS], ("bad", "good"))] * 2),
    RegressObjective(*[rows([3.0 + 40 * label for label in LABELS])] * 2),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.task)
@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_a_frozen_encoder_gets_a_fitted_head(
    make_model: Make, tmp_path: Path, objective: Any, model_type: str
) -> None:
    folder = make_model(head="BaseModel", model_type=model_type)
    told: list[Any] = []
    summary = learn(folder, objective, tmp_path / "run", on_fit=told.append, **FROZEN)
    assert summary["best"][summary["metric"]] == pytest.approx(1.0, abs=0.01)
    assert (summary["steps"], summary["epochs"]) == (0, 0)
    (fitted,) = told
    assert (fitted.rows, fitted.fit.folds) == (30, 5)
    trained = load_file(tmp_path / "run" / "model.safetensors")
    for key, weight in load_file(folder / "model.safetensors").items():
        assert torch.equal(trained[f"{model_type}.{key}"], weight)
    # A model that is no embedder is read by the mean of its tokens too: a layer more.
    assert read_config(tmp_path / "run" / "config.json").n_layers == 3


def test_the_folder_predicts_as_the_run_says(make_model: Make, tmp_path: Path) -> None:
    learn(make_model(head="BaseModel"), OBJECTIVES[2], tmp_path / "run", **FROZEN)
    found = Classifier(str(tmp_path / "run"), device="cpu", batches=BatchOptions(threads=1))(
        TEXTS[:2]
    )
    assert [row.scores[0] for row in found] == pytest.approx([43.0, 3.0], abs=1.5)


def test_a_head_of_texts_is_replaced_on_the_first_token(make_model: Make, tmp_path: Path) -> None:
    learn(make_model(labels=("bad", "good")), classified(), tmp_path / "run", **FROZEN)
    assert read_config(tmp_path / "run" / "config.json").n_layers == 2


@pytest.mark.parametrize("option", [{"class_weights": "balanced"}, {"label_smoothing": 0.3}])
def test_options_of_the_loss_count(
    make_model: Make, tmp_path: Path, option: dict[str, Any]
) -> None:
    folder = make_model(head="BaseModel")
    learn(folder, classified(), tmp_path / "plain", **FROZEN)
    learn(folder, classified(**option), tmp_path / "other", **FROZEN)
    one, other = (
        load_file(tmp_path / name / "model.safetensors")["classifier.weight"]
        for name in ("plain", "other")
    )
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 3),
        ("learning_rate", 1e-3),
        ("warmup", 0.06),
        ("token_budget", 64),
        ("dropout", 0.1),
        ("precision", "fp32"),
        ("early_stopping", 2),
    ],
)
def test_settings_of_steps_are_refused(name: str, value: object) -> None:
    given = {"files": "a.csv", "freeze": "encoder", name: value}
    for task in ("classify", "multilabel", "regress"):
        with pytest.raises(UsageError, match=f"^`{name}` has no effect with a frozen encoder"):
            RunOptions.of(task, given)
    RunOptions.of("tag", given)
    RunOptions.of("classify", given | {"augment": 0.1})
    RunOptions.of("classify", given | {"teacher": "big"})
    RunOptions.of("classify", given | {"freeze": "2"})
    RunOptions.of("classify", {"files": "a.csv", "freeze": "encoder", "seed": 1})


def test_training_begins_with_a_fitted_head(make_model: Make, tmp_path: Path) -> None:
    told: list[Any] = []
    folder = make_model(head="BaseModel")
    learn(
        folder, classified(), tmp_path / "run", epochs=1, on_fit=told.append,
        on_progress=lambda progress: told.append(progress.step),
    )  # fmt: skip
    assert told[0].rows == 30
    assert told[1:3] == [0, 1]  # it is evaluated before the first step
    # A head that was trained for the same labels goes on from where it is.
    told.clear()
    learn(make_model("own", labels=("bad", "good")), classified(), tmp_path / "more", epochs=1,
          on_fit=told.append)  # fmt: skip
    assert told == []
