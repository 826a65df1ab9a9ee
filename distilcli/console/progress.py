"""What moves while a command runs: progress bars on stderr, for people only."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distilcli.console import Console
from distilcli.console.summary import training_scores
from distilcli.training.run_files import scores_of

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


class TrainingView:
    """What a training run tells while it goes on; its methods are what the run is to call."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._latest: Progress | None = None
        self._noted = 0
        self._began: tuple[float, int, int] | None = None  # seconds, steps and tokens
        self._pass: tuple[str, int, int] | None = None

    def on_progress(self, progress: "Progress") -> None:
        """Take in a step; an evaluation is noted on stderr, for people and for logs."""
        if self._began is None:
            self._began = time.monotonic(), progress.step, progress.tokens
        self._latest, self._pass = progress, None
        if len(progress.history) > self._noted:
            self._noted = len(progress.history)
            self._console.note(_evaluation(progress.history[-1], progress.total_steps))

    def on_pass(self, who: str, done: int, total: int) -> None:
        """Take in how many rows somebody has read who reads them once, ahead of all steps."""
        self._pass = who, done, total

    def share_done(self) -> float:
        """Return how far the run is, or a pass over its rows."""
        if self._pass is not None:
            return self._pass[1] / self._pass[2]
        return self._latest.step / self._latest.total_steps if self._latest else 0.0

    def text(self) -> str:
        """Say step, loss, the last score, tokens a second and the time left."""
        if self._pass is not None:
            who, done, total = self._pass
            return f"{who} reads  {done:,}/{total:,}"
        if self._latest is None or self._began is None:
            return "reading"
        progress, (began, first_step, first_tokens) = self._latest, self._began
        parts = [f"step {progress.step:,}/{progress.total_steps:,}", f"loss {progress.loss:.3f}"]
        if progress.history:
            name, score = next(iter(scores_of(progress.history[-1]).items()))
            parts.append(f"{name.replace('_', ' ')} {score:.4f}")
        seconds, steps = time.monotonic() - began, progress.step - first_step
        if steps:
            left = (progress.total_steps - progress.step) * seconds / steps
            rate = (progress.tokens - first_tokens) / seconds
            parts += [f"{rate:,.0f} tokens/s", f"{_clock(left)} left"]
        return "  ".join(parts)


@contextmanager
def training_view(console: Console) -> Iterator[TrainingView]:
    """Show how far a training run is."""
    view = TrainingView(console)
    if not _watched(console):
        yield view
        return
    from rich.progress import BarColumn, TaskProgressColumn

    columns = [BarColumn(), TaskProgressColumn(), _text_column(view.text)]
    with _bar(columns, view.share_done, description="training"):
        yield view


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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
