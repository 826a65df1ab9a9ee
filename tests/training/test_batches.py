import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.training.batches import StepPlan, epoch_batches
from distilcli.training.options import TrainingOptions

LENGTHS = st.lists(st.integers(1, 60), max_size=200)


@given(LENGTHS, st.integers(1, 100), st.integers(0, 3), st.integers(0, 3))
def test_every_row_occurs_once_within_the_budget(
    lengths: list[int], budget: int, seed: int, epoch: int
) -> None:
    batches = epoch_batches(lengths, token_budget=budget, seed=seed, epoch=epoch)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[index] for index in batch)
        assert len(batch) * longest <= budget or len(batch) == 1


@given(LENGTHS, st.integers(0, 3), st.integers(0, 3))
def test_the_order_is_a_function_of_seed_and_epoch(
    lengths: list[int], seed: int, epoch: int
) -> None:
    first = epoch_batches(lengths, token_budget=64, seed=seed, epoch=epoch)
    epoch_batches(lengths, token_budget=64, seed=seed + 1, epoch=epoch)
    assert epoch_batches(lengths, token_budget=64, seed=seed, epoch=epoch) == first


def test_every_epoch_and_every_seed_has_an_order_of_its_own() -> None:
    lengths = [n % 17 + 1 for n in range(300)]
    orders = [
        epoch_batches(lengths, token_budget=64, seed=seed, epoch=epoch)
        for seed in range(3)
        for epoch in range(3)
    ]
    assert len({str(order) for order in orders}) == 9


def test_rows_of_like_length_go_together_and_lengths_are_mixed_over_the_epoch() -> None:
    lengths = [n % 50 + 1 for n in range(2_000)]
    batches = epoch_batches(lengths, token_budget=256, seed=0, epoch=0)
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    assert sum(lengths) / padded > 0.9
    longest = [max(lengths[i] for i in batch) for batch in batches]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


def test_a_plan_goes_on_after_any_step() -> None:
    plan = StepPlan([4] * 25, TrainingOptions(epochs=2, token_budget=12, accumulate=2))
    steps = list(plan.after(0))
    assert len(steps) == plan.total == len(plan.of_epoch(0)) + len(plan.of_epoch(1))
    assert sorted(i for epoch, step in steps if epoch for batch in step for i in batch) == list(
        range(25)
    )
    assert list(plan.after(7)) == steps[7:]


@pytest.mark.parametrize(("every", "evaluated"), [(None, {5, 10}), (4, {4, 8, 10}), (5, {5, 10})])
def test_a_plan_ends_with_an_evaluation(every: int | None, evaluated: set[int]) -> None:
    options = TrainingOptions(epochs=2, token_budget=12, accumulate=2, evaluate_every=every)
    plan = StepPlan([4] * 25, options)
    assert {step for step in range(1, plan.total + 1) if plan.is_evaluated(step)} == evaluated
    assert plan.evaluations == len(evaluated)


def test_rows_come_as_often_as_they_weigh() -> None:
    weights = [2.0] * 10 + [1.5] * 100 + [0.25] * 100
    epochs = [
        [
            index
            for batch in epoch_batches(
                [4] * 210, token_budget=40, seed=1, epoch=epoch, weights=weights
            )
            for index in batch
        ]
        for epoch in (0, 1, 0)
    ]
    assert epochs[0] == epochs[2]
    assert sorted(epochs[0]) != sorted(epochs[1])
    counts = [epochs[0].count(index) for index in range(210)]
    assert counts[:10] == [2] * 10
    assert set(counts[10:110]) == {1, 2}
    assert 130 < sum(counts[10:110]) < 170
    assert set(counts[110:]) == {0, 1}
    assert 10 < sum(counts[110:]) < 45
    plan = StepPlan([4] * 210, TrainingOptions(epochs=2, token_budget=40), weights)
    assert plan.total == len(plan.of_epoch(0)) + len(plan.of_epoch(1))
