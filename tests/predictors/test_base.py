"""What all predictors do alike: single items, streams, and settings that are refused."""

import copy
import gc
import itertools
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distilcli import (
    Answerer,
    BatchOptions,
    Chooser,
    Classifier,
    Embedder,
    LongTexts,
    MaskFiller,
    ResourceError,
    RowError,
    Tagger,
    UsageError,
)
from distilcli.model.device import Placement

CPU = {"device": "cpu", "batches": BatchOptions(threads=2)}
LONG = "good film " * 60

CASES = [
    (Classifier, "tiny_folder", ["a good film", "dull", LONG]),
    (Embedder, "tiny_folder", ["a good film", "dull", LONG]),
    (Tagger, "hand_tagger", ["a film movie", "dull", LONG]),
    (Answerer, "qa_folder", [("what ?", "a good film"), ("why ?", "dull"), ("why ?", LONG)]),
    (MaskFiller, "mlm_folder", ["[MASK] film", "a [MASK]", f"[MASK] {LONG}"]),
    (Chooser, "choice_folder", [("a", ["good", "bad"]), ("b", ["no", "yes"]), (LONG, ["a", "b"])]),
]
each = pytest.mark.parametrize(
    ("kind", "fixture", "items"), CASES, ids=[kind.__name__ for kind, _, _ in CASES]
)


def distil_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("distil-")]


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else one == other


def as_bytes(kind: Callable[..., Any], model: str, items: list[Any], **settings: Any) -> list[str]:
    """The results of all items, in order, with every digit."""
    batches = BatchOptions(**{name: settings.pop(name) for name in ("rows", "tokens", "threads")})
    predictor = kind(model, device="cpu", batches=batches, deterministic=True, **settings)
    found = predictor(items)
    plain = [each.tolist() if isinstance(each, np.ndarray) else asdict_of(each) for each in found]
    return [repr(each) for each in plain]


def asdict_of(result: Any) -> Any:
    return list(map(asdict, result)) if isinstance(result, list) else asdict(result)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@each
def test_deterministic_results_are_the_same_in_any_batch_and_order_and_on_any_threads(
    request: pytest.FixtureRequest,
    kind: Callable[..., Any],
    fixture: str,
    items: list[Any],
    precision: str,
) -> None:
    model = str(request.getfixturevalue(fixture))
    settings = {"precision": precision, **({"min_agreement": 0.0} if precision == "int8" else {})}
    wanted = [
        found
        for item in items
        for found in as_bytes(kind, model, [item], rows=1, tokens=None, threads=1, **settings)
    ]
    for rows, tokens, threads in ((None, None, 4), (2, 64, 2), (1, 512, 3)):
        sizes = {"rows": rows, "tokens": tokens, "threads": threads}
        assert as_bytes(kind, model, items, **sizes, **settings) == wanted
        assert as_bytes(kind, model, items[::-1], **sizes, **settings) == wanted[::-1]


