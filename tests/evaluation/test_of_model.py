from typing import Any

import pytest

from distilcli.checkpoint.config import ModelConfig
from distilcli.evaluation.of_model import task_of_config


@pytest.mark.parametrize(
    ("labels", "problem_type", "task"),
    [
        (2, None, "classify"),
        (2, "multi_label_classification", "multilabel"),
        (1, "regression", "regress"),
        # Whether it is a label's logit or a number only the gold labels could say.
        (1, None, "regress"),
    ],
)
def test_the_task_of_a_head_for_whole_texts(labels: int, problem_type: Any, task: str) -> None:
    config = ModelConfig(
        labels=("a", "b")[:labels],
        problem_type=problem_type,
        extra={"architectures": ["DistilBertForSequenceClassification"]},
    )
    found = task_of_config(config)
    assert found is not None
    assert found.name == task


def test_a_tagger_of_one_label_is_a_tagger() -> None:
    config = ModelConfig(
        labels=("O",),
        problem_type="single_label_classification",
        extra={"architectures": ["BertForTokenClassification"]},
    )
    found = task_of_config(config)
    assert found is not None
    assert found.name == "tag"
