import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli import downloads
from distilcli.app import main
from distilcli.console import Console
from distilcli.console.progress import download_bar, rows_progress
from distilcli.rows.reader import RowSource, open_rows
from distilcli.stats import RunStats
from tests.console.conftest import Terminal, wait_for

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


@pytest.mark.parametrize("columns", [60, 100])
def test_how_far_a_run_is(terminal: Terminals, source: RowSource, columns: int) -> None:
    out, err = terminal(columns)
    stats = _half_done()
    with source, rows_progress(Console(), stats, source):
        list(source)
        wait_for(err, "50%")
        wait_for(err, "tokens/s")
        assert "0 rows" not in err.plain
        stats.add_rows(5)
        wait_for(err, "5 rows")
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
        wait_for(err, "waiting for rows")
        stats.start()
        stats.add_batch(tokens=50, positions=60, seconds=0.1)
        wait_for(err, "tokens/s")
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


def test_how_far_a_download_is(terminal: Terminals) -> None:
    out, err = terminal(80)
    with download_bar("org/model@v2") as tell:
        wait_for(err, "downloading org/model@v2")
        tell(64 << 20, 256 << 20)
        wait_for(err, "64 of 256 MiB")
        wait_for(err, "25%")
    assert out.getvalue() == ""


def test_downloads_are_shown_unless_it_is_quiet(terminal: Terminals) -> None:
    _, err = terminal(80)
    Console(quiet=True).show_downloads()
    with downloads.show("org/model") as tell:
        tell(1, 2)
    assert err.getvalue() == ""
    Console().show_downloads()
    with downloads.show("org/model") as tell:
        tell(1, 2)
        wait_for(err, "50%")


def test_a_log_has_no_bar_of_a_download(capsys: pytest.CaptureFixture[str]) -> None:
    Console().show_downloads()
    with downloads.show("org/model") as tell:
        tell(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("command", ["params", "classify --text a -m", "tokenize --text a -m"])
@pytest.mark.parametrize("quiet", [True, False])
def test_commands_show_downloads(
    monkeypatch: pytest.MonkeyPatch, tiny_folder: Path, command: str, quiet: bool
) -> None:
    monkeypatch.setattr(downloads, "show", downloads.unseen)
    assert main([*command.split(), str(tiny_folder), *["-q"] * quiet]) == 0
    assert (downloads.show is downloads.unseen) is quiet
