"""Stand-ins for terminals whose output can be read."""

import io
import re
import sys
import time
from collections.abc import Callable

import pytest

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def plain(self) -> str:
        """What was written, without colours and cursor moves."""
        return _ESCAPES.sub("", self.getvalue())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Terminal, Terminal]]:
    """Return a function that puts terminals in the place of stdout and stderr."""

    def terminal(columns: int = 100, lines: int = 50) -> tuple[Terminal, Terminal]:
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", str(lines))
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
            monkeypatch.delenv(name, raising=False)
        streams = Terminal(), Terminal()
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        return streams

    return terminal


def wait_for(terminal: Terminal, words: str) -> None:
    """Wait until a bar, which its own thread draws, shows these words."""
    deadline = time.monotonic() + 20
    while words not in terminal.plain and time.monotonic() < deadline:
        time.sleep(0.02)
    assert words in terminal.plain
