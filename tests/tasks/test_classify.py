from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.checkpoint.folder import describe_folder
from distilcli.engine.batching import Piece, pad
from distilcli.engine.engine import Engine
from distilcli.engine.task import Encoded
from distilcli.errors import ModelError, RowError, UsageError
from distilcli.model.heads import SequenceClassifier
from distilcli.model.loading import load_model
from distilcli.tasks.classify import (
    Classification,
    ClassificationColumns,
    ClassifyTask,
    Texts,
    kind_of,
)
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.tokenizer.tokenizer import Tokenizer
from tests.conftest import WORDS

CPU = torch.device("cpu")
LONG = "good bad slow fast boring fun cheap great poor dull bright works"  # 12 tokens
Make = Callable[..., Path]


def as_is(item: Texts) -> Texts:
    if item[0] == "unreadable":
        raise RowError("line 3: no value at 'text'")
    return item


class Setup:
    """A tiny model with its tokenizer, and the task over them."""

    def __init__(self, folder: Path) -> None:
        files = describe_folder("m", folder)
        self.model: SequenceClassifier = load_model(files, SequenceClassifier).model
        self.tokenizer: Tokenizer = load_tokenizer(files)

    def task(self, **options: Any) -> ClassifyTask[Texts]:
        about = {"kind": options.pop("kind", "single"), "texts_of": options.pop("texts_of", as_is)}
        return ClassifyTask(self.model, self.tokenizer, **about, long_texts=LongTexts(**options))

    def classify(self, item: Texts, **options: Any) -> tuple[float, ...]:
        """Scores of one item through the task, its pieces in one batch."""
        task = self.task(**options)
        (encoded,) = task.encode([item])
        assert isinstance(encoded, Encoded)
        with torch.inference_mode():
            outputs = task.forward(pad(encoded.pieces, pad_token_id=0, device=CPU))
        return task.decode(item, encoded, outputs).scores

    def logits(self, first: str, second: str | None = None) -> Tensor:
        """What the model itself says of a text or a pair that is framed by hand."""
        cls, sep = self.tokenizer.special.cls, self.tokenizer.special.sep
        (a,) = self.tokenizer.ids([first])
        ids, types = [cls, *a, sep], [0] * (len(a) + 2)
        if second is not None:
            (b,) = self.tokenizer.ids([second])
            ids, types = [*ids, *b, sep], types + [1] * (len(b) + 1)
        with torch.inference_mode():
            found: Tensor = self.model(torch.tensor([ids]), None, torch.tensor([types]))[0]
        return found


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Setup:
    return Setup(tiny_folder)


@pytest.fixture
def three(make_model: Make) -> Setup:
    return Setup(make_model("three", labels=("a", "b", "c")))


def test_single_label_scores_are_a_softmax(three: Setup) -> None:
    expected = three.logits("a good film").softmax(0).tolist()
    assert three.classify(("a good film", None)) == pytest.approx(expected, abs=1e-6)
    assert sum(expected) == pytest.approx(1)


def test_multi_label_scores_are_sigmoids(three: Setup) -> None:
    expected = three.logits("a good film").sigmoid().tolist()
    assert three.classify(("a good film", None), kind="multi") == pytest.approx(expected, abs=1e-6)


def test_regression_gives_the_numbers_of_the_head(make_model: Make) -> None:
    setup = Setup(make_model("score", labels=("score",)))
    expected = setup.logits("a good film").tolist()
    found = setup.classify(("a good film", None), kind="regression")
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("model_type", ["bert", "distilbert"])
def test_pairs_go_in_with_their_token_types(make_model: Make, model_type: str) -> None:
    setup = Setup(make_model("pairs", model_type=model_type))
    expected = setup.logits("good film", "a dull plot").softmax(0).tolist()
    assert setup.classify(("good film", "a dull plot")) == pytest.approx(expected, abs=1e-6)
    joined = setup.classify(("good film a dull plot", None))
    assert joined != pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("model_type", ["bert", "distilbert"])
def test_pairs_and_single_texts_may_come_together(make_model: Make, model_type: str) -> None:
    setup = Setup(make_model("mixed", model_type=model_type))
    items: list[Texts] = [("good film", None), ("good", "a dull plot"), ("", "")]
    engine = Engine(setup.task(), pad_token_id=0, devices=(CPU,))
    with closing(engine.run(items)) as blocks:
        outcomes = [outcome for block in blocks for outcome in block]
    for item, outcome in zip(items, outcomes, strict=True):
        assert outcome.value is not None
        expected = setup.logits(*item).softmax(0).tolist()
        assert outcome.value.scores == pytest.approx(expected, abs=1e-5)


def windows(setup: Setup) -> tuple[list[list[float]], list[int]]:
    """The scores and sizes of windows of 8 tokens that overlap by 2: 6 + 4 + 4 words."""
    words = LONG.split()
    parts = [words[0:6], words[4:10], words[8:12]]
    scores = [setup.logits(" ".join(part)).softmax(0).tolist() for part in parts]
    return scores, [len(part) + 2 for part in parts]


