import time
from collections.abc import Callable

import pytest

from distilcli.console import Console
from distilcli.console.training import (
    TrainingView,
    show_interrupted,
    show_training,
    training_view,
)
from distilcli.training.loop import Progress
from tests.console.conftest import Terminal, wait_for

Terminals = Callable[..., tuple[Terminal, Terminal]]


def _progress(step: int) -> Progress:
    entry = {"step": 5, "train_loss": 0.4, "accuracy": 0.9, "macro_f1": 0.8, "best": True}
    return Progress(step=step, total_steps=10, loss=0.25, history=[entry] if step >= 5 else [])


def test_how_far_training_is(terminal: Terminals) -> None:
    _, err = terminal(120)
    with training_view(Console()) as view:
        view.on_pass("the encoder", 300, 1_200)
        wait_for(err, "the encoder reads  300/1,200")
        wait_for(err, "25%")
        view.on_progress(_progress(4))
        wait_for(err, "step 4/10  loss 0.250")
        wait_for(err, "40%")


def test_the_rate_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    view = TrainingView(Console(quiet=True))
    assert view.text() == "reading"
    view.on_pass("the teacher", 30, 1_200)
    assert view.text() == "the teacher reads  30/1,200"
    assert view.share_done() == 30 / 1_200
    first = _progress(2)
    first.tokens = 5_000  # a run that goes on has learned some before
    view.on_progress(first)
    now[0] += 20
    then = _progress(6)
    then.tokens = 15_000
    view.on_progress(then)
    assert view.text() == "step 6/10  loss 0.250  accuracy 0.9000  500 tokens/s  0:20 left"
    then.total_steps = 1_006
    assert view.text().endswith("1:23:20 left")


def test_evaluations_do_not_make_the_time_left_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    view = TrainingView(Console(quiet=True))
    left = []
    for step in range(1, 11):
        view.on_progress(Progress(step=step, total_steps=20, total_evaluations=4))
        left.append(view.text().rpartition("  ")[2])
        now[0] += 2
    # One evaluation of thirty seconds after ten steps of two: three more will follow.
    done = [{"step": 10.0, "train_loss": 0.4, "accuracy": 0.9, "best": True}]
    now[0] += 28
    view.on_progress(Progress(step=10, total_steps=20, total_evaluations=4, history=done))
    left.append(view.text().rpartition("  ")[2])
    assert left[1] == "0:36 left"
    assert left[-2:] == ["0:20 left", "1:50 left"]
    now[0] += 2
    view.on_progress(Progress(step=11, total_steps=20, total_evaluations=4, history=done))
    assert view.text().endswith("1:48 left")


def test_each_evaluation_is_noted_once(capsys: pytest.CaptureFixture[str]) -> None:
    with training_view(Console()) as view:
        for step in range(1, 8):
            view.on_progress(_progress(step))
    assert capsys.readouterr().err == (
        "distil: step 5 of 10: loss 0.400, accuracy 0.9000, macro f1 0.8000, the best so far\n"
    )


def test_how_training_ended(capsys: pytest.CaptureFixture[str]) -> None:
    best = {"accuracy": 0.91234, "macro_f1": 0.9, "step": 1_000}
    show_training(Console(), best, 2_000, "m", command="classify")
    show_interrupted(Console(quiet=True), "m", can_resume=False, forced=False)
    assert capsys.readouterr().err.splitlines() == [
        "distil: best accuracy 0.9123, macro f1 0.9000 after 1,000 of 2,000 steps",
        "distil: the model is in m; try: distil classify FILE -m m",
        "distil: warning: interrupted; m: nothing is saved yet",
    ]
