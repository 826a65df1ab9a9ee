import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from distilcli.errors import UsageError
from distilcli.model.capture import forward_all
from distilcli.model.surgery import prune_heads
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.distill.loss import Distillation, map_layers
from distilcli.training.distill.teacher import Teacher
from distilcli.training.loop import Trainer
from distilcli.training.objectives.classify import LabelledExample
from distilcli.training.options import DistillationOptions, TrainingOptions
from distilcli.training.run_folder import RunFolder
from tests.training._runs import Rows
from tests.training._teaching import ROWS, STUDENT, TEACHER, Pair, TeachableToy

PARTS = ("alpha_ce", "alpha_task", "alpha_cos", "alpha_hidden", "alpha_attention")
EVERY_PART = pytest.mark.parametrize("part", PARTS)
ALL = dict.fromkeys(PARTS, 1.0)
NARROW = replace(STUDENT, dim=8, n_heads=1, hidden_dim=16)
EQUAL = Rows(
    [replace(piece, input_ids=(piece.input_ids * 3)[:9]) for piece in ROWS.pieces], ROWS.labels
)


def states(pair: Pair, indices: list[int]) -> tuple[Any, Any, Tensor]:
    """What student and teacher compute of rows of equal lengths."""
    ids = torch.tensor([EQUAL.pieces[index].input_ids for index in indices])
    ours = forward_all(pair.student.eval().distilbert, ids, attentions=True)
    theirs = forward_all(pair.teacher_model.distilbert, ids, attentions=True)
    return ours, theirs, ids


def test_the_loss_is_the_published_one() -> None:
    pair = Pair(data=EQUAL, alpha_ce=5.0, alpha_task=2.0, alpha_cos=1.0, temperature=2.0)
    indices = [0, 1, 2, 3, 4]
    with torch.no_grad():
        ours, theirs, ids = states(pair, indices)
        student, teacher = pair.student(ids), pair.teacher_model(ids)
        labels = torch.tensor([EQUAL.labels[index] for index in indices])
        soft = nn.KLDivLoss(reduction="batchmean")(
            (student / 2).log_softmax(-1), (teacher / 2).softmax(-1)
        )
        last = [output.hidden_states[-1].flatten(0, 1) for output in (ours, theirs)]
        cosine = nn.CosineEmbeddingLoss()(*last, torch.ones(len(last[0])))
        expected = 5 * soft * 2**2 + 2 * nn.CrossEntropyLoss()(student, labels) + cosine
        found = pair.loss(indices) / len(indices)
    torch.testing.assert_close(found, expected)


def test_the_errors_of_hidden_states_and_attention_follow_their_formulas() -> None:
    indices = [0, 1, 2]
    for part in ("alpha_hidden", "alpha_attention"):
        pair = Pair(data=EQUAL, **{part: 1.0})
        with torch.no_grad():
            ours, theirs, _ = states(pair, indices)
            if part == "alpha_hidden":
                # Two layers of four: the embeddings, the second and the last are compared.
                pairs = [(0, 0), (1, 2), (2, 4)]
                errors = [
                    (ours.hidden_states[mine] - theirs.hidden_states[other]).square().mean()
                    for mine, other in pairs
                ]
            else:
                errors = [
                    (ours.attentions[mine] - theirs.attentions[other]).square().sum(-1).mean()
                    for mine, other in [(0, 1), (1, 3)]
                ]
            found = pair.loss(indices) / len(indices)
        torch.testing.assert_close(found, torch.stack(errors).mean())


@EVERY_PART
@pytest.mark.parametrize("student", [STUDENT, NARROW], ids=["as wide", "narrower"])
def test_the_loss_does_not_depend_on_how_rows_are_cut_into_batches(part: str, student: Any) -> None:
    pair = Pair(student=student, **{part: 1.0})
    assert len({len(piece) for piece in ROWS.pieces}) > 3  # padding
    grads = []
    losses = []
    for size in (1, 5, 12):
        pair.student.zero_grad()
        total = 0.0
        for start in range(0, 12, size):
            loss = pair.loss(list(range(12))[start : start + size])
            loss.backward()
            total += loss.item()
        losses.append(total)
        weights = pair.student.named_parameters()
        grads.append({name: w.grad.clone() for name, w in weights if w.grad is not None})
    assert losses[0] > 1e-3
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-4)
    for other in grads[1:]:
        for name, grad in grads[0].items():
            torch.testing.assert_close(other[name], grad, atol=1e-4, rtol=1e-3)


