import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.predictors.chooser import Chooser
from distilcli.training.datasets.choose import SolvedProblem
from distilcli.training.objectives.choose import ChooseObjective
from tests.training.objectives._toy import batch_of, learn, objective_of

Make = Callable[..., Path]
GOOD, BAD = ["good", "great", "loved", "fun"], ["bad", "poor", "dull", "slow"]


def problems(count: int, *, seed: int) -> list[SolvedProblem]:
    """Problems of two to four options, of which the praising one is right."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        options = draw.sample(BAD, draw.randint(1, 3))
        answer = draw.randint(0, len(options))
        options.insert(answer, draw.choice(GOOD))
        found.append(SolvedProblem(draw.choice(["the film", "a book"]), tuple(options), answer))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_the_saved_model_chooses(make_model: Make, tmp_path: Path, model_type: str) -> None:
    train, valid = problems(120, seed=1), problems(50, seed=2)
    folder = make_model(head="BaseModel", model_type=model_type)
    summary = learn(folder, ChooseObjective(train, valid), tmp_path / "run")
    assert summary["best"]["accuracy"] > 0.85
    found = Chooser(str(tmp_path / "run"), device="cpu")([solved.problem for solved in valid])
    hits = [choice.choice_index == s.answer for choice, s in zip(found, valid, strict=True)]
    assert sum(hits) / len(hits) == pytest.approx(summary["best"]["accuracy"])


def test_problems_of_several_sizes_make_one_batch(make_model: Make) -> None:
    solved = [
        SolvedProblem("the film", ("good", "bad", "dull"), 2),
        SolvedProblem("a book", (None, "fun", None, "slow"), 3),
    ]
    objective, model = objective_of(make_model(head="BaseModel"), ChooseObjective(solved, solved))
    examples = objective.examples([0, 1], epoch=0)
    # The right option's place is that among the options that there are.
    assert [example.answer for example in examples] == [2, 1]
    assert objective.sizes == [3 * 6, 2 * 6]
    batch = batch_of(examples)
    pieces = batch.pieces
    with torch.no_grad():
        outputs = objective.outputs(model, batch, examples)
        alone = [model(torch.tensor([piece.input_ids])).item() for piece in pieces]
    lowest = torch.finfo(torch.float32).min
    assert outputs[1, 2] == lowest
    expected = torch.tensor([alone[:3], [*alone[3:], lowest]])
    torch.testing.assert_close(outputs, expected)
    loss = -(expected.log_softmax(dim=1)[0, 2] + expected.log_softmax(dim=1)[1, 1])
    torch.testing.assert_close(objective.loss(outputs, examples), loss)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (["prompt,a,b,label", "the film,good,bad,0", "a book,dull,fun,1"],
         ("--option-columns", "a,b")),
        (["text,options,gold", 'the film,"[""good"",""bad""]",A', 'a book,"[""dull"",""fun""]",b'],
         ("--options-column", "options", "--label-column", "gold")),
    ],
)  # fmt: skip
def test_the_command(
    make_model: Make, distil: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    lines: list[str], options: tuple[str, ...],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("\n".join([lines[0], *lines[1:] * 6]) + "\n")
    run = ("finetune", "rows.csv", "-m", make_model(head="BaseModel"), "--task", "choose")
    code, _, err = distil(*run, "-o", "m", "--epochs", 1, "--device", "cpu", *options)
    assert code == 0, err
    assert "on 11 problems, validated on 1" in err
    assert "distil choose FILE -m m" in err
    code, out, _ = distil(
        "choose", "-m", "m", "--prompt", "a film", "--option", "good", "--option", "bad"
    )
    assert code == 0
    assert out