def test_deterministic_is_for_the_cpu(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Placement(torch.device("meta"), "asked for")
    monkeypatch.setattr(
        "distilcli.predictors.base.place_copies", lambda model, *_, **__: [(model, elsewhere)]
    )
    with pytest.raises(ResourceError, match="`deterministic` works only on the CPU, not on meta"):
        Classifier(str(tiny_folder), deterministic=True)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stand-ins for GPUs: torch computes on the CPU for both."""

    def copies(model: Any, *_: object, **__: object) -> list[tuple[Any, Placement]]:
        models = [model, copy.deepcopy(model)]
        devices = [torch.device("cpu:0"), torch.device("cpu:1")]
        return [
            (model, Placement(device, "as asked"))
            for model, device in zip(models, devices, strict=True)
        ]

    monkeypatch.setattr("distilcli.predictors.base.place_copies", copies)


@each
def test_several_devices_give_what_one_gives_in_order(
    request: pytest.FixtureRequest, kind: Callable[..., Any], fixture: str, items: list[Any]
) -> None:
    model, many = str(request.getfixturevalue(fixture)), items * 8
    batches = BatchOptions(tokens=40, threads=1)
    wanted = kind(model, device="cpu", batches=batches)(many)
    request.getfixturevalue("two_gpus")
    predictor = kind(model, device="cuda:all", batches=batches)
    assert predictor.device == "cpu:0, cpu:1"
    assert predictor.workers == 2
    assert "on cpu:0, cpu:1 (as asked" in predictor.described()
    for found, expected in zip(predictor(many), wanted, strict=True):
        assert leaves(found) == pytest.approx(leaves(expected), abs=1e-5)


def leaves(result: Any) -> list[Any]:
    """The numbers and texts of a result, however deep."""
    if isinstance(result, np.ndarray):
        return list(result.ravel())
    if is_dataclass(result) and not isinstance(result, type):
        result = asdict(result)
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, list | tuple):
        return [leaf for part in result for leaf in leaves(part)]
    return [result]


def test_each_device_runs_its_own_copy(tiny_folder: Path, two_gpus: None) -> None:
    batches = BatchOptions(tokens=8, threads=1)
    classifier = Classifier(str(tiny_folder), device="cuda:all", batches=batches)
    used: set[int] = set()
    both = threading.Barrier(2, timeout=10)

    def meet(model: Any, *_: object) -> None:
        if id(model) not in used:
            used.add(id(model))
            both.wait()  # until each has a batch

    for model in classifier._models:
        model.register_forward_pre_hook(meet)
    classifier(["a good film"] * 50)
    assert used == set(map(id, classifier._models))


@each
def test_one_item_gets_one_result(
    request: pytest.FixtureRequest, kind: Callable[..., Any], fixture: str, items: list[Any]
) -> None:
    predictor = kind(str(request.getfixturevalue(fixture)), **CPU)
    one, (other,) = predictor(items[0]), predictor(items[:1])
    assert type(one) is type(other)
    assert same(one, other)


@pytest.mark.slow
@each
def test_a_stream_gives_what_a_list_gives(
    request: pytest.FixtureRequest, kind: Callable[..., Any], fixture: str, items: list[Any]
) -> None:
    predictor = kind(str(request.getfixturevalue(fixture)), **CPU)
    expected = predictor(items)
    assert all(map(same, predictor.stream(items), expected))
    assert len(list(predictor.stream(iter(items)))) == len(items)
    assert list(predictor.stream([])) == []
    assert not distil_threads()


@pytest.mark.parametrize(
    ("kind", "fixture", "items"), [case for case in CASES if case[0] is not Embedder]
)
def test_truncated_texts_are_marked(
    request: pytest.FixtureRequest, kind: Callable[..., Any], fixture: str, items: list[Any]
) -> None:
    predictor = kind(
        str(request.getfixturevalue(fixture)), long_texts=LongTexts(max_length=32), **CPU
    )
    assert [result.truncated for result in predictor(items)] == [False, False, True]


def test_tokens_and_perplexities_are_marked_and_single(tiny_folder: Path, mlm_folder: Path) -> None:
    short = LongTexts(max_length=16)
    embedder = Embedder(str(tiny_folder), long_texts=short, **CPU)
    assert [found.truncated for found in embedder.tokens(["good", LONG])] == [False, True]
    assert embedder.tokens("good film").tokens == ["good", "film"]
    filler = MaskFiller(str(mlm_folder), long_texts=short, **CPU)
    assert [r.truncated for r in filler.pseudo_perplexity(["good", LONG])] == [False, True]
    assert filler.pseudo_perplexity("good") == filler.pseudo_perplexity(["good"])[0]


@pytest.mark.parametrize(
    ("kind", "fixture", "item"),
    [
        (Classifier, "tiny_folder", "one text"),
        (Answerer, "qa_folder", ("one", "question")),
        (Chooser, "choice_folder", ("one", ["problem", "only"])),
    ],
)
def test_a_stream_needs_many_items(
    request: pytest.FixtureRequest, kind: Callable[..., Any], fixture: str, item: Any
) -> None:
    predictor = kind(str(request.getfixturevalue(fixture)), **CPU)
    with pytest.raises(TypeError, match=r"give many (texts|questions|problems) to stream, not one"):
        predictor.stream(item)


@pytest.fixture
def classifier(tiny_folder: Path) -> Classifier:
    return Classifier(str(tiny_folder), **CPU)


@pytest.mark.slow
def test_a_stream_reads_no_more_than_it_needs(classifier: Classifier) -> None:
    too_many = threading.Event()

    def endless() -> Iterator[str]:
        for read in itertools.count(1):
            if read == 100_000:  # which takes a moment where nothing stops it
                too_many.set()
            yield "good"

    stream = classifier.stream(endless())
    for _ in range(10):
        next(stream)
    assert not too_many.wait(0.5)
    stream.close()
    assert not distil_threads()


def test_a_stream_does_not_wait_for_items_to_come(classifier: Classifier) -> None:
    seen = threading.Event()

    def slow() -> Iterator[str]:
        yield "good"
        assert seen.wait(60), "the first result waited for the second item"
        yield "bad"

    stream = classifier.stream(slow())
    next(stream)
    seen.set()
    assert len(list(stream)) == 1


@pytest.mark.slow
def test_a_stream_that_is_dropped_ends_its_threads(classifier: Classifier) -> None:
    for result in classifier.stream("good" for _ in itertools.count()):
        assert result.label
        break
    del result
    gc.collect()
    assert not distil_threads()


@pytest.mark.slow
def test_a_stream_that_is_open_at_exit_ends_with_python(tiny_folder: Path) -> None:
    code = f"""
import atexit, itertools, threading
atexit.register(lambda: print([t.name for t in threading.enumerate() if 'distil-w' in t.name]))
from distilcli import Classifier
stream = Classifier({str(tiny_folder)!r}, device="cpu").stream("good" for _ in itertools.count())
print(next(stream).label is not None)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr, run.stdout) == (0, "", "True\n[]\n")