@EVERY_PART
@pytest.mark.parametrize("student", [STUDENT, NARROW], ids=["as wide", "narrower"])
def test_gradients_reach_the_student_and_the_projection_alone(part: str, student: Any) -> None:
    pair = Pair(student=student, **{part: 1.0})
    pair.loss([0, 1, 2]).backward()
    query = pair.student.distilbert.transformer.layer[0].attention.q_lin.weight
    assert query.grad is not None
    assert query.grad.any()
    assert all(weight.grad is None for weight in pair.teacher_model.parameters())
    assert not any(weight.requires_grad for weight in pair.teacher_model.parameters())
    projection = pair.distillation.projection
    assert (projection is None) is not (student is NARROW and part in {"alpha_cos", "alpha_hidden"})
    if projection is not None:
        assert projection.weight.shape == (16, 8)
        assert projection.weight.grad is not None
        assert projection.weight.grad.any()
    head = pair.student.classifier.weight.grad
    assert (head is not None and bool(head.any())) is (part in {"alpha_ce", "alpha_task"})


PARTLY = Rows(
    ROWS.pieces, [UNLABELLED if n in {0, 1, 2, 5} else label for n, label in enumerate(ROWS.labels)]
)


def step_of(pair: Pair, batches: list[list[int]], folder: Path) -> dict[str, Tensor]:
    """The gradients of one step over these batches."""
    trainer = Trainer(
        pair.student, pair.distillation, options=TrainingOptions(clip=1e6, precision="fp32"),
        device=torch.device("cpu"), run=RunFolder(folder, fingerprint={}, tokenizer_files=[]),
    )  # fmt: skip
    found: dict[str, Tensor] = {}
    trainer._optimizer.register_step_pre_hook(
        lambda *_: found.update(
            {
                name: w.grad.clone()
                for name, w in pair.student.named_parameters()
                if w.grad is not None
            }
        )
    )
    trainer.step(batches)
    return found


@pytest.mark.parametrize("batches", [[[*range(12)]], [[0, 1], [2, 3, 4], [5], [*range(6, 12)]]])
def test_the_loss_of_labels_is_a_mean_over_labelled_rows(
    tmp_path: Path, batches: list[list[int]]
) -> None:
    found = step_of(Pair(data=PARTLY, alpha_task=1.0), batches, tmp_path)
    pair = Pair(alpha_task=1.0)
    rows = [n for n, label in enumerate(PARTLY.labels) if label != UNLABELLED]
    logits = torch.cat([pair.student(torch.tensor([ROWS.pieces[n].input_ids])) for n in rows])
    F.cross_entropy(logits, torch.tensor([ROWS.labels[n] for n in rows])).backward()
    for name, weight in pair.student.named_parameters():
        torch.testing.assert_close(found[name], weight.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("part", [part for part in PARTS if part != "alpha_task"])
def test_the_other_losses_are_means_over_all_rows(tmp_path: Path, part: str) -> None:
    batches = [[0, 1, 2], [3, 4, 5, 6]]
    found = step_of(Pair(data=PARTLY, **{part: 1.0}), batches, tmp_path)
    expected = step_of(Pair(**{part: 1.0}), batches, tmp_path)
    assert all(torch.equal(found[name], grad) for name, grad in expected.items())
    nothing = Pair(data=replace(PARTLY, labels=[UNLABELLED] * 12), alpha_task=1.0)
    assert not any(grad.any() for grad in step_of(nothing, batches, tmp_path).values())


@EVERY_PART
def test_each_weight_is_a_factor_on_its_part(part: str) -> None:
    indices = [0, 3, 4]
    with torch.no_grad():
        alone = Pair(**{part: 1.0}).loss(indices)
        assert alone.item() > 1e-4
        torch.testing.assert_close(Pair(**{part: 3.0}).loss(indices), 3 * alone)
        others = Pair(**{**ALL, part: 0.0}).loss(indices)
        torch.testing.assert_close(Pair(**ALL).loss(indices), others + alone)


class Windows(TeachableToy):
    """Examples of two sequences each, which are three units."""

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[Any]:
        pairs = [super(Windows, self).examples([i, i + 6], epoch=epoch) for i in indices]
        return [LabelledExample(first.pieces + second.pieces, 0) for first, second in pairs]

    def units(self, example: Any) -> int:
        return 3


def test_an_example_weighs_as_many_units_as_it_has_however_long_it_is() -> None:
    pair = Pair(alpha_cos=1.0)
    pair.distillation = Distillation(
        Windows(pair.student, ROWS),
        Teacher(pair.teacher_model, Windows(pair.teacher_model, ROWS), layers=pair.teacher.layers),
        pair.student,
        options=pair.options,
        layers=pair.layers,
    )
    expected = 0.0
    with torch.no_grad():
        for index in (0, 1):
            distances: list[float] = []
            for row in (index, index + 6):
                ids = torch.tensor([ROWS.pieces[row].input_ids])
                ours, theirs = (m.distilbert(ids)[0] for m in (pair.student, pair.teacher_model))
                distances += (1 - torch.cosine_similarity(ours, theirs, dim=-1)).tolist()
            expected += 3 * sum(distances) / len(distances)
        assert pair.loss([0, 1]).item() == pytest.approx(expected, rel=1e-4)


def test_a_student_that_is_its_teacher_has_nothing_to_learn_from_it() -> None:
    parts = {part: 1.0 for part in PARTS if part != "alpha_task"}
    pair = Pair(student=TEACHER, **parts)
    pair.student.load_state_dict(pair.teacher_model.state_dict())
    loss = pair.loss([0, 1, 2])
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-5)
    # (the cosine's error is rounding, and so is its gradient)
    assert max(w.grad.abs().max().item() for w in pair.student.parameters()) < 1e-4