WINDOWED: dict[str, Any] = {"long": "window", "max_length": 8, "stride": 2}


def test_windows_are_averaged_by_their_tokens(tiny: Setup) -> None:
    scores, sizes = windows(tiny)
    assert sizes == [8, 8, 6]
    expected = [(scores[0][i] * 8 + scores[1][i] * 8 + scores[2][i] * 6) / 22 for i in range(2)]
    assert tiny.classify((LONG, None), **WINDOWED) == pytest.approx(expected, abs=1e-6)


def test_the_greatest_score_of_windows_is_made_a_share(tiny: Setup) -> None:
    scores, _ = windows(tiny)
    greatest = [max(score[i] for score in scores) for i in range(2)]
    assert sum(greatest) > 1
    expected = [score / sum(greatest) for score in greatest]
    found = tiny.classify((LONG, None), window_pooling="max", **WINDOWED)
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_greatest_sigmoid_of_windows_is_kept_as_it_is(three: Setup) -> None:
    one_by_one = [
        three.classify((text, None), kind="multi")
        for text in ("good bad slow fast boring fun", "boring fun cheap great poor dull",
                     "poor dull bright works")
    ]  # fmt: skip
    found = three.classify((LONG, None), kind="multi", window_pooling="max", **WINDOWED)
    assert found == pytest.approx(np.max(one_by_one, axis=0), abs=1e-6)


def test_the_first_window_may_stand_for_all(tiny: Setup) -> None:
    scores, _ = windows(tiny)
    found = tiny.classify((LONG, None), window_pooling="first", **WINDOWED)
    assert found == pytest.approx(scores[0], abs=1e-6)


def test_what_is_cut_off_is_marked(tiny: Setup) -> None:
    cut, whole = tiny.task(max_length=8).encode([(LONG, None), ("good", None)])
    assert isinstance(cut, Encoded)
    assert isinstance(whole, Encoded)
    assert (cut.truncated, whole.truncated) == (True, False)
    assert [len(piece) for piece in cut.pieces] == [8]


def test_the_tokenizers_limit_counts(tiny: Setup) -> None:
    (encoded,) = tiny.task().encode([("good " * 100, None)])
    assert isinstance(encoded, Encoded)
    assert len(encoded.pieces[0]) == 64


def test_long_texts_may_be_errors_of_their_rows(tiny: Setup) -> None:
    task = tiny.task(long="error", max_length=8)
    bad, good = task.encode([(LONG, None), ("good", None)])
    assert isinstance(bad, RowError)
    assert "14 tokens, the limit is 8" in str(bad)
    assert isinstance(good, Encoded)


def test_rows_that_cannot_be_read_keep_their_places(tiny: Setup) -> None:
    task = tiny.task()
    items: list[Texts] = [("good", None), ("unreadable", None), ("bad film", "a plot")]
    first, error, last = task.encode(items)
    assert isinstance(first, Encoded)
    assert isinstance(error, RowError)
    assert isinstance(last, Encoded)
    assert [len(row.pieces[0]) for row in (first, last)] == [3, 7]
    assert [task.size(item) for item in items] == [4, 0, 14]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"long": "window", "stride": 61}, "`stride` 61 is not smaller than a window of 64"),
        ({"long": "window", "max_length": 8, "stride": 5}, "`stride` 5 is not smaller"),
        ({"stride": -1}, "`stride` -1 must be at least 0"),
        ({"long": "wrap"}, "`long` 'wrap' is unknown; take one of truncate, window, error"),
        ({"window_pooling": "min"}, "`window_pooling` 'min' is unknown; take one of mean"),
        ({"max_length": 3}, "`max_length` 3 leaves no room"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    tiny: Setup, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        tiny.task(**options)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=70).map(" ".join), min_size=1, max_size=30),
    st.integers(1, 600),
    st.integers(1, 3),
    st.integers(1, 10),
    st.sampled_from(["truncate", "window"]),
)
def test_scores_depend_on_neither_batches_nor_threads(
    tiny: Setup, texts: list[str], tokens: int, workers: int, rows: int, long: str
) -> None:
    options: dict[str, Any] = {"long": long, "stride": 10}
    engine = Engine(
        tiny.task(**options),
        pad_token_id=0,
        devices=(CPU,),
        workers=workers,
        max_tokens=tokens,
        max_rows=rows,
        window_rows=7,
    )
    with closing(engine.run([(text, None) for text in texts])) as blocks:
        outcomes = [outcome for block in blocks for outcome in block]
    assert [outcome.item[0] for outcome in outcomes] == texts
    for text, outcome in zip(texts, outcomes, strict=True):
        assert outcome.value is not None
        alone = tiny.classify((text, None), **options)
        assert outcome.value.scores == pytest.approx(alone, abs=1e-5)
        assert outcome.value.ranked() == Classification(alone).ranked()


