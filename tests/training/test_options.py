from typing import Any

import pytest

from distilcli.errors import UsageError
from distilcli.training.config_toml import config_toml
from distilcli.training.options import (
    ObjectiveOptions,
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


@pytest.mark.parametrize("name", ["label_smoothing", "augment"])
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_share_is_one(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=r"must be from 0 to below 1"):
        ObjectiveOptions(**{name: value})  # type: ignore[arg-type]


def test_settings_are_kept_under_their_names() -> None:
    kept = config_toml(ObjectiveOptions(label_smoothing=0.1).digests())
    assert kept == "# class_weights is not set\nlabel_smoothing = 0.1\naugment = 0.0\n"