def test_the_teacher_stays_as_it_is_and_in_evaluation_mode() -> None:
    dropping = replace(TEACHER, dropout=0.5, attention_dropout=0.5)
    pair = Pair(teacher=dropping, **ALL)
    pair.student.train()
    found = [pair.teacher.targets([0, 1], epoch=0) for _ in range(2)]
    assert torch.equal(found[0].outputs, found[1].outputs)
    assert torch.equal(found[0].hidden_states[0], found[1].hidden_states[0])
    assert torch.equal(found[0].attentions[0], found[1].attentions[0])


def test_where_the_numbers_of_heads_differ_their_means_are_compared() -> None:
    pair = Pair(data=EQUAL, student=replace(STUDENT, n_heads=4), alpha_attention=1.0)
    with torch.no_grad():
        ours, theirs, _ = states(pair, [0, 1])
        errors = [
            (ours.attentions[mine].mean(1) - theirs.attentions[other].mean(1)).square().sum(-1)
            for mine, other in [(0, 1), (1, 3)]
        ]
        torch.testing.assert_close(pair.loss([0, 1]) / 2, torch.stack(errors).mean())


def test_dropout_of_attention_is_no_error_of_attention() -> None:
    """What a student would attend to is compared, not what dropout leaves of it."""
    one = replace(TEACHER, n_layers=1)  # a further layer reads what dropout disturbed
    pair = Pair(student=replace(one, attention_dropout=0.5), teacher=one, alpha_attention=1.0)
    pair.student.load_state_dict(pair.teacher_model.state_dict())
    pair.student.train()
    assert pair.loss([0, 1, 2]).item() == pytest.approx(0, abs=1e-6)


def test_a_student_with_pruned_heads_learns_attention() -> None:
    pair = Pair(alpha_attention=1.0)
    prune_heads(pair.student, {0: [1]})
    pair.loss([0, 1, 2]).backward()
    assert pair.student.distilbert.transformer.layer[0].attention.q_lin.weight.grad.any()


def test_layers_are_matched_up_to_the_last() -> None:
    options = DistillationOptions(alpha_hidden=1, alpha_attention=1)
    found = map_layers(options, n_student=6, n_teacher=12)
    assert found.hidden_states == ((6, 12), (0, 0), (1, 2), (2, 4), (3, 6), (4, 8), (5, 10))
    assert found.attentions == ((0, 1), (1, 3), (2, 5), (3, 7), (4, 9), (5, 11))


def test_only_layers_that_are_compared_are_asked_for() -> None:
    plain = map_layers(DistillationOptions(), n_student=6, n_teacher=12)
    assert (plain.hidden_states, plain.attentions) == (((6, 12),), ())
    none = map_layers(DistillationOptions(alpha_cos=0), n_student=6, n_teacher=12)
    assert (none.hidden_states, none.attentions) == ((), ())


@given(st.integers(1, 30), st.integers(1, 30))
def test_every_layer_of_the_student_has_one_of_the_teacher(n_student: int, n_teacher: int) -> None:
    options = DistillationOptions(alpha_hidden=1, alpha_attention=1)
    found = map_layers(options, n_student=n_student, n_teacher=n_teacher)
    hidden = dict(found.hidden_states)
    assert found.hidden_states[0] == (n_student, n_teacher)
    assert sorted(hidden) == list(range(n_student + 1))
    assert [theirs for _, theirs in found.attentions] == [
        hidden[n + 1] - 1 for n in range(n_student)
    ]
    in_order = [hidden[layer] for layer in range(n_student + 1)]
    assert in_order == sorted(in_order)
    assert in_order[0] == 0
    assert all(1 <= layer <= n_teacher for layer in in_order[1:])


def test_the_defaults_are_those_of_the_paper() -> None:
    options = DistillationOptions()
    assert (options.alpha_ce, options.alpha_task, options.alpha_cos) == (5, 2, 1)
    assert (options.alpha_hidden, options.alpha_attention, options.temperature) == (0, 0, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "`temperature` is 0"),
        ({"temperature": math.inf}, "`temperature` is inf; it must be finite"),
        ({"alpha_ce": -1.0}, "`alpha_ce` is -1.0; it must be finite, 0 or more"),
        ({"alpha_hidden": math.nan}, "`alpha_hidden` is nan"),
        (
            {"alpha_ce": 0.0, "alpha_task": 0.0, "alpha_cos": 0.0},
            "`alpha_ce` and all other weights are 0",
        ),
    ],
)
def test_weights_that_cannot_be_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DistillationOptions(**settings)
