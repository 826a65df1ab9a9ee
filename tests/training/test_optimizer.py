import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from distilcli.model.heads import SequenceClassifier
from distilcli.training.freezing import freeze
from distilcli.training.optimizer import (
    SCHEDULES,
    build_optimizer,
    cosine_schedule,
    linear_schedule,
    set_learning_rate,
)
from tests.model.test_encoder import TINY, TINY_BERT


def settings_by_name(
    model: SequenceClassifier, optimizer: torch.optim.AdamW
) -> dict[str, dict[str, Any]]:
    """The group that each weight is in."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert names[id(parameter)] not in found
            found[names[id(parameter)]] = group
    return found


def build(model: SequenceClassifier, *, layer_decay: float = 1.0) -> torch.optim.AdamW:
    return build_optimizer(model, learning_rate=0.1, weight_decay=0.3, layer_decay=layer_decay)


def test_matrices_decay_and_norms_and_biases_do_not() -> None:
    model = SequenceClassifier(TINY)
    found = settings_by_name(model, build(model))
    assert found.keys() == dict(model.named_parameters()).keys()
    for name, group in found.items():
        is_vector = name.endswith("bias") or "norm" in name.lower()
        assert group["weight_decay"] == (0.0 if is_vector else 0.3), name


@pytest.mark.parametrize("config", [TINY, TINY_BERT])
def test_rates_fall_from_the_head_to_the_embeddings(config: Any) -> None:
    model = SequenceClassifier(config)
    found = settings_by_name(model, build(model, layer_decay=0.5))
    places = {
        "classifier.": 1, "pre_classifier.": 1, "distilbert.pooler.": 1,
        "distilbert.transformer.layer.1.": 0.5, "distilbert.transformer.layer.0.": 0.25,
        "distilbert.embeddings.": 0.125,
    }  # fmt: skip
    for name, group in found.items():
        (share,) = [share for start, share in places.items() if name.startswith(start)]
        assert group["peak"] == pytest.approx(0.1 * share), name


def test_without_layer_decay_there_is_one_rate() -> None:
    assert {group["peak"] for group in build(SequenceClassifier(TINY)).param_groups} == {0.1}


def test_a_frozen_table_is_not_in_it() -> None:
    model = SequenceClassifier(TINY)
    freeze(model, "embeddings")
    found = settings_by_name(model, build(model))
    frozen = dict(model.named_parameters()).keys() - found.keys()
    assert frozen == {"distilbert.embeddings.word_embeddings.weight"}


def test_sinusoidal_positions_are_not_in_it() -> None:
    model = SequenceClassifier(replace(TINY, sinusoidal_pos_embds=True))
    found = settings_by_name(model, build(model))
    assert "distilbert.embeddings.position_embeddings.weight" not in found


def test_rates_are_shares_of_each_groups_peak() -> None:
    optimizer = build(SequenceClassifier(TINY), layer_decay=0.5)
    set_learning_rate(optimizer, 0.2)
    set_learning_rate(optimizer, 0.5)
    assert {group["lr"] for group in optimizer.param_groups} == {0.05, 0.025, 0.0125, 0.00625}


def test_the_linear_schedule_goes_up_and_down_in_equal_steps() -> None:
    found = [linear_schedule(step, total=10, warmup=4) for step in range(10)]
    up, down = [1 / 4, 2 / 4, 3 / 4, 1], [6 / 6, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert found == pytest.approx(up + down)
    assert linear_schedule(10, total=10, warmup=4) == 0


def test_the_cosine_schedule_goes_down_half_a_wave() -> None:
    assert cosine_schedule(0, total=9, warmup=1) == 1
    assert cosine_schedule(1, total=9, warmup=1) == 1
    assert cosine_schedule(5, total=9, warmup=1) == pytest.approx(0.5)
    assert cosine_schedule(3, total=9, warmup=1) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert cosine_schedule(9, total=9, warmup=1) == pytest.approx(0)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("total", "warmup"), [(1, 1), (2, 5), (7, 1), (7, 7)])
def test_no_schedule_leaves_zero_to_one(name: str, total: int, warmup: int) -> None:
    shares = [SCHEDULES[name](step, total=total, warmup=warmup) for step in range(total + 2)]
    assert all(0 <= share <= 1 for share in shares)
    assert shares[0] > 0


def test_a_projection_learns_at_the_rate_of_the_head() -> None:
    model, projection = SequenceClassifier(TINY), torch.nn.Linear(16, 32)
    optimizer = build_optimizer(
        model, learning_rate=0.1, weight_decay=0.3, layer_decay=0.5, projection=projection
    )
    groups = {id(weight): group for group in optimizer.param_groups for weight in group["params"]}
    assert groups[id(projection.weight)] is groups[id(model.classifier.weight)]
    assert groups[id(projection.bias)] is groups[id(model.classifier.bias)]
    assert groups[id(projection.weight)]["peak"] == 0.1
