from pathlib import Path

import numpy as np
import pytest

from distilcli.errors import RowError, UsageError
from distilcli.predictors.matcher import LabelMatcher

TEXTS = ["i loved the film", "it was dull", "good acting"]


def test_a_text_and_many(tiny_folder: Path) -> None:
    matcher = LabelMatcher("good,bad", model=str(tiny_folder), device="cpu")
    found = matcher(TEXTS)
    assert matcher(TEXTS[0]).sets[0].scores == pytest.approx(found[0].sets[0].scores, rel=1e-4)
    assert [match.label for match in matcher.stream(TEXTS)] == [match.label for match in found]
    assert {match.label for match in found} <= {"good", "bad"}
    assert sum(found[0].sets[0].scores) == pytest.approx(1)
    assert "labels: 2" in matcher.described()


def test_a_label_is_nearest_to_its_own_name(tiny_folder: Path) -> None:
    names = ["good film", "dull plot", "slow acting"]
    matcher = LabelMatcher(names, model=str(tiny_folder), device="cpu")
    assert [match.label for match in matcher(names)] == names


def test_several_sets(tiny_folder: Path) -> None:
    matcher = LabelMatcher("mood=good,bad", "what=film,plot,acting", model=str(tiny_folder))
    assert [len(each.scores) for each in matcher("a film").sets] == [2, 3]


def test_int8_is_compared_with_fp32_on_texts_alone(tiny_folder: Path) -> None:
    matcher = LabelMatcher("good,bad", model=str(tiny_folder), device="cpu", precision="int8")
    assert matcher.agreement.rows == 0
    matcher(TEXTS)
    assert matcher.agreement.rows == len(TEXTS)


def test_deterministic_for_any_order(tiny_folder: Path) -> None:
    matcher = LabelMatcher("good,bad", model=str(tiny_folder), device="cpu", deterministic=True)
    forwards, backwards = matcher(TEXTS), matcher(TEXTS[::-1])[::-1]
    for one, other in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(one.sets[0].scores, other.sets[0].scores)


def test_refused(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match="labels"):
        LabelMatcher(model=str(tiny_folder))
    with pytest.raises(RowError, match="empty"):
        LabelMatcher("good,bad", model=str(tiny_folder), device="cpu")(["good", " "])
