import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distilcli.predictors.classifier import Classifier
from distilcli.training.datasets.classify import Examples
from distilcli.training.objectives.regress import RegressObjective
from tests.training.objectives._toy import assert_exact_resume, learn, objective_of

Make = Callable[..., Path]
WORTH = {"bad": -1.0, "poor": -0.5, "good": 0.5, "great": 1.0}


def rows(count: int, *, seed: int, scale: float = 1.0, shift: float = 0.0) -> Examples[float]:
    """Texts whose number is the sum of what two of their words are worth."""
    draw = random.Random(seed)
    texts, numbers = [], []
    for _ in range(count):
        chosen = draw.choices(list(WORTH), k=2)
        words = [*chosen, *draw.choices(["the", "film", "was", "and", "it"], k=3)]
        texts.append(" ".join(draw.sample(words, len(words))))
        numbers.append(shift + scale * sum(WORTH[word] for word in chosen))
    return Examples(texts, None, numbers, ())


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-4, 3.0), (2e5, -1e6)])
def test_the_saved_model_gives_plain_numbers(
    make_model: Make, tmp_path: Path, model_type: str, scale: float, shift: float
) -> None:
    train, valid = (rows(n, seed=n, scale=scale, shift=shift) for n in (200, 60))
    objective = RegressObjective(train, valid)
    folder = make_model(head="BaseModel", model_type=model_type)
    summary = learn(folder, objective, tmp_path / "run", dropout=0.0)
    assert summary["best"]["pearson"] > 0.8
    found = Classifier(str(tmp_path / "run"), device="cpu")(valid.texts)
    predicted = np.array([row.score for row in found])
    assert all(row.labels == () for row in found)
    errors = predicted - np.array(valid.labels)
    spread = np.std(valid.labels)
    assert np.sqrt((errors**2).mean()) / spread < 0.6
    tolerance = 1e-2 if scale < 1 else 1e-4  # fp32 around 3.0 has few digits left
    assert summary["best"]["pearson"] == pytest.approx(
        np.corrcoef(predicted, valid.labels)[0, 1], abs=tolerance
    )


def test_what_is_learned_is_the_same_whatever_the_scale(make_model: Make, tmp_path: Path) -> None:
    """Powers of two scale exactly: then every bit but those of the classifier is the same."""
    from safetensors.torch import load_file

    folder, saved = make_model(head="BaseModel"), []
    for name, scale in (("one", 1.0), ("other", 1024.0)):
        objective = RegressObjective(rows(60, seed=1, scale=scale), rows(9, seed=2, scale=scale))
        learn(folder, objective, tmp_path / name, epochs=1)
        saved.append(load_file(tmp_path / name / "model.safetensors"))
    one, other = saved
    for key, weight in one.items():
        scaled = weight * (1024 if key.startswith("classifier") else 1)
        torch.testing.assert_close(other[key], scaled, rtol=1e-3, atol=1e-4, msg=key)


def test_an_interrupted_run_ends_as_an_unbroken_one(make_model: Make, tmp_path: Path) -> None:
    objective = RegressObjective(
        rows(80, seed=1, scale=30, shift=5), rows(20, seed=2, scale=30, shift=5)
    )
    assert_exact_resume(make_model(head="BaseModel"), objective, tmp_path)


def test_a_head_that_is_kept_says_the_same(make_model: Make, tmp_path: Path) -> None:
    """A second run starts from the numbers of the first, though its rows have other units."""
    objective = RegressObjective(
        rows(80, seed=1, scale=30, shift=5), rows(20, seed=2, scale=30, shift=5)
    )
    learn(make_model(head="BaseModel"), objective, tmp_path / "run", epochs=2)
    before = Classifier(str(tmp_path / "run"), device="cpu")(["good film", "bad"])
    again = RegressObjective(rows(20, seed=3, scale=2), rows(20, seed=4, scale=2))
    _, model = objective_of(tmp_path / "run", again)
    from distilcli.checkpoint.folder import describe_folder
    from distilcli.tokenizer.loading import load_tokenizer

    tokenizer = load_tokenizer(describe_folder("m", tmp_path / "run"))
    special = tokenizer.special
    for text, found in zip(["good film", "bad"], before, strict=True):
        ids = [special.cls, *tokenizer.ids([text])[0], special.sep]
        with torch.no_grad():
            assert model(torch.tensor([ids])).item() == pytest.approx(found.score, rel=1e-4)


def test_the_loss_is_the_error_over_the_variance(make_model: Make) -> None:
    train = replace(rows(4, seed=1), labels=[1.0, 3.0, 5.0, 7.0])
    prepared, _ = objective_of(make_model(head="BaseModel"), RegressObjective(train, train))
    outputs = torch.full((4, 1), 4.0)
    # The mean for every row is off by the variance.
    loss = prepared.loss(outputs, prepared.examples(range(4), epoch=0))
    assert loss.item() / 4 == pytest.approx(1)


def test_one_number_for_every_row_goes_with_nothing(make_model: Make) -> None:
    objective = RegressObjective(rows(9, seed=1), rows(9, seed=2))
    prepared, model = objective_of(make_model(head="BaseModel"), objective)
    with torch.no_grad():
        model.classifier.weight.zero_()
    scores = prepared.scores(torch.device("cpu"))
    assert (scores["pearson"], scores["spearman"]) == (0, 0)
    assert scores["rmse"] > 0


def test_the_command(
    make_model: Make, distil: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = rows(40, seed=1)
    lines = [f"{text},{number}\n" for text, number in zip(data.texts, data.labels, strict=True)]
    Path("rows.csv").write_text("text,rating\n" + "".join(lines))
    run = ("finetune", "rows.csv", "-m", make_model(head="BaseModel"), "--task", "regress")
    code, _, err = distil(*run, "-o", "m", "--label-column", "rating", "--device", "cpu")
    assert code == 0, err
    assert "best pearson" in err
    code, out, _ = distil("classify", "-m", "m", "--text", "good", "--format", "csv")
    assert code == 0
    assert out.splitlines()[0] == "text,score"
