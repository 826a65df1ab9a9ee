"""A student beside its teacher."""

import numpy as np
import pytest
import torch

from distilcli.evaluation.results.classify import ClassifyResults
from distilcli.training.datasets.classify import Examples
from distilcli.training.distill.recorded import RecordedOutputs
from distilcli.training.distill.setup import DistillationPlan
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.report.distillation import TeachingRecord, measure_teaching

NAMES = ("a", "b")
VALID = Examples(["one", "two", "three", "four"], None, [0, 0, 1, 1], NAMES)
BEST = ClassifyResults(NAMES, np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))


def measured(index: dict[str, int], values: list[list[float]]) -> TeachingRecord:
    """Compare the best student with what a teacher said."""
    recorded = RecordedOutputs(
        name="scores.csv",
        values=np.array(values)[:, None],
        labels=NAMES,
        index={(text, None): row for text, row in index.items()},
    )
    student = ClassifyObjective(VALID, VALID)
    plan = DistillationPlan(recorded=recorded)
    return measure_teaching(plan, student, None, BEST, device=torch.device("cpu"))


def test_a_file_is_compared_on_the_rows_that_it_has() -> None:
    index = {"two": 0, "three": 1, "four": 2, "one": 3}
    found = measured(index, [[2, 1], [0, 1], [3, 1], [np.nan, np.nan]])
    assert (found.rows, found.agreement) == (3, pytest.approx(1 / 3))
    assert found.label_f1["a"] == (pytest.approx(2 / 3), 0)
    assert found.label_f1["b"] == (pytest.approx(2 / 3), pytest.approx(0.8))
    assert (found.metrics, found.size, found.speed) == ({}, None, None)


def test_a_file_without_the_validation_rows_says_nothing() -> None:
    assert measured({"five": 0}, [[1, 2]]) == TeachingRecord()
