import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.console import Console
from distilcli.console.progress import TrainingView, rows_progress, training_view
from distilcli.rows.reader import RowSource, open_rows
from distilcli.stats import RunStats
from distilcli.training.loop import Progress
from tests.console.conftest import Terminal

Terminals = Callable[..., tuple[Terminal, Terminal]]


@pytest.fixture
def source(tmp_path: Path) -> RowSource:
    # A name that rich would take for markup, and fail on.
    path = tmp_path / ("x" * 40 + "[") / "b].csv"
    path.parent.mkdir()
    path.write_text("text\n" + "good\n" * 10)
    return open_rows([str(path)])


def _half_done() -> RunStats:
    stats = RunStats()
    stats.start()
    stats.add_encoded(100)
    stats.add_batch(tokens=50, positions=60, seconds=0.1)
    return stats


def _wait_for(terminal: Terminal, words: str) -> None:
    deadline = time.monotonic() + 20
    while words not in terminal.plain and time.monotonic() < deadline:
        time.sleep(0.02)
    assert words in terminal.plain


@pytest.mark.parametrize("columns", [60, 100])
def test_how_far_a_run_is(terminal: Terminals, source: RowSource, columns: int) -> None:
    out, err = terminal(columns)
    stats = _half_done()
    with source, rows_progress(Console(), stats, source):
        list(source)
        _wait_for(err, "50%")
        _wait_for(err, "tokens/s")
        assert "0 rows" not in err.plain
        stats.add_rows(5)
        _wait_for(err, "5 rows")
    assert "x[/b].csv" in err.plain
    assert out.getvalue() == ""
    # It is gone when the run is done: the last thing is to erase the line.
    assert err.getvalue().endswith("\x1b[2K")


def test_rows_written_meanwhile_go_to_stdout(terminal: Terminals, source: RowSource) -> None:
    out, err = terminal()
    with source, rows_progress(Console(), _half_done(), source):
        sys.stdout.write("a row\n")
    assert out.getvalue() == "a row\n"
    assert "a row" not in err.getvalue()


def test_a_pipe_has_no_bar(terminal: Terminals) -> None:
    _, err = terminal()
    stats = RunStats()
    source = open_rows(["-"])
    with rows_progress(Console(), stats, source):
        _wait_for(err, "waiting for rows")
        stats.start()
        stats.add_batch(tokens=50, positions=60, seconds=0.1)
        _wait_for(err, "tokens/s")
    assert "%" not in err.plain


@pytest.mark.parametrize(("quiet", "shown"), [(True, True), (False, False)])
def test_no_bar_where_it_is_not_wanted(
    terminal: Terminals, source: RowSource, quiet: bool, shown: bool
) -> None:
    _, err = terminal()
    with source, rows_progress(Console(quiet=quiet), _half_done(), source, shown=shown):
        list(source)
    assert err.getvalue() == ""


def test_no_bar_in_a_log(capsys: pytest.CaptureFixture[str], source: RowSource) -> None:
    with source, rows_progress(Console(), _half_done(), source):
        list(source)
    assert capsys.readouterr() == ("", "")


def _progress(step: int) -> Progress:
    entry = {"step": 5, "train_loss": 0.4, "accuracy": 0.9, "macro_f1": 0.8, "best": True}
    return Progress(step=step, total_steps=10, loss=0.25, history=[entry] if step >= 5 else [])


def test_how_far_training_is(terminal: Terminals) -> None:
    _, err = terminal(120)
    with training_view(Console()) as view:
        view.on_pass("the encoder", 300, 1_200)
        _wait_for(err, "the encoder reads  300/1,200")
        _wait_for(err, "25%")
        view.on_progress(_progress(4))
        _wait_for(err, "step 4/10  loss 0.250")
        _wait_for(err, "40%")


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


def test_each_evaluation_is_noted_once(capsys: pytest.CaptureFixture[str]) -> None:
    with training_view(Console()) as view:
        for step in range(1, 8):
            view.on_progress(_progress(step))
    assert capsys.readouterr().err == (
        "distil: step 5 of 10: loss 0.400, accuracy 0.9000, macro f1 0.8000, the best so far\n"
    )
