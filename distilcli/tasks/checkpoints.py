"""Checkpoints of a run over files: its progress, saved so that another run can continue.

A run continues between two windows, because which rows share a batch decides the last bits of their
results. The output that a checkpoint describes is on the disk before the checkpoint is.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from distilcli.errors import InputError, ModelError, UsageError
from distilcli.rows.identity import RunIdentity
from distilcli.rows.journal import Journal, Progress
from distilcli.rows.output import State
from distilcli.rows.reader import RowSource
from distilcli.stats import RunStats

SECONDS = 1.0
"""Checkpoints are at least this far apart."""

_MOST_TIME = 0.02
_FINAL = (InputError, UsageError, ModelError)
"""Errors that would end the next run at the same row, or need a different input."""


class Continued(Protocol):
    """An output that another run can continue."""

    def state(self) -> State | None:
        """Return what `restore` needs; None where the output cannot be cut."""

    def restore(self, state: State) -> None:
        """Continue where an earlier output was in that state."""

    def sync(self) -> None:
        """Wait until everything written is on the disk."""

    def stays(self) -> None:
        """From here on, leave unfinished files on the disk however the run ends."""

    def removed(self) -> None:
        """From here on, remove unfinished files however the run ends."""


class Checkpoints:
    """The checkpoints of one run; `saved_rows` is the number of rows that the last one covers."""

    def __init__(
        self, journal: Journal, run: Callable[[], RunIdentity], source: RowSource, stats: RunStats
    ) -> None:
        self._journal = journal
        self._run = run
        self._source = source
        self._stats = stats
        self._latest: Progress | None = None
        self._due = time.monotonic() + SECONDS
        self.saved_rows = 0
        source.keep_marks()

    def go_on(self, progress: Progress, output: Continued) -> None:
        """Take up a run where it was interrupted."""
        output.restore(progress.output)
        output.stays()
        self._source.go_on(progress.mark, progress.rows)
        self._stats.restore(progress.stats)
        self.saved_rows = progress.rows

    def note(self, output: Continued, counts: Counter[str], written: int) -> None:
        """Record the progress after a block, and save it when it is time."""
        state = output.state()
        if state is None:
            return
        rows = self._stats.rows
        self._latest = Progress(
            rows=rows,
            written=written,
            mark=self._source.mark(rows),
            output=state,
            stats=self._stats.progress(),
            counts=dict(counts),
        )
        now = time.monotonic()
        if now >= self._due:
            self._save(output)
            done = time.monotonic()
            self._due = done + max(SECONDS, (done - now) / _MOST_TIME)

    @contextmanager
    def of(self, output: Continued) -> Iterator[None]:
        """Save the progress when the run ends.

        An interrupted run is saved unless the next one would end at the same row. A run that
        finished all rows is saved if there is a checkpoint already: its output still has to be
        completed, which takes a while if it is large.
        """
        try:
            yield
        except _FINAL:
            output.removed()
            self._journal.remove()
            self.saved_rows = 0
            raise
        except BaseException:
            self._save(output)
            raise
        if self.saved_rows:
            self._save(output)

    def ended(self) -> None:
        """Remove the journal of a run whose output is complete."""
        self._journal.remove()

    def _save(self, output: Continued) -> None:
        progress = self._latest
        if progress is not None and progress.rows > self.saved_rows:
            output.sync()
            self._journal.save(self._run(), progress)
            output.stays()
            self.saved_rows = progress.rows
