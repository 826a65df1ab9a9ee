"""`precision` auto: measured once, the fastest that agrees, and fp32 if that does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distilcli.checkpoint.locate import locate
from distilcli.errors import DataWarning, UsageError
from distilcli.model.heads import SequenceClassifier
from distilcli.model.int8 import weight_steps
from distilcli.model.loading import load_model
from distilcli.model.precision_name import Precision
from distilcli.predictors import precision
from distilcli.predictors.agreement import SAMPLE_ROWS
from distilcli.predictors.classifier import Classifier
from tests.conftest import WORDS

TEXTS = [" ".join(WORDS[n % 40 : n % 40 + 3 + n % 7]) for n in range(SAMPLE_ROWS)]

Speeds = Callable[..., list[int]]


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> Speeds:
    """Return a function that sets what a layer takes, and gives a list of the measurements."""

    def set_to(**seconds: float) -> list[int]:
        measured: list[int] = []

        def measure(model: object, device: object) -> dict[str, float]:
            measured.append(1)
            return {"fp32": 1.0, **seconds}

        monkeypatch.setattr(precision, "layer_seconds", measure)
        return measured

    return set_to


def auto(folder: Path, least: float = 0.01, **options: Any) -> Classifier:
    return Classifier(str(folder), device="cpu", precision="auto", min_agreement=least, **options)


def disagree(classifier: Classifier) -> None:
    """Make the classifier say the opposite of fp32."""
    for parameter in classifier._models[0].classifier.parameters():
        parameter.data = -parameter.data
    classifier._original = load_model(locate(classifier.name), SequenceClassifier).model


def test_the_fastest_is_measured_once(tiny_folder: Path, speeds: Speeds) -> None:
    measured = speeds(int8=0.4)
    first, second = auto(tiny_folder), auto(tiny_folder)
    assert (first.precision, second.precision, len(measured)) == ("int8", "int8", 1)
    assert " on cpu in int8, 2.5 times as fast as fp32 here (" in second.described()


def test_fp32_is_taken_where_it_is_as_fast(tiny_folder: Path, speeds: Speeds) -> None:
    speeds(int8=0.95)
    classifier = auto(tiny_folder)
    assert classifier.precision == "fp32"
    assert " in fp32, the fastest here (" in classifier.described()
    assert classifier(TEXTS[:4]) == Classifier(str(tiny_folder), device="cpu")(TEXTS[:4])
    assert classifier.agreement.share is None


def test_what_it_chose_is_checked_as_if_named(tiny_folder: Path, speeds: Speeds) -> None:
    speeds(int8=0.4)
    named = Classifier(str(tiny_folder), device="cpu", precision="int8", min_agreement=0)
    chosen = auto(tiny_folder)
    assert chosen(TEXTS) == named(TEXTS)
    assert chosen.agreement.rows == SAMPLE_ROWS
    assert chosen.agreement.share > (0.9 if weight_steps() == 127 else 0.8)
    assert auto(tiny_folder).agreement.is_remembered


def test_what_does_not_agree_gives_way_to_fp32_and_is_not_chosen_again(
    tiny_folder: Path, speeds: Speeds
) -> None:
    speeds(int8=0.4)
    expected = Classifier(str(tiny_folder), device="cpu")(TEXTS)
    classifier = auto(tiny_folder, 0.99)
    disagree(classifier)
    with pytest.warns(DataWarning, match=r"int8 agrees with fp32 on .* less than 99\.0%; running"):
        found = classifier(TEXTS)
    assert [each.label for each in found] == [each.label for each in expected]
    assert classifier.precision == "fp32"
    assert [each.label for each in classifier(TEXTS)] == [each.label for each in expected]
    later = auto(tiny_folder, 0.99)
    assert later.precision == "fp32"
    assert "without int8, which disagreed with fp32 in an earlier run" in later.described()


def test_so_it_does_at_the_end_of_a_short_input(tiny_folder: Path, speeds: Speeds) -> None:
    speeds(int8=0.4)
    expected = Classifier(str(tiny_folder), device="cpu")(TEXTS[:5])
    classifier = auto(tiny_folder, 0.99)
    disagree(classifier)
    with pytest.warns(DataWarning, match="running in fp32"):
        found = classifier(TEXTS[:5])
    assert [each.label for each in found] == [each.label for each in expected]


@pytest.mark.parametrize("content", ['{"about": {}}', "no JSON"])
def test_speeds_that_are_damaged_are_measured_again(
    tiny_folder: Path, speeds: Speeds, content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    measured = speeds(int8=0.4)
    auto(tiny_folder)
    (path,) = (tmp_path / "distil/speed").iterdir()
    path.write_text(content)
    with pytest.warns(DataWarning, match="damaged"):
        assert auto(tiny_folder).precision == "int8"
    assert len(measured) == 2
    assert auto(tiny_folder).precision == "int8"


def test_bytes_for_ever_need_a_precision_by_name(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"`deterministic` .* name a precision$"):
        auto(tiny_folder, deterministic=True)


@pytest.mark.slow
def test_the_machine_itself_is_measured(tiny_folder: Path) -> None:
    found: Precision = auto(tiny_folder).precision
    assert found in {"fp32", "bf16", "int8"}
    assert auto(tiny_folder).precision == found
