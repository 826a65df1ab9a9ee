"""int8 beside fp32 on the first rows: counted, reported, and refused where it says other things."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import ModelError
from distilcli.model.int8 import weight_steps
from distilcli.predictors.agreement import SAMPLE_ROWS, Agreement
from distilcli.predictors.answerer import Answerer
from distilcli.predictors.base import values
from distilcli.predictors.chooser import Chooser
from distilcli.predictors.classifier import Classifier
from distilcli.predictors.embedder import Embedder
from distilcli.predictors.mask_filler import MaskFiller
from distilcli.predictors.tagger import Tagger
from distilcli.tasks.settings import BatchOptions
from tests.conftest import WORDS

TEXTS = [" ".join(WORDS[n % 40 : n % 40 + 3 + n % 7]) for n in range(30)]


@pytest.mark.parametrize(
    ("predictor", "fixture", "rows"),
    [
        (Classifier, "tiny_folder", TEXTS),
        (Embedder, "tiny_folder", TEXTS),
        (Tagger, "hand_tagger", TEXTS),
        (Answerer, "qa_folder", [("what ?", text) for text in TEXTS]),
        (MaskFiller, "mlm_folder", [f"{text} [MASK]" for text in TEXTS]),
        (Chooser, "choice_folder", [(text, ["good", "bad"]) for text in TEXTS]),
    ],
    ids=["classify", "embed", "tag", "qa", "fill", "choose"],
)
def test_every_task_runs_in_int8_and_says_how_far_it_agrees(
    request: pytest.FixtureRequest, predictor: Callable[..., Any], fixture: str, rows: list[Any]
) -> None:
    folder = str(request.getfixturevalue(fixture))
    threads = BatchOptions(threads=1)
    ready = predictor(folder, device="cpu", precision="int8", min_agreement=0, batches=threads)
    assert "in int8" in ready.described()
    assert len(ready(rows)) == len(rows)
    assert ready.agreement.rows == len(rows)
    # Some CPUs have room for half the steps only.
    assert ready.agreement.share > (0.9 if weight_steps() == 127 else 0.8)
    plain = predictor(folder, device="cpu", batches=threads)
    plain(rows)
    assert plain.agreement.share is None


def broken(folder: Path, **options: Any) -> Classifier:
    """Return a classifier whose int8 weights are those of nobody."""
    classifier = Classifier(str(folder), device="cpu", precision="int8", **options)
    for parameter in classifier._models[0].classifier.parameters():
        parameter.data = -parameter.data
    original = Classifier(str(folder), device="cpu")
    classifier._original = original._models[0]
    return classifier


def test_a_model_that_says_other_things_in_int8_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"int8 agrees with fp32 on 0\.0% of 30 rows.*99\.0%"):
        broken(tiny_folder)(TEXTS)


def test_unless_that_is_allowed(tiny_folder: Path) -> None:
    classifier = broken(tiny_folder, min_agreement=0)
    assert len(classifier(TEXTS)) == len(TEXTS)
    assert classifier.agreement.share == 0


@pytest.mark.slow
def test_the_sample_is_no_larger_than_it_has_to_be(tiny_folder: Path) -> None:
    classifier = Classifier(str(tiny_folder), device="cpu", precision="int8", min_agreement=0)
    classifier(TEXTS[:10])
    assert classifier.agreement.rows == 10
    assert classifier._original is not None
    classifier(["good"] * (SAMPLE_ROWS + 5))
    assert classifier.agreement.rows == SAMPLE_ROWS
    assert classifier._original is None  # the run itself lets go of it
    classifier(TEXTS)
    assert classifier.agreement.rows == SAMPLE_ROWS


def test_long_rows_fill_the_sample_earlier(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distilcli.predictors.agreement.SAMPLE_TOKENS", 60)
    monkeypatch.setattr("distilcli.predictors.agreement.MIN_ROWS", 4)
    classifier = Classifier(str(tiny_folder), device="cpu", precision="int8", min_agreement=0)
    classifier(["good bad " * 20] * 9)
    assert classifier.agreement.rows == 4


@pytest.mark.parametrize(
    ("least", "shares", "is_enough"),
    [
        (0.99, [1.0] * 19 + [0.0], True),  # one label in a short sample
        (0.99, [1.0] * 18 + [0.0] * 2, False),
        (0.99, [1.0] * 396 + [0.0] * 4, True),
        (0.99, [1.0] * 395 + [0.0] * 5, False),
        (1.0, [1.0] * 127 + [0.0], False),  # all means all
        (1.0, [1.0] * 128, True),
        (0.99, [0.98] * 8, False),  # cosines that are all low
        (0.99, [0.995] * 8, True),
    ],
)
def test_how_much_has_to_be_the_same(least: float, shares: list[float], is_enough: bool) -> None:
    agreement = Agreement(least)
    for share in shares:
        agreement.add(share)
    assert agreement.is_enough is is_enough
    assert agreement.as_dict()["agreement_rows"] == len(shares)


def test_a_sample_that_goes_on_is_refused_only_where_it_is_lost() -> None:
    agreement = Agreement(0.9)
    for _ in range(3):
        agreement.add(0.0)
    assert not agreement.is_enough
    assert agreement.can_be_enough  # 125 of 128
    for _ in range(9):
        agreement.add(0.0)
    assert agreement.can_be_enough  # 116 of 128
    agreement.add(0.0)
    assert not agreement.can_be_enough


def test_a_pipe_is_judged_at_its_end(tiny_folder: Path) -> None:
    classifier = broken(tiny_folder, min_agreement=0.5)
    seen = threading.Event()

    def rows() -> Iterator[str]:
        yield from TEXTS[:3]
        assert seen.wait(60)
        yield TEXTS[3]

    engine = classifier.engine(lambda text: (text, None))
    with closing(engine.run(rows(), live=True)) as blocks:
        done = 0
        while done < 3:
            done += len(next(blocks))
        seen.set()
        with pytest.raises(ModelError, match=r"on 0\.0% of 4 rows; 50\.0% required"):
            list(blocks)


def test_rows_that_cannot_be_encoded_are_not_compared(tiny_folder: Path) -> None:
    from distilcli.errors import RowError

    def text_of(item: str) -> tuple[str, None]:
        if item == "bad row":
            raise RowError("no text")
        return item, None

    classifier = Classifier(str(tiny_folder), device="cpu", precision="int8", min_agreement=0)
    engine = classifier.engine(text_of, on_error="keep")
    assert len(list(values(engine, ["good", "bad row", "poor film"]))) == 2
    assert classifier.agreement.rows == 2


def test_what_was_checked_runs_as_before(tiny_folder: Path) -> None:
    classifier = Classifier(str(tiny_folder), device="cpu", precision="int8", min_agreement=0)
    first, second = classifier(TEXTS), classifier(TEXTS)
    assert first == second
    assert list(values(classifier.engine(lambda text: (text, None)), TEXTS)) == first


LONG_TEXTS = [" ".join(WORDS[n % 40 : n % 40 + 3 + n % 7]) for n in range(SAMPLE_ROWS)]


def int8(folder: Path, least: float = 0.01, **options: Any) -> Classifier:
    return Classifier(str(folder), device="cpu", precision="int8", min_agreement=least, **options)


def test_a_verdict_is_kept_and_changes_no_bit(tiny_folder: Path) -> None:
    first = int8(tiny_folder)
    found = first(LONG_TEXTS)
    assert not first.agreement.is_remembered
    second = int8(tiny_folder)
    assert second.agreement.is_remembered
    assert second._original is None
    assert second(LONG_TEXTS) == found
    assert second.agreement.as_dict() == {
        **first.agreement.as_dict(), "agreement_of_earlier_run": True,
    }  # fmt: skip
    assert second.agreement.described().endswith(f"of {SAMPLE_ROWS} rows of an earlier run")


def test_a_verdict_is_of_one_model_task_and_requirement(
    tiny_folder: Path, make_model: Callable[..., Path]
) -> None:
    int8(tiny_folder)(LONG_TEXTS)
    assert int8(tiny_folder).agreement.is_remembered
    assert not int8(tiny_folder, 0.02).agreement.is_remembered
    assert not int8(make_model(seed=7)).agreement.is_remembered
    embedder = Embedder(str(tiny_folder), device="cpu", precision="int8", min_agreement=0.01)
    assert not embedder.agreement.is_remembered


def test_an_incomplete_sample_is_not_kept(tiny_folder: Path) -> None:
    int8(tiny_folder)(TEXTS)
    assert not int8(tiny_folder).agreement.is_remembered


def test_nothing_required_is_checked_each_time(tiny_folder: Path) -> None:
    int8(tiny_folder, 0)(LONG_TEXTS)
    again = int8(tiny_folder, 0)
    again(LONG_TEXTS)
    assert not again.agreement.is_remembered
    assert again.agreement.rows == SAMPLE_ROWS


def test_a_bad_verdict_is_kept_until_its_file_is_removed(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match="agrees with fp32 on"):
        broken(tiny_folder)(LONG_TEXTS)
    with pytest.raises(ModelError, match=r"of an earlier run; .* or remove .* to check") as caught:
        Classifier(str(tiny_folder), device="cpu", precision="int8")
    path = Path(str(caught.value).split("remove ")[1].split(" to check")[0])
    path.unlink()
    Classifier(str(tiny_folder), device="cpu", precision="int8")


def test_the_sample_is_the_shortest_of_the_first_rows(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distilcli.predictors.agreement.SAMPLE_TOKENS", 400)
    classifier = int8(tiny_folder, 0)
    # 64 rows of 3 tokens among 64 of 22: the short ones have 192 tokens, the rest takes ten more.
    classifier(["good", "good bad " * 10] * (SAMPLE_ROWS // 2) + ["good"] * 50)
    assert classifier.agreement.rows == 64 + 10
    assert classifier._original is None
