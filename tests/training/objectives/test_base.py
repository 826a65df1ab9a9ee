"""Every prepared: rows without a label have no loss of their own."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.checkpoint.sentence_transformers import SentenceRecipe
from distilcli.training.datasets.choose import SolvedProblem
from distilcli.training.datasets.classify import UNLABELLED, Examples
from distilcli.training.datasets.embed import TextPair
from distilcli.training.datasets.mlm import PlainTexts
from distilcli.training.datasets.multilabel import WITHOUT
from distilcli.training.datasets.qa import Question
from distilcli.training.datasets.tag import TaggedSentences
from distilcli.training.objectives import AnyObjective
from distilcli.training.objectives.choose import ChooseObjective
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.objectives.embed import EmbedObjective
from distilcli.training.objectives.mlm import MlmObjective
from distilcli.training.objectives.multilabel import MultilabelObjective
from distilcli.training.objectives.qa import QaObjective
from distilcli.training.objectives.regress import RegressObjective
from distilcli.training.objectives.tag import TagObjective
from distilcli.training.options import ObjectiveOptions
from tests.training.objectives._toy import batch_of, objective_of

Make = Callable[..., Path]
TEXTS = ["the film was good", "a book"]


def texts(labels: list[Any], names: tuple[str, ...] = ("a", "b")) -> Examples[Any]:
    return Examples(TEXTS, None, labels, names)


def classify() -> AnyObjective:
    return ClassifyObjective(texts([1, UNLABELLED]), texts([1, 0]))


def multilabel() -> AnyObjective:
    options = ObjectiveOptions(class_weights="balanced")
    return MultilabelObjective(texts([(), WITHOUT]), texts([(0, 1), (1,)]), options)


def regress() -> AnyObjective:
    return RegressObjective(texts([-100.0, math.nan], ()), texts([1.0, 2.0], ()))


def choose() -> AnyObjective:
    known = SolvedProblem("the film", (None, "good", "bad"), 2)
    return ChooseObjective([known, SolvedProblem("a book", ("good", "bad"), UNLABELLED)], [known])


def tag() -> AnyObjective:
    words = [["the", "film", "was", "good"], ["a", "book"]]
    first, second = [0, UNLABELLED, 1, 1], [UNLABELLED, UNLABELLED]
    rows = TaggedSentences(words, [first, second], ("O", "B-A"))
    return TagObjective(rows, TaggedSentences(words, [[0] * 4, [0, 1]], ("O", "B-A")))


def qa() -> AnyObjective:
    known = Question("the film ?", "good", ("good",), 0)
    return QaObjective([known, Question("a book ?", "it was", (), UNLABELLED)], [known])


def embed() -> AnyObjective:
    valid = [TextPair(*TEXTS)]
    return EmbedObjective([TextPair(text, None) for text in TEXTS], valid, SentenceRecipe())


def mlm() -> AnyObjective:
    return MlmObjective(PlainTexts(TEXTS), PlainTexts(TEXTS))


@pytest.mark.parametrize(
    ("objective", "units", "labelled"),
    [
        (classify, [1, 1], [1, 0]),
        (multilabel, [1, 1], [1, 0]),
        (regress, [1, 1], [1, 0]),
        (choose, [1, 1], [1, 0]),
        (tag, [4, 2], [3, 0]),
        (qa, [2, 2], [2, 0]),
        (embed, [1, 1], [0, 0]),
        (mlm, [1, 1], [1, 1]),
    ],
)
def test_units_without_a_label_are_told_apart_and_have_no_loss(
    make_model: Make, objective: Callable[[], AnyObjective], units: list[int], labelled: list[int]
) -> None:
    prepared, model = objective_of(
        make_model(head="BaseModel", labels=(), problem_type=None), objective()
    )
    examples = prepared.examples([0, 1], epoch=0)
    assert [prepared.units(example) for example in examples] == units
    assert [prepared.labelled(example) for example in examples] == labelled
    losses = []
    for chosen in (examples, [e for e, count in zip(examples, labelled, strict=True) if count]):
        if chosen:
            with torch.no_grad():
                outputs = prepared.outputs(model, batch_of(chosen), chosen)
            losses.append(prepared.loss(outputs, chosen).item())
    assert losses == pytest.approx([losses[0]] * len(losses))
    assert (losses[0] > 0) is any(labelled)


def test_rows_of_which_nothing_is_known_do_not_make_labels_rare() -> None:
    objective = MultilabelObjective(texts([(0,), (), WITHOUT, WITHOUT]), texts([(0,), ()]))
    assert objective.balanced_weights() == [1, 2]


def test_numbers_that_only_a_teacher_knows_are_in_the_units_of_the_others() -> None:
    valid = texts([1.0, 5.0], ())
    assert (RegressObjective(texts([4.0, math.nan, 8.0], ()), valid).mean) == 6
    alone = RegressObjective(texts([math.nan, math.nan], ()), valid)
    assert (alone.mean, alone.spread) == (3, 2)
