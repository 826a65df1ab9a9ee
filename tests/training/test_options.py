from typing import Any

import pytest

from distilcli.errors import UsageError
from distilcli.training.options import TrainingOptions


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"epochs": 0}, "--epochs is 0; it must be at least 1"),
        ({"accumulate": 0}, "--accumulate is 0"),
        ({"token_budget": 0}, "--token-budget is 0"),
        ({"evaluate_every": 0}, "--evaluate-every is 0"),
        ({"early_stopping": 0}, "--early-stopping is 0"),
        ({"learning_rate": 0.0}, "--learning-rate is 0.0; it must be above 0"),
        ({"learning_rate": float("nan")}, "--learning-rate is nan"),
        ({"learning_rate": float("inf")}, "--learning-rate is inf; it must be above 0 and finite"),
        ({"weight_decay": float("inf")}, "--weight-decay is inf; it must be finite"),
        ({"clip": float("inf")}, "--clip is inf"),
        ({"clip": 0.0}, "--clip is 0.0"),
        ({"layer_decay": 0.0}, "--layer-decay is 0.0"),
        ({"weight_decay": -0.1}, "--weight-decay is -0.1"),
        ({"seed": -1}, "--seed is -1"),
        ({"warmup": 1.0}, "--warmup is 1.0; it must be from 0 to below 1"),
        ({"average": 1.0}, "--average is 1.0"),
        ({"dropout": 1.0}, "--dropout is 1.0"),
        ({"freeze": "all"}, "--freeze all: known are nothing, embeddings, encoder"),
        ({"schedule": "steps"}, "--schedule steps: known are linear, cosine"),
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
    assert options.peak_rate(width) == pytest.approx(rate)
    assert options.for_width(width).learning_rate == pytest.approx(rate)
    assert TrainingOptions(learning_rate=1e-3).for_width(width).learning_rate == 1e-3
