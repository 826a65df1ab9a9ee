"""Draw README's picture: a command as it looks in a terminal of 96 columns.

    python .github/terminal.py

Runs the command in a pseudo-terminal and turns what it prints into `.github/terminal.svg`.
"""

import io
import os
import pty
import struct
import sys
import termios
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.text import Text

COMMAND = "distil classify tests/data/reviews.csv"
COLUMNS, LINES = 96, 26
ROOT = Path(__file__).resolve().parent.parent


def printed(command: list[str]) -> str:
    """Return what a command prints in a terminal, its colours as escape codes."""
    child, terminal = pty.fork()
    if child == 0:
        ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        os.chdir(ROOT)
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(LINES))
        os.execv(sys.executable, [sys.executable, "-m", *command])
    chunks = []
    while True:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.waitpid(child, 0)
    return b"".join(chunks).decode()


def shown(output: str) -> str:
    """Drop what progress bars drew and erased: of each line only the last version stays."""
    lines = output.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rpartition("\x1b[2K")[2].rpartition("\r")[2] for line in lines)


def main() -> None:
    """Run the command and write the picture."""
    console = Console(record=True, width=COLUMNS, force_terminal=True, file=io.StringIO())
    console.print(Text.assemble(("$ ", "bold green"), COMMAND))
    output = shown(printed(["distilcli", *COMMAND.split()[1:]]))
    console.print(Text.from_ansi(output.strip("\n")))
    console.save_svg(str(ROOT / ".github" / "terminal.svg"), title="distil")


if __name__ == "__main__":
    main()
