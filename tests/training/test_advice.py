from typing import Any

import pytest

from distilcli.training.advice import Advice, advise


def history(*entries: tuple[int, float, float]) -> list[dict[str, Any]]:
    """Evaluations as (step, loss, accuracy)."""
    best, found = -1.0, []
    for step, loss, accuracy in entries:
        found.append(
            {"step": step, "train_loss": loss, "accuracy": accuracy, "best": accuracy > best}
        )
        best = max(best, accuracy)
    return found


GOLD = [0] * 60 + [1] * 40


def test_a_loss_that_still_falls_asks_for_more_epochs() -> None:
    falling = history((0, 0, 0.7), (5, 0.9, 0.8), (10, 0.6, 0.9))
    found = advise(falling, epochs=4, frozen=False, gold=GOLD)
    assert found == Advice(
        "the last evaluation was the best, and the loss was still falling", "epochs", "8"
    )
    assert advise(falling, epochs=4, frozen=False) == found  # of a task without labels too


@pytest.mark.parametrize(
    "entries",
    [
        [(5, 0.62, 0.8), (10, 0.6, 0.9)],  # it hardly falls
        [(5, 0.9, 0.9), (10, 0.6, 0.8)],  # the score got worse
        [(10, 0.6, 0.9)],
        [(0, 0.0, 0.9)],
        [(0, 0.0, 0.7), (10, 0.6, 0.9)],  # a fitted head has no loss
    ],
)
def test_a_run_that_is_done_needs_nothing(entries: list[tuple[int, float, float]]) -> None:
    assert advise(history(*entries), epochs=4, frozen=False, gold=GOLD) is None


@pytest.mark.parametrize("accuracy", [0.55, 0.6, 0.68])
def test_a_score_near_chance_is_told(accuracy: float) -> None:
    found = advise(history((9, 1.0, accuracy)), epochs=3, frozen=False, gold=GOLD)
    assert found is not None
    assert found.reason.startswith(f"accuracy {accuracy:.4f} is hardly better than always giving")
    assert (found.setting, found.value) == ("epochs", "9")
    frozen = advise(history((0, 0.0, accuracy)), epochs=3, frozen=True, gold=GOLD)
    assert frozen is not None
    assert (frozen.setting, frozen.value) == ("freeze", None)


def test_one_label_alone_is_no_chance() -> None:
    assert advise(history((9, 1.0, 1.0)), epochs=3, frozen=False, gold=[1] * 9) is None


def test_a_few_rows_say_nothing_about_chance() -> None:
    assert advise(history((9, 1.0, 1.0)), epochs=3, frozen=True, gold=[0, 1]) is None
