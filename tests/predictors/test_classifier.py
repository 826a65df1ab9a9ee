from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from distilcli.errors import RowError, UsageError
from distilcli.predictors.classifier import Classifier
from distilcli.tasks.settings import BatchOptions, LongTexts

TEXTS = ["a good film", "dull , boring and slow", "", "i loved it !"]


@pytest.fixture
def classifier(tiny_folder: Path) -> Classifier:
    batches = BatchOptions(threads=1)
    return Classifier(str(tiny_folder), device="cpu", batches=batches, keep_empty=True)


def test_texts_give_scores_in_their_order(classifier: Classifier) -> None:
    found = classifier(TEXTS)
    for text, result in zip(TEXTS, found, strict=True):
        assert result.scores == pytest.approx(classifier([text])[0].scores, abs=1e-6)
    assert len({result.scores for result in found}) == len(TEXTS)
    assert all(sum(result.scores) == pytest.approx(1) for result in found)
    assert classifier.labels == ("negative", "positive")
    assert classifier(iter([])) == []


def test_pairs_and_texts_mix(classifier: Classifier) -> None:
    pair, text = classifier([("good film", "bad plot"), "good film"])
    assert pair != text


def test_it_says_what_it_runs_on(classifier: Classifier, tiny_folder: Path) -> None:
    assert classifier.name == str(tiny_folder)
    assert classifier.kind == "single"
    assert (classifier.device, classifier.workers) == ("cpu", 1)
    assert classifier.described() == f"model {tiny_folder} on cpu (as asked, threads: 1)"
    assert classifier.load_seconds > 0
    assert classifier.unused == ()


def test_multi_label_is_a_matter_of_asking(tiny_folder: Path) -> None:
    found = Classifier(str(tiny_folder), device="cpu", multi_label=True, keep_empty=True)
    assert found.kind == "multi"
    assert sum(found(TEXTS)[0].scores) != pytest.approx(1)


def test_one_text_gets_one_result(classifier: Classifier) -> None:
    assert [classifier("good")] == classifier(["good"])
    assert len(classifier(("good", "bad"))) == 2  # texts in a tuple, not a pair


@pytest.mark.parametrize("item", [5, ("one",), ("one", 1), ["one", "two"], b"one"])
def test_what_is_no_text_is_refused(classifier: Classifier, item: Any) -> None:
    with pytest.raises(TypeError, match=r"give texts or pairs \(tuples\) of texts, not"):
        classifier(["good", item])


def test_a_result_says_its_label_and_score(
    classifier: Classifier, make_model: Callable[..., Path]
) -> None:
    for result in classifier(TEXTS):
        best = result.scores.index(max(result.scores))
        assert (result.label, result.score) == (classifier.labels[best], result.scores[best])
        assert result.labels == classifier.labels
    number = make_model(labels=("stars",), problem_type="regression")
    (result,) = Classifier(str(number), device="cpu")(["good"])
    assert (result.label, result.score, result.labels) == (None, result.scores[0], ())


def test_a_text_that_is_too_long_may_be_an_error(tiny_folder: Path) -> None:
    strict = Classifier(str(tiny_folder), device="cpu", long_texts=LongTexts(long="error"))
    with pytest.raises(RowError, match="the limit is 64"):
        strict(["good " * 100])


def test_long_texts_are_read_in_windows(tiny_folder: Path) -> None:
    options = LongTexts(long="window", max_length=16, stride=4)
    windowed = Classifier(str(tiny_folder), device="cpu", long_texts=options)
    cut = Classifier(str(tiny_folder), device="cpu", long_texts=LongTexts(max_length=16))
    text = "good " * 12 + "bad " * 30
    assert windowed([text])[0].scores != pytest.approx(cut([text])[0].scores, abs=1e-4)
    assert windowed(["good"])[0].scores == pytest.approx(cut(["good"])[0].scores, abs=1e-6)


def test_a_device_that_is_no_device_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match="`device` tpu"):
        Classifier(str(tiny_folder), device="tpu")


def test_a_row_whose_token_has_no_embedding_fails_alone(
    make_model: Callable[..., Path], vocab: list[str]
) -> None:
    folder = make_model()
    expected = Classifier(str(folder), device="cpu")(["good"])[0].scores
    (folder / "vocab.txt").write_text("\n".join([*vocab, "zebra"]) + "\n")
    classifier = Classifier(str(folder), device="cpu")
    assert classifier(["good"])[0].scores == pytest.approx(expected, abs=1e-6)
    with pytest.raises(RowError, match=rf"for the token 'zebra' \(id {len(vocab)}\)"):
        classifier(["good", "a zebra"])


def test_a_wrapper_of_the_weights_is_told(make_model: Callable[..., Path]) -> None:
    folder = make_model()
    path = folder / "model.safetensors"
    save_file({f"module.{key}": weight for key, weight in load_file(path).items()}, path)
    assert "its weights named under 'module.'" in Classifier(str(folder), device="cpu").described()


def test_what_config_json_leaves_open_is_told(make_model: Callable[..., Path]) -> None:
    one = Classifier(str(make_model("a", labels=("x",), problem_type=None)), device="cpu")
    assert "the score is a sigmoid" in one.described()
    (result,) = one(["good"])
    assert (result.label, result.score) == ("x", result.scores[0])
    assert 0 < result.score < 1
    two = Classifier(str(make_model("b", problem_type=None)), device="cpu")
    assert "sigmoid" not in two.described()
