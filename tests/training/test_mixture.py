"""Rows of several files."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from distilcli.errors import DataWarning, InputError, UsageError
from distilcli.gold.columns import Columns
from distilcli.training.datasets import classify, multilabel, regress, tag
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.tag import TaggedSentences
from distilcli.training.mixture import MixPart, Mixture, parse_mix
from distilcli.training.objectives.tag import TaggedExample, TagObjective
from distilcli.training.options import DataOptions, ObjectiveOptions


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("text,label\none,1\ntwo,2\n")
    Path("b.csv").write_text("title,body,mood\nx,three,1\ny,four,2\n")
    Path("valid.csv").write_text("text,label\nfive,1\nsix,2\n")


def opened(mix: str) -> tuple[Mixture, DatasetOptions]:
    """The rows of a mixture, and how they are read."""
    mixture = Mixture(parse_mix(mix), {})
    return mixture, DatasetOptions(columns=Columns())


def test_the_parts_of_a_mixture() -> None:
    assert parse_mix("a.csv=2, C:\\b=c.csv=0.5:text=my text:label=l") == (
        MixPart("a.csv", 2.0),
        MixPart("C:\\b=c.csv", 0.5, "my text", "l"),
    )
    assert parse_mix(["a,b.csv=1"]) == (MixPart("a,b.csv", 1.0),)


@pytest.mark.parametrize(
    ("mix", "told"),
    [
        ("a.csv", "`mix` 'a.csv': write FILE=WEIGHT"),
        ("a.csv=0", "with a weight above 0"),
        ("a.csv=-1", "with a weight above 0"),
        ("a.csv=1.2.3", "with a weight above 0"),
        ("a.csv=1:words=w", "and :text=COLUMN or :label=COLUMN"),
        (" , ", "`mix` names no file"),
        ("a.csv=1,a.csv=2", "`mix`: a.csv is named twice"),
    ],
)
def test_other_forms_are_refused(mix: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_mix(mix)


def test_files_and_a_mixture_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="files and `mix` do not go together"):
        DataOptions(files=["a.csv"], mix="b.csv=1")
    train, _ = DataOptions(mix="a.csv=1,b.csv=2:text=body", limit=1).open()
    assert (train.name, train.text_column) == ("a.csv and b.csv", "text, body")
    assert [path.name for path in train.paths] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("module", "labels"),
    [(classify, [0, 1, 0, 1]), (multilabel, [(0,), (1,), (0,), (1,)]), (regress, [1, 2, 1, 2])],
)
def test_each_file_has_its_own_columns(module: object, labels: list[object]) -> None:
    mixture, options = opened("a.csv=1,b.csv=2:text=body:label=mood")
    (valid, _) = DataOptions(files="valid.csv").open()
    train, aside = module.read_dataset(mixture, valid, options)  # type: ignore[attr-defined]
    assert train.texts == ["one", "two", "three", "four"]
    assert train.labels == labels
    assert aside.texts == ["five", "six"]
    assert train.places == [("a.csv", 2), ("a.csv", 3), ("b.csv", 2), ("b.csv", 3)]
    assert mixture.weights == {"a.csv": 1.0, "b.csv": 2.0}


def test_a_column_that_a_file_lacks_is_named_with_the_file() -> None:
    with pytest.raises(InputError, match=r"no column 'mood' in a.csv"):
        classify.read_dataset(*_three("a.csv=1:label=mood,b.csv=1:text=body:label=mood"))


def _three(mix: str) -> tuple[Mixture, None, DatasetOptions]:
    mixture, options = opened(mix)
    return mixture, None, options


def tagged() -> tuple[TaggedSentences, TaggedSentences]:
    """Sentences of a file in IOB1 that marks people, and of one that marks places as well."""
    Path("people.conll").write_text("Bo I-PER\nEd B-PER\nin O\nRome O\n\nhi O\n")
    entity = {"label": "LOC", "start": 3, "end": 7}
    person = {"label": "PER", "start": 0, "end": 2}
    rows = [{"text": "in Rome", "entities": [entity]}, {"text": "Al", "entities": [person]}]
    Path("all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("valid.conll").write_text("in O\nRome B-LOC\n")
    mixture, options = opened("people.conll=1,all.jsonl=1")
    (valid, _) = DataOptions(files="valid.conll").open()
    with pytest.warns(DataWarning, match=r"people.conll: marks no LOC; what is outside"):
        return tag.read_dataset(mixture, valid, options)


@pytest.mark.filterwarnings("ignore:.*IOB1")
def test_a_file_may_mark_some_types_alone() -> None:
    train, valid = tagged()
    assert train.label_names == ("O", "B-LOC", "B-PER")
    assert train.labels == [[2, 2, 0, 0], [0], [0, 1], [2]]
    assert train.unmarked == [(1,), (1,), (), ()]
    assert valid.unmarked == [()]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.filterwarnings("ignore:.*IOB1")
def test_there_is_no_loss_between_outside_and_what_is_not_marked(smoothing: float) -> None:
    train, valid = tagged()
    objective = TagObjective(train, valid, ObjectiveOptions(label_smoothing=smoothing))
    logits = torch.tensor([[1.0, 3.0, -1.0], [0.5, 0.0, 2.0], [9.0, 0.0, 1.0]], requires_grad=True)
    example = TaggedExample([], labels=[0, 2, -100], unmarked=(1,))
    loss = objective.loss(logits, [example])
    logp = logits[:2].log_softmax(-1)
    right = torch.logsumexp(logp[0, :2], 0) + logp[1, 2]
    expected = -(1 - smoothing) * right - smoothing * logp.mean(-1).sum()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    if not smoothing:
        # Outside and the place gain alike, in proportion to what they have.
        grad = logits.grad[0]  # type: ignore[index]
        shares = logits.detach()[0].softmax(-1)
        torch.testing.assert_close(grad[0] / shares[0], grad[1] / shares[1])
    assert logits.grad is not None
    assert not logits.grad[2].any()
    marked = objective.loss(logits, [TaggedExample([], labels=[0, 2, -100])])
    usual = F.cross_entropy(
        logits, torch.tensor([0, 2, -100]), reduction="sum", label_smoothing=smoothing
    )
    torch.testing.assert_close(marked, usual)