def test_a_stream_gives_the_results_before_an_error(classifier: Classifier) -> None:
    def texts() -> Iterator[Any]:
        yield "good"
        yield 5

    stream = classifier.stream(texts())
    assert next(stream).label
    with pytest.raises(TypeError, match=r"give texts or pairs .* not 5"):
        next(stream)
    strict = Classifier(classifier.name, long_texts=LongTexts(long="error"), **CPU)
    stream = strict.stream(["good", LONG, "bad"])
    assert next(stream).label
    with pytest.raises(RowError, match="the limit is 64"):
        next(stream)
    assert not distil_threads()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "`device` tpu"),
        ({"precision": "fp8"}, "`precision` 'fp8' is unknown; take one of auto, fp32, tf32, bf16"),
        ({"min_agreement": 0.9}, "`min_agreement` is for int8; add `precision` int8 or auto"),
        ({"min_agreement": 99, "precision": "int8"}, "`min_agreement` 99 is not between 0 and 1"),
    ],
)
def test_options_that_are_refused(tiny_folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Classifier(str(tiny_folder), **{**CPU, **options})
    assert str(caught.value).startswith(message)


def test_an_option_that_does_not_exist(tiny_folder: Path) -> None:
    for predictor in (Classifier, Embedder):
        message = rf"^{predictor.__name__}\(\) has no setting 'devise'$"
        with pytest.raises(TypeError, match=message):
            predictor(str(tiny_folder), devise="cpu")  # type: ignore[call-arg]


@pytest.mark.parametrize("given", [5, None, b"good", {"text": "good"}, 1.5])
def test_what_is_no_text_and_not_many(classifier: Classifier, given: Any) -> None:
    message = re.escape(f"give texts, one or many, not {given!r}")
    with pytest.raises(TypeError, match=f"^{message}$"):
        classifier(given)
    with pytest.raises(TypeError, match=f"^{message}$"):
        classifier.stream(given)


def test_what_is_no_question_and_not_many(qa_folder: Path) -> None:
    answerer = Answerer(str(qa_folder), **CPU)
    with pytest.raises(TypeError, match=r"^give questions, one or many, not 5$"):
        answerer(5)  # type: ignore[call-overload]


def test_a_predictor_shows_what_it_is(classifier: Classifier) -> None:
    assert repr(classifier) == f"<Classifier: {classifier.described()}>"
