from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.training.datasets.classify import UNLABELLED, Examples
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.objectives.whole_texts import LabelledExample
from distilcli.training.options import ObjectiveOptions
from tests.training.objectives._toy import (
    assert_exact_resume,
    batch_of,
    learn,
    objective_of,
    weights_of,
)

Make = Callable[..., Path]
ROWS = Examples(
    ["a good film", "it was bad", "a great book and i loved it", "dull", "fun !"] * 4,
    None, [1, 0, 1, 0, 1] * 4, ("bad", "good"),
)  # fmt: skip


def test_a_pair_is_one_example_and_a_long_one_is_cut(make_model: Make) -> None:
    rows = Examples(["good " * 50, "bad"], ["fun " * 50, "x"], [0, 1], ("a", "b"))
    folder = make_model(head="BaseModel", model_type="bert")
    prepared, _ = objective_of(folder, ClassifyObjective(rows, rows), max_length=20)
    assert prepared.sizes == [20, 5]
    (piece,) = prepared.examples([1], epoch=0)[0].pieces
    assert piece.token_type_ids == [0, 0, 0, 1, 1]


def test_rows_without_a_label_have_no_loss(make_model: Make) -> None:
    rows = replace(ROWS, labels=[UNLABELLED, *ROWS.labels[1:]])
    options = ObjectiveOptions(class_weights="balanced")
    prepared, _ = objective_of(make_model(head="BaseModel"), ClassifyObjective(rows, ROWS, options))
    assert prepared.loss(torch.randn(1, 2), prepared.examples([0], epoch=0)) == 0


def test_balanced_labels_weigh_the_same_together(make_model: Make) -> None:
    objective = ClassifyObjective(ROWS, ROWS, ObjectiveOptions(class_weights="balanced"))
    assert objective.balanced_weights() == [pytest.approx(20 / 2 / 8), pytest.approx(20 / 2 / 12)]
    rare = replace(ROWS, labels=[0] * 20)
    assert ClassifyObjective(rare, ROWS).balanced_weights() == [0.5, 10]
    prepared, _ = objective_of(make_model(head="BaseModel"), objective)
    outputs, wanted = torch.tensor([[0.3, -0.4]]), torch.tensor([0])
    torch.testing.assert_close(
        prepared.loss(outputs, [LabelledExample([], 0)]),
        torch.nn.functional.cross_entropy(outputs, wanted) * 1.25,
    )


def test_a_smoothed_label_is_spread_over_all(make_model: Make) -> None:
    objective = ClassifyObjective(ROWS, ROWS, ObjectiveOptions(label_smoothing=0.2))
    prepared, _ = objective_of(make_model(head="BaseModel"), objective)
    outputs = torch.tensor([[0.3, -0.4]])
    expected = -(torch.tensor([[0.9, 0.1]]) * outputs.log_softmax(dim=1)).sum()
    torch.testing.assert_close(prepared.loss(outputs, [LabelledExample([], 0)]), expected)


@pytest.mark.parametrize(
    "options", [{"class_weights": "balanced"}, {"label_smoothing": 0.2}, {"augment": 0.3}]
)
def test_a_setting_changes_what_is_learned(
    make_model: Make, tmp_path: Path, options: dict[str, Any]
) -> None:
    folder = make_model(head="BaseModel")
    learn(folder, ClassifyObjective(ROWS, ROWS), tmp_path / "plain", epochs=1)
    learn(
        folder, ClassifyObjective(ROWS, ROWS, ObjectiveOptions(**options)), tmp_path / "m", epochs=1
    )
    assert weights_of(tmp_path / "plain") != weights_of(tmp_path / "m")


def test_texts_are_augmented_by_seed_epoch_and_row(make_model: Make) -> None:
    rows = replace(ROWS, texts=["the film was good and i loved it very ."] * 20)
    folder = make_model(head="BaseModel")

    def read(*, seed: int = 0, epoch: int = 0, augment: float = 0.2) -> list[list[int]]:
        options = ObjectiveOptions(augment=augment, seed=seed)
        prepared, _ = objective_of(folder, ClassifyObjective(rows, rows, options))
        # The steps of a run are those of the rows as they are.
        assert prepared.sizes == [12] * 20
        assert prepared.varies == (augment > 0)
        return [e.pieces[0].input_ids for e in prepared.examples(range(20), epoch=epoch)]

    assert read() == read()
    assert read() != read(seed=1)
    assert read() != read(epoch=1)
    assert len(set(map(tuple, read()))) > 10
    assert len(set(map(tuple, read(augment=0)))) == 1


@pytest.mark.slow
def test_an_interrupted_augmented_run_ends_as_an_unbroken_one(
    make_model: Make, tmp_path: Path
) -> None:
    objective = ClassifyObjective(ROWS, ROWS, ObjectiveOptions(augment=0.3))
    assert_exact_resume(make_model(head="BaseModel"), objective, tmp_path, token_budget=40)


def test_outputs_are_the_logits_of_each_row(make_model: Make) -> None:
    prepared, model = objective_of(make_model(head="BaseModel"), ClassifyObjective(ROWS, ROWS))
    examples = prepared.examples([0, 2, 3], epoch=0)
    with torch.no_grad():
        found = prepared.outputs(model, batch_of(examples), examples)
        alone = [model(torch.tensor([e.pieces[0].input_ids])) for e in examples]
    torch.testing.assert_close(found, torch.cat(alone))
