import shutil
import sys

import pytest

from distilcli.console import benchmark

NAMES = ["precision", "seq", "batch", "p50 ms", "tokens/s", "", "GFLOP/s", "weights MiB"]
ROWS = [["fp32", "128", "1", "15.6", "9,240", "━━━━━━━━━━━━", "207", "86"]]


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (100, NAMES),
        (70, [name for name in NAMES if name]),
        (45, NAMES[:5]),
        (10, NAMES[:4]),  # what it is about stays, whatever the room
    ],
)
def test_columns_that_do_not_fit_are_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    columns: int,
    shown: list[str],
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(
        shutil, "get_terminal_size", lambda _: type("Size", (), {"columns": columns})
    )
    assert [NAMES[place] for place in benchmark._fitting(NAMES, ROWS)] == shown


def test_a_pipe_gets_all_columns() -> None:
    assert benchmark._fitting(NAMES, ROWS) == list(range(len(NAMES)))
