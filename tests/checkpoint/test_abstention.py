import json
import math
from pathlib import Path

import pytest

from distilcli.checkpoint.abstention import Abstention
from distilcli.checkpoint.config import ModelConfig, dump_config, parse_config, read_config
from distilcli.errors import ModelError

OF_ALL = Abstention(thresholds=0.9, max_error=0.02, confidence=0.95)
OF_LABELS = Abstention(thresholds={"a": 0.8, "b": None}, max_error=0.05, confidence=0.9)


@pytest.mark.parametrize("abstention", [OF_ALL, OF_LABELS])
def test_thresholds_are_kept_in_the_configuration(abstention: Abstention, tmp_path: Path) -> None:
    config = ModelConfig(labels=("a", "b"), abstention=abstention)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(dump_config(config)))
    assert read_config(path).abstention == abstention
    assert "abstention" not in dump_config(config.uncalibrated())
    assert config.with_labels(("c",), problem_type="regression").abstention is None


def test_the_lowest_score_of_a_label() -> None:
    assert (OF_ALL.threshold("a"), OF_ALL.threshold("new")) == (0.9, 0.9)
    assert OF_LABELS.threshold("a") == 0.8
    assert OF_LABELS.threshold("b") == OF_LABELS.threshold("new") == math.inf


def test_when_a_model_abstains_is_said_in_words() -> None:
    assert OF_ALL.described() == (
        "abstains below a score of 0.9, so that at most 2 % of its answers are wrong"
    )
    assert "(a 0.8), so that at most 5 %" in OF_LABELS.described()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.9, "abstention is 0.9; it must be an object"),
        ({"max_error": 0.1, "confidence": 0.9}, "thresholds is None; it must be from 0 to 1"),
        ({"thresholds": 2, "max_error": 0.1, "confidence": 0.9}, "thresholds is 2"),
        ({"thresholds": {"a": "x"}, "max_error": 0.1, "confidence": 0.9}, "thresholds of 'a' is"),
        ({"thresholds": 0.5, "max_error": True, "confidence": 0.9}, "max_error is True"),
        ({"thresholds": 0.5, "max_error": 0.1, "confidence": float("nan")}, "confidence is nan"),
    ],
)
def test_what_are_no_thresholds(value: object, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        parse_config({"model_type": "distilbert", "abstention": value})
