import numpy as np
import pytest

from distilcli.scores.calibration import (
    expected_calibration_error,
    fit_sigmoid_temperature,
    fit_temperature,
    reliability,
)


def test_bins_by_hand() -> None:
    confidences = np.array([0.5, 0.45, 0.9, 1.0, 0.0])
    right = np.array([True, False, True, False, False])
    bins = reliability(confidences, right, n_bins=2)
    # An edge belongs to the bin below it.
    assert [(one.low, one.high, one.count) for one in bins] == [(0.0, 0.5, 3), (0.5, 1.0, 2)]
    assert bins[0].confidence == pytest.approx(0.95 / 3)
    assert bins[0].accuracy == pytest.approx(1 / 3)
    ece = (3 * abs(0.95 / 3 - 1 / 3) + 2 * abs(0.95 - 0.5)) / 5
    assert expected_calibration_error(bins) == pytest.approx(ece)


def test_no_rows_no_error() -> None:
    bins = reliability(np.array([]), np.array([], dtype=bool))
    assert len(bins) == 15
    assert expected_calibration_error(bins) == 0.0


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def loss(logits: np.ndarray, expected: np.ndarray, temperature: float) -> float:
    chosen = softmax(logits / temperature)[np.arange(len(expected)), expected]
    return float(-np.log(chosen).mean())


def test_temperature_makes_the_loss_least() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(400, 3))
    # Labels drawn at temperature 1 of logits that are then said three times too loud.
    expected = np.array([random.choice(3, p=row) for row in softmax(logits)])
    loud = 3 * logits
    found = fit_temperature(softmax(loud), expected)
    assert found == pytest.approx(3, rel=0.2)
    for other in (0.9, 0.99, 1.01, 1.1):
        assert loss(loud, expected, found) < loss(loud, expected, found * other)


def test_temperature_of_several_labels() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=(800, 2))
    expected = random.random(size=(800, 2)) < 1 / (1 + np.exp(-logits))
    found = fit_sigmoid_temperature(1 / (1 + np.exp(-2 * logits)), expected)
    assert found == pytest.approx(2, rel=0.2)


def test_temperature_stays_within_bounds() -> None:
    always_right = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert 0.01 <= fit_temperature(always_right, np.array([0, 1])) < 0.05
    assert fit_temperature(always_right, np.array([1, 0])) == pytest.approx(100)


def test_certain_and_wrong_is_still_a_number() -> None:
    found = fit_temperature(np.array([[1.0, 0.0], [0.6, 0.4]]), np.array([1, 0]))
    assert 0.01 <= found <= 100.0
