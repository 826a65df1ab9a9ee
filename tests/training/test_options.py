from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from distilcli.errors import UsageError
from distilcli.tasks.spec import TASKS
from distilcli.training.config_toml import config_toml
from distilcli.training.options import (
    DistillationOptions,
    FinetuneOptions,
    ObjectiveOptions,
    RunOptions,
    TrainingOptions,
    default_rate,
)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"epochs": 0}, "`epochs` is 0; it must be at least 1"),
        ({"accumulate": 0}, "`accumulate` is 0"),
        ({"token_budget": 0}, "`token_budget` is 0"),
        ({"evaluate_every": 0}, "`evaluate_every` is 0"),
        ({"early_stopping": 0}, "`early_stopping` is 0"),
        ({"learning_rate": 0.0}, "`learning_rate` is 0.0; it must be above 0"),
        ({"learning_rate": float("nan")}, "`learning_rate` is nan"),
        ({"learning_rate": float("inf")}, "`learning_rate` is inf; it must be above 0 and finite"),
        ({"weight_decay": float("inf")}, "`weight_decay` is inf; it must be finite"),
        ({"clip": float("inf")}, "`clip` is inf"),
        ({"clip": 0.0}, "`clip` is 0.0"),
        ({"layer_decay": 0.0}, "`layer_decay` is 0.0"),
        ({"weight_decay": -0.1}, "`weight_decay` is -0.1"),
        ({"seed": -1}, "`seed` is -1"),
        ({"warmup": 1.0}, "`warmup` is 1.0; it must be from 0 to below 1"),
        ({"average": 1.0}, "`average` is 1.0"),
        ({"dropout": 1.0}, "`dropout` is 1.0"),
        ({"freeze": "all"}, "`freeze` is all; known are nothing, embeddings, encoder"),
        ({"schedule": "steps"}, "`schedule` is steps; known are linear, cosine"),
    ],
)
def test_options_that_cannot_work_are_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        TrainingOptions(**option)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("width", "rate"), [(1024, 2.8125e-5), (768, 5e-5), (384, 2e-4), (256, 4.5e-4), (16, 5e-4)]
)
def test_a_narrow_model_learns_at_a_higher_rate(width: int, rate: float) -> None:
    options = TrainingOptions()
    assert default_rate(width) == pytest.approx(rate)
    assert options.for_width(width).learning_rate == pytest.approx(rate)
    assert TrainingOptions(learning_rate=1e-3).for_width(width).learning_rate == 1e-3


@pytest.mark.parametrize(
    ("setting", "value", "tasks"),
    [
        ("class_weights", "balanced", "classify multilabel"),
        ("label_smoothing", 0.1, "classify tag"),
        ("augment", 0.1, "classify multilabel regress"),
        ("label_separator", ";", "multilabel"),
        ("options_column", "o", "choose"),
        ("option_columns", "a,b", "choose"),
        ("pair_column", "p", "classify multilabel regress qa embed"),
        ("label_column", "l", "classify multilabel regress tag qa embed choose"),
        ("temperature", 2.0, "classify multilabel tag qa mlm choose"),
    ],
)
def test_a_setting_without_effect_is_refused(setting: str, value: object, tasks: str) -> None:
    given = {"files": "a.csv", "teacher": "t", setting: value}
    for task in TASKS:
        if task in tasks.split():
            RunOptions.of(task, given)
        else:
            with pytest.raises(UsageError, match=f"^`{setting}` has no effect on the task {task}"):
                RunOptions.of(task, given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gradient_checkpointing": True}, "`gradient_checkpointing` has no effect with a frozen"),
        ({"layer_decay": 0.9}, "`layer_decay` has no effect with a frozen encoder"),
    ],
)
def test_a_frozen_encoder_takes_no_settings_of_its_layers(
    given: dict[str, Any], message: str
) -> None:
    TrainingOptions(**given)
    TrainingOptions(freeze="2", **given)
    with pytest.raises(UsageError, match=message):
        TrainingOptions(freeze="encoder", **given)


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="no setting 'epoch'"):
        RunOptions.of("classify", {"files": "a.csv", "epoch": 1})


@pytest.mark.parametrize("setting", ["temperature", "alpha_ce", "teacher_cache"])
def test_a_setting_of_teachers_needs_one(setting: str) -> None:
    with pytest.raises(UsageError, match=f"`{setting}` needs a `teacher`"):
        RunOptions.of("classify", {"files": "a.csv", setting: 1.0})


def test_settings_are_sorted_by_what_they_are_about() -> None:
    found = RunOptions.of("classify", {"files": "a.csv", "seed": 7, "epochs": 1, "limit": 9})
    assert (found.objective.seed, found.training.seed, found.training.epochs) == (7, 7, 1)
    assert (found.data.limit, found.distillation) == (9, DistillationOptions())


def test_type_checkers_know_every_setting() -> None:
    kinds = RunOptions.__annotations__.values()
    names = {field.name for kind in kinds if is_dataclass(kind) for field in fields(kind)}
    assert set(FinetuneOptions.__annotations__) == names - {"files"}


@pytest.mark.parametrize("name", ["label_smoothing", "augment"])
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_share_is_one(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=r"must be from 0 to below 1"):
        ObjectiveOptions(**{name: value})  # type: ignore[arg-type]


def test_settings_are_kept_under_their_names() -> None:
    kept = config_toml(ObjectiveOptions(label_smoothing=0.1).digests())
    assert kept == "# class_weights is not set\nlabel_smoothing = 0.1\naugment = 0.0\n"
