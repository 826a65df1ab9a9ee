"""Progress bars on stderr, for people only; gone when the work is done."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from distilcli.console import Console
from distilcli.console.terminal import printable, stderr, terminal_size
from distilcli.interrupt import undo_at_sudden_end
from distilcli.wording import count, mebibytes

if TYPE_CHECKING:
    from distilcli.downloads import Progress
    from distilcli.rows.reader import RowSource
    from distilcli.stats import RunStats

_NAME_WIDTH = 24
_MAX_BAR, _MIN_BAR = 40, 10
_BESIDE_BAR = 66  # columns that a bar leaves to the name and the counts


@contextmanager
def rows_progress(
    console: Console, stats: "RunStats", source: "RowSource", *, shown: bool = True
) -> Iterator[None]:
    """Show how much of the rows is done, the speed, and the time left.

    What is done are the bytes read, times the share of their tokens that the model has seen. The
    size of a pipe is unknown, so there only the counts move.
    """

    def counts() -> str:
        if not stats.tokens:
            return "waiting for rows" if source.is_stream else "reading"
        # Rows are done in blocks; before the first one, only tokens show progress.
        rows = f"{count(stats.rows, 'row')}  " if stats.rows else ""
        return f"{rows}{stats.tokens_per_second:,.0f} tokens/s"

    def done() -> float | None:
        total = source.bytes_total
        return source.bytes_read / total * stats.done_share if total else None

    name = _end_of(source.name)
    with live_bar(counts, done, name=name, shown=shown and watched(console)):
        yield


@contextmanager
def download_bar(name: str) -> Iterator["Progress"]:
    """Show how many bytes of a model are here; what is yielded takes them and their total."""
    here, total = 0, 0

    def tell(bytes_here: int, bytes_total: int) -> None:
        nonlocal here, total
        here, total = bytes_here, max(total, bytes_total)

    def counts() -> str:
        return f"{mebibytes(here).removesuffix(' MiB')} of {mebibytes(total)}" if total else ""

    description = f"downloading {_end_of(name)}"
    with live_bar(
        counts, lambda: here / total if total else 0.0, name=description, shown=sys.stderr.isatty()
    ):
        yield tell


def watched(console: Console) -> bool:
    """Tell whether somebody sees a bar."""
    return not console.quiet and sys.stderr.isatty()


@contextmanager
def live_bar(
    text: Callable[[], str], done: Callable[[], float | None], *, name: str, shown: bool
) -> Iterator[None]:
    """Draw a bar that asks for its share, 0 to 1, and the text beside it at every refresh.

    If the share is None at the beginning, there is only the text.
    """
    if not shown:
        yield
        return
    from rich import progress as rich_progress

    class Polling(rich_progress.Progress):
        def get_renderables(self):  # type: ignore[no-untyped-def]
            for task in self.task_ids:
                self.update(task, completed=done(), text=text())
            yield from super().get_renderables()

    columns: list[rich_progress.ProgressColumn] = [
        rich_progress.TextColumn("{task.fields[text]}", style="dim", markup=False)
    ]
    if done() is not None:
        width = max(_MIN_BAR, min(_MAX_BAR, terminal_size().columns - _BESIDE_BAR))
        columns = [
            rich_progress.TextColumn("{task.description}", style="cyan", markup=False),
            rich_progress.BarColumn(width),
            rich_progress.TaskProgressColumn(),
            rich_progress.TimeRemainingColumn(),
            *columns,
        ]
    with (
        Polling(
            *columns,
            console=stderr(),
            transient=True,
            refresh_per_second=4,
            redirect_stdout=False,  # rows go there
        ) as bar,
        undo_at_sudden_end(_show_cursor),
    ):
        bar.add_task(name, total=None if done() is None else 1.0, text=text())
        yield


def _show_cursor() -> None:
    """Erase the line of a bar and show the cursor, which rich hides beside it."""
    os.write(sys.stderr.fileno(), b"\r\x1b[2K\x1b[?25h")


def _end_of(path: str) -> str:
    """Return the end of a path, where the name is."""
    path = printable(path)
    return path if len(path) <= _NAME_WIDTH else "…" + path[1 - _NAME_WIDTH :]
