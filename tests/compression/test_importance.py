from dataclasses import replace

import pytest
import torch

from distilcli.compression.importance import measure_importance
from distilcli.model.heads import (
    BaseModel,
    MaskedLanguageModel,
    MultipleChoice,
    QuestionAnswerer,
    SequenceClassifier,
    TaskModel,
    TokenClassifier,
)
from tests.compression._models import TINY, built, pieces

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "kind",
    [
        BaseModel,
        MaskedLanguageModel,
        MultipleChoice,
        QuestionAnswerer,
        SequenceClassifier,
        TokenClassifier,
    ],
)
def test_what_changes_nothing_has_no_importance(kind: type[TaskModel]) -> None:
    model = built(kind)
    block = model.distilbert.transformer.blocks[1]
    with torch.no_grad():
        block.attention.out_lin.weight[:, 4:8] = 0  # head 1
        block.ffn.lin2.weight[:, 5] = 0
    found = measure_importance(model, pieces(), CPU)
    assert [tuple(scores.shape) for scores in found.heads] == [(4,)] * 3
    assert [tuple(scores.shape) for scores in found.neurons] == [(32,)] * 3
    assert found.heads[1][1] == 0
    assert found.neurons[1][5] == 0
    assert (found.heads[1][[0, 2, 3]] > 0).all()
    assert (found.heads[0] > 0).all()


def test_the_model_is_left_as_it_was() -> None:
    model, read = built(), torch.tensor([[1, 2, 3, 4]])
    before = model(read).detach()
    measure_importance(model, pieces(), CPU)
    assert torch.equal(model(read), before)
    assert all(weight.grad is None for weight in model.parameters())


def test_a_head_that_weighs_more_is_more_important() -> None:
    model = built()
    with torch.no_grad():
        model.distilbert.transformer.blocks[0].attention.out_lin.weight[:, :4] *= 20
    scores = measure_importance(model, pieces(), CPU).heads[0]
    assert scores.argmax() == 0


def test_it_does_not_depend_on_a_shift_of_all_scores() -> None:
    model = built()
    before = measure_importance(model, pieces(), CPU)
    with torch.no_grad():  # adds the same, which depends on the row, to the scores of all labels
        model.classifier.weight += model.classifier.weight[0].clone()
    after = measure_importance(model, pieces(), CPU)
    for one, other in zip(before.heads, after.heads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_several_labels_at_once_are_not_shifted() -> None:
    config = replace(TINY, problem_type="multi_label_classification")
    single, several = built(), built(SequenceClassifier, config)
    one, other = (measure_importance(model, pieces(), CPU) for model in (single, several))
    assert not torch.allclose(one.heads[0], other.heads[0])