@pytest.mark.parametrize("kind", ["single", "multi", "regression"])
@pytest.mark.parametrize("pooling", ["mean", "max", "first"])
def test_scores_that_are_no_numbers_are_an_error_of_the_row(
    make_model: Make, kind: str, pooling: str
) -> None:
    setup = Setup(make_model())
    setup.model.classifier.bias.data[1] = torch.nan
    for text in ("good", LONG):
        with pytest.raises(RowError, match=r"gave no number for this row; .*params --check"):
            setup.classify((text, None), kind=kind, window_pooling=pooling, **WINDOWED)


@pytest.mark.parametrize(
    ("problem_type", "labels", "multi_label", "kind"),
    [
        ("single_label_classification", 2, False, "single"),
        ("multi_label_classification", 2, False, "multi"),
        ("regression", 2, False, "regression"),
        ("single_label_classification", 2, True, "multi"),
        (None, 2, False, "single"),
        (None, 1, False, "single"),
        ("regression", 1, False, "regression"),
        ("multi_label_classification", 1, False, "multi"),
        ("single_label_classification", 1, True, "multi"),
    ],
)
def test_the_kind_is_what_the_config_says(
    problem_type: str | None, labels: int, multi_label: bool, kind: str
) -> None:
    config = replace(ModelConfig(), labels=("x",) * labels, problem_type=problem_type)
    assert kind_of(config, multi_label=multi_label) == kind


SCORES = Classification((0.2, 0.5, 0.3))


def columns(*args: Any, **options: Any) -> dict[str, object]:
    """Columns and values of `SCORES` under the labels a, b, c."""
    layout = ClassificationColumns("abc", *args, **options)
    return dict(zip(layout.names, layout.values(SCORES), strict=True))


def test_one_label_and_its_score() -> None:
    assert columns("single") == {"label": "b", "score": 0.5}


def test_the_best_labels_stand_in_order() -> None:
    found = columns("single", top_k=2)
    assert found == {"label": "b", "score": 0.5, "label_2": "c", "score_2": 0.3}
    assert len(columns("single", top_k=9)) == 6


def test_all_scores_stand_in_the_models_order() -> None:
    found = columns("single", all_scores=True)
    assert list(found.items()) == [
        ("label", "b"), ("score", 0.5), ("score_a", 0.2), ("score_b", 0.5), ("score_c", 0.3),
    ]  # fmt: skip


def test_of_several_labels_those_at_the_threshold_are_given() -> None:
    assert columns("multi", threshold=0.3) == {"labels": ["b", "c"], "scores": [0.5, 0.3]}
    assert columns("multi", threshold=0.51) == {"labels": [], "scores": []}


def test_regression_gives_one_number_or_one_for_each_output() -> None:
    one = ClassificationColumns(("x",), "regression")
    assert (one.names, one.values(Classification((3.5,)))) == (["score"], [3.5])
    both = ClassificationColumns(("x",), "regression", all_scores=True)
    assert (both.names, both.values(Classification((3.5,)))) == (["score", "score_x"], [3.5, 3.5])
    assert columns("regression") == {"score_a": 0.2, "score_b": 0.5, "score_c": 0.3}


def test_labels_to_count() -> None:
    def chosen(kind: Any) -> list[str]:
        return ClassificationColumns("abc", kind, threshold=0.3).counted(SCORES)

    assert (chosen("single"), chosen("multi"), chosen("regression")) == (["b"], ["b", "c"], [])


def test_equal_scores_rank_in_the_models_order() -> None:
    assert Classification((0.4, 0.2, 0.4)).ranked() == [0, 2, 1]


def test_two_columns_of_one_name_are_refused() -> None:
    ClassificationColumns("123", "single", all_scores=True)
    with pytest.raises(UsageError, match="two columns 'score_2'; leave out `all_scores` or `top"):
        ClassificationColumns("123", "single", all_scores=True, top_k=2)


def test_pieces_carry_token_types_only_for_models_that_have_them(
    tiny: Setup, make_model: Make
) -> None:
    bert = Setup(make_model("bert", model_type="bert"))
    for setup, expected in ((tiny, None), (bert, [0, 0, 0, 1, 1])):
        (encoded,) = setup.task().encode([("good", "bad")])
        assert isinstance(encoded, Encoded)
        ids = encoded.pieces[0].input_ids
        assert encoded.pieces == [Piece(ids, expected)]


def test_one_label_of_several_needs_more_than_one() -> None:
    config = ModelConfig(labels=("x",), problem_type="single_label_classification")
    with pytest.raises(ModelError, match="would score 1; use `multi_label` for its sigmoid"):
        kind_of(config)


def test_a_single_output_is_scored_by_its_sigmoid(make_model: Make) -> None:
    setup = Setup(make_model("one", labels=("LABEL_0",), problem_type=None))
    expected = setup.logits("a good film").sigmoid().tolist()
    assert setup.classify(("a good film", None)) == pytest.approx(expected, abs=1e-6)
    task = setup.task()
    high, low = (Classification((score,), ("LABEL_0",)) for score in (0.9, 0.2))
    assert (task.agreement(high, high), task.agreement(high, low)) == (1, 0)
