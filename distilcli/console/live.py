"""What moves while a command runs: progress bars on stderr, for people only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distilcli.console import Console
from distilcli.console.results import training_scores

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from distilcli.rows.reader import RowSource
    from distilcli.stats import RunStats
    from distilcli.training.loop import Progress


@contextmanager
def rows_progress(
    console: Console, stats: "RunStats", source: "RowSource", *, shown: bool = True
) -> Iterator[None]:
    """Show how far a run over rows is, how fast it goes, and the time left.

    How far is told by the bytes read, less what is read and not yet through the model; where the
    size of the input is unknown (a pipe), only the counts move.
    """
    if not (shown and _watched(console)):
        yield
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    def counts() -> str:
        if not stats.tokens:
            return "waiting for rows" if source.is_stream else "reading"
        # Rows come out in blocks; until the first one, tokens alone tell of progress.
        rows = f"{stats.rows:,} rows  " if stats.rows else ""
        return f"{rows}{stats.tokens_per_second:,.0f} tokens/s"

    def done() -> float | None:
        total = source.bytes_total
        return source.bytes_read / total * stats.done_share if total else None

    bar = [BarColumn(), TaskProgressColumn(), TimeRemainingColumn()]
    name = TextColumn("{task.description}", style="cyan", markup=False)
    columns = [name, *bar] if source.bytes_total else []
    with _bar([*columns, _text_column(counts)], done, description=_short(source.name)):
        yield


@contextmanager
def training_progress(console: Console) -> "Iterator[Callable[[Progress], None]]":
    """Show how far a training run is; yields what the run is to call after every step.

    Every evaluation is noted on stderr, for people and for logs.
    """
    latest: Progress | None = None
    noted = 0

    def on_progress(progress: "Progress") -> None:
        nonlocal latest, noted
        latest = progress
        if len(progress.history) > noted:
            noted = len(progress.history)
            console.note(_evaluation(progress.history[-1], progress.total_steps))

    def done() -> float:
        return latest.step / latest.total_steps if latest else 0.0

    def text() -> str:
        if latest is None:
            return "reading"
        return f"step {latest.step:,}/{latest.total_steps:,}  loss {latest.loss:.3f}"

    if not _watched(console):
        yield on_progress
        return
    from rich.progress import BarColumn, TaskProgressColumn, TimeRemainingColumn

    columns = [BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), _text_column(text)]
    with _bar(columns, done, description="training"):
        yield on_progress


def _evaluation(entry: dict[str, Any], total_steps: int) -> str:
    best = ", the best so far" if entry["best"] else ""
    return (
        f"step {entry['step']:,} of {total_steps:,}: loss {entry['train_loss']:.3f}, "
        f"{training_scores(entry)}{best}"
    )


def _short(name: str, most: int = 24) -> str:
    """Return the end of a file's path, where its name stands."""
    return name if len(name) <= most else "…" + name[1 - most :]


def _watched(console: Console) -> bool:
    return not console.quiet and sys.stderr.isatty()


def _text_column(text: Callable[[], str]) -> "ProgressColumn":
    """Return a column that asks `text` for its content at every refresh."""
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class _Column(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(text(), style="dim")

    return _Column()


@contextmanager
def _bar(
    columns: "list[ProgressColumn]", done: Callable[[], float | None], *, description: str
) -> Iterator[None]:
    from rich import progress as rich_progress
    from rich.console import Console as RichConsole

    class _Polling(rich_progress.Progress):
        """Asks how far the run is whenever it draws itself, which its own thread does."""

        def get_renderables(self):  # type: ignore[no-untyped-def]
            share = done()
            if share is not None and self.task_ids:
                self.update(self.task_ids[0], completed=share)
            yield from super().get_renderables()

    with _Polling(
        *columns,
        console=RichConsole(stderr=True),
        transient=True,
        refresh_per_second=4,
        redirect_stdout=False,  # rows go there
    ) as bar:
        bar.add_task(description, total=None if done() is None else 1.0)
        yield
