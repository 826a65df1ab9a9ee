import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.checkpoint.config import ModelConfig
from distilcli.predictors.answerer import Answerer
from distilcli.training.datasets.qa import Question
from distilcli.training.objectives.qa import QaObjective
from tests.training.objectives._toy import batch_of, learn, objective_of

Make = Callable[..., Path]


def questions(count: int, *, seed: int) -> list[Question]:
    """What follows `was` in the context is the answer."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        answer = draw.choice(["good", "bad", "dull", "bright"])
        before = " ".join(draw.choices(["the", "film", "book", "and"], k=draw.randint(1, 5)))
        context = f"{before} was {answer} {draw.choice(['.', '!', 'fun'])}"
        found.append(Question("the film ?", context, (answer,), context.index(answer)))
    return found


@pytest.mark.slow
def test_the_saved_model_answers(make_model: Make, tmp_path: Path) -> None:
    valid = questions(40, seed=2)
    summary = learn(
        make_model(head="BaseModel"), QaObjective(questions(150, seed=1), valid), tmp_path / "run",
        dropout=0.0,
    )  # fmt: skip
    assert summary["best"]["exact_match"] > 0.8
    answerer = Answerer(str(tmp_path / "run"), device="cpu")
    found = answerer([question.pair for question in valid])
    hits = [answer.answer == q.answers[0] for answer, q in zip(found, valid, strict=True)]
    assert sum(hits) / len(hits) == pytest.approx(summary["best"]["exact_match"], abs=1e-5)


def target(example: Any) -> list[int]:
    return example.pieces[0].input_ids[example.start : example.end + 1]


def test_training_drops_the_threshold_of_the_weights_before() -> None:
    rows = questions(1, seed=1)
    config = QaObjective(rows, rows).configure(ModelConfig(no_answer_threshold=0.3))
    assert config.no_answer_threshold is None


def test_an_answer_is_learned_in_the_windows_that_have_it_whole(make_model: Make) -> None:
    context = "the film was dull . " * 8 + "unliked book " + "it was fun ! " * 8
    question = Question("good ?", context, ("unliked book",), context.index("unliked"))
    objective, _ = objective_of(
        make_model(head="BaseModel"), QaObjective([question], [question]), max_length=32
    )
    examples = objective.examples(range(len(objective.sizes)), epoch=0)
    assert len(examples) > 2
    found = [example for example in examples if example.end]
    assert found
    lengths = {len(target(example)) for example in found}
    assert lengths == {4}  # un ##like ##d book
    assert all(target(example) == target(found[0]) for example in found)
    # The others say that there is none.
    assert all(example.start == example.end == 0 for example in examples if not example.end)
    assert all(objective.units(example) == 2 for example in examples)


@pytest.mark.parametrize("start", [0, 4])
def test_the_answer_begins_where_the_rows_say(make_model: Make, start: int) -> None:
    question = Question("good ?", "bad bad film", ("bad",), start)
    objective, _ = objective_of(make_model(head="BaseModel"), QaObjective([question], [question]))
    (example,) = objective.examples([0], epoch=0)
    # [CLS] good ? [SEP] bad bad film [SEP]
    assert example.start == example.end == (4 if start == 0 else 5)


def test_a_question_without_an_answer_points_at_the_first_token(make_model: Make) -> None:
    question = Question("good ?", "bad film", (), None)
    objective, _ = objective_of(make_model(head="BaseModel"), QaObjective([question], [question]))
    (example,) = objective.examples([0], epoch=0)
    assert (example.start, example.end) == (0, 0)


def test_no_answer_can_stand_in_the_question_or_in_padding(make_model: Make) -> None:
    rows = [Question("good ?", "bad film", ("film",), 4), Question("x", "a b c d e", ("a",), 0)]
    objective, model = objective_of(make_model(head="BaseModel"), QaObjective(rows, rows))
    examples = objective.examples([0, 1], epoch=0)
    with torch.no_grad():
        outputs = objective.outputs(model, batch_of(examples), examples)
    possible = (outputs > torch.finfo(torch.float32).min).tolist()
    # A start and an end for each window, one after the other.
    short = [True] + [False] * 3 + [True] * 2 + [False] * 3
    long = [True] + [False] * 2 + [True] * 5 + [False]
    assert possible == [short, short, long, long]


def test_the_command(
    make_model: Make, distil: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        json.dumps({"q": q.question, "c": q.context, "a": q.answers[0]})
        for q in questions(40, seed=1)
    ]
    Path("rows.jsonl").write_text("\n".join(lines) + "\n")
    columns = ("--text-column", "q", "--pair-column", "c", "--label-column", "a")
    run = ("finetune", "rows.jsonl", "-m", make_model(head="BaseModel"), "--task", "qa")
    code, _, err = distil(*run, *columns, "-o", "m", "--epochs", 1, "--device", "cpu")
    assert code == 0, err
    assert "try: distil qa FILE -m m" in err
    code, out, _ = distil("qa", "-m", "m", "--question", "x", "--context", "a b", "--device", "cpu")
    assert (code, bool(out)) == (0, True)
