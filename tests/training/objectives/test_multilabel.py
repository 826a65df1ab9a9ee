import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.predictors.classifier import Classifier
from distilcli.training.datasets.classify import Examples
from distilcli.training.objectives.multilabel import MultilabelObjective
from distilcli.training.objectives.whole_texts import LabelledExample
from distilcli.training.options import ObjectiveOptions
from tests.training.objectives._toy import learn, objective_of

Make = Callable[..., Path]
NAMES = ("film", "price", "sound")
KEYS = {0: ["film", "movie"], 1: ["cheap", "price"], 2: ["sound", "acting"]}
FILLERS = ["the", "a", "was", "very", "and", "it", "."]


def rows(count: int, *, seed: int) -> Examples[tuple[int, ...]]:
    """Texts that name none to three of the things that they are labelled with."""
    draw = random.Random(seed)
    texts, labels = [], []
    for _ in range(count):
        chosen = tuple(sorted(draw.sample(range(3), draw.randint(0, 3))))
        words = [draw.choice(KEYS[label]) for label in chosen] + draw.choices(FILLERS, k=3)
        texts.append(" ".join(draw.sample(words, len(words))))
        labels.append(chosen)
    return Examples(texts, None, labels, NAMES)


TRAIN, VALID = rows(160, seed=1), rows(50, seed=2)


@pytest.mark.slow
def test_the_saved_model_gives_each_label_by_itself(make_model: Make, tmp_path: Path) -> None:
    objective = MultilabelObjective(TRAIN, VALID)
    summary = learn(
        make_model(head="BaseModel"), objective, tmp_path / "run", dropout=0.0, epochs=12
    )
    assert summary["best"]["micro_f1"] > 0.85
    found = Classifier(str(tmp_path / "run"), device="cpu")(VALID.texts)
    expected = [[label in labels for label in range(3)] for labels in VALID.labels]
    predicted = [[score >= 0.5 for score in row.scores] for row in found]
    from sklearn.metrics import accuracy_score, f1_score

    best = summary["best"]
    assert f1_score(expected, predicted, average="micro") == pytest.approx(
        best["micro_f1"], abs=1e-5
    )
    assert f1_score(expected, predicted, average="macro") == pytest.approx(
        best["macro_f1"], abs=1e-5
    )
    assert accuracy_score(expected, predicted) == pytest.approx(best["accuracy"], abs=1e-5)


def test_rare_labels_weigh_by_those_without(make_model: Make) -> None:
    labels = [(0,), (0, 1), (0,), ()]
    train = Examples(["good"] * 4, None, labels, ("a", "b"))
    objective = MultilabelObjective(train, train, ObjectiveOptions(class_weights="balanced"))
    assert objective.balanced_weights() == [1 / 3, 3]
    outputs, examples = torch.tensor([[0.3, -0.2]]), [LabelledExample([], (1,))]
    folder = make_model(head="BaseModel")
    weighted, _ = objective_of(folder, objective)
    plain, _ = objective_of(folder, MultilabelObjective(train, train))
    wanted = torch.tensor([[0.0, 1.0]])
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(plain.loss(outputs, examples), loss(outputs, wanted))
    torch.testing.assert_close(
        weighted.loss(outputs, examples),
        loss(outputs, wanted, pos_weight=torch.tensor([1 / 3, 3])),
    )


@pytest.mark.slow
def test_the_command(
    make_model: Make, distil: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = [";".join(NAMES[label] for label in labels) for labels in TRAIN.labels]
    lines = [f"{text},{cell}\n" for text, cell in zip(TRAIN.texts, cells, strict=True)]
    Path("rows.csv").write_text("text,labels\n" + "".join(lines))
    run = ("finetune", "rows.csv", "-m", make_model(head="BaseModel"), "--task", "multilabel")
    code, _, err = distil(
        *run, "-o", "m", "--epochs", 8, "--lr", 0.003, "--token-budget", 256,
        "--label-separator", ";", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert "labels: film, price, sound" in err
    code, out, _ = distil("classify", "-m", "m", "--text", "it was the sound.", "--format", "csv")
    assert code == 0
    assert out.splitlines()[0] == "text,labels,scores"
    assert "sound" in out.splitlines()[1].split(",", 1)[1]


def test_a_text_without_labels_is_learned_from(make_model: Make) -> None:
    train = replace(TRAIN, labels=[()] * len(TRAIN.labels))
    prepared, _ = objective_of(make_model(head="BaseModel"), MultilabelObjective(train, train))
    low = prepared.loss(torch.full((1, 3), -9.0), prepared.examples([0], epoch=0))
    assert low < 0.001
    assert prepared.loss(torch.full((1, 3), 9.0), prepared.examples([0], epoch=0)) > 8
