"""Rows of a complete output that are kept, and those of its input that run again.

A row runs again if its `error` is set or if it was appended to the input since. All others are
copied from the output, after a check that the input still has the same rows.
"""

import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice

from distilcli.errors import InputError, UsageError
from distilcli.rows.jsonl import as_cell
from distilcli.rows.output import WholeOrNothing
from distilcli.rows.reader import RowSource, open_rows
from distilcli.rows.row import NumberText, Row, cell_value
from distilcli.rows.row_writer import Block, RowWriter, unique_names

_AT_ONCE = 1024
_WAY_OUT = "`retry_errors` needs the rows of the first run in the same order, new ones after them"


class Retry:
    """Which rows of a source run again, given the output of an earlier run.

    `kind` and `delimiter` are those of the output, `new_columns` are those that the run added, and
    `error` is the name of its error column. `kept_rows` grows as the source is read.
    """

    def __init__(
        self, output: str, kind: str, delimiter: str | None, new_columns: Sequence[str], error: str
    ) -> None:
        self._output = output
        self._kind = kind
        self._delimiter = delimiter
        self._new_columns = new_columns
        self._error = error
        self._checked = iter(self.earlier())
        self._kept: deque[int] = deque()
        self._kept_since = 0
        self.kept_rows = 0

    def earlier(self) -> RowSource:
        """Return the rows of the output."""
        return open_rows([self._output], input_format=self._kind, delimiter=self._delimiter)

    def wanted(self, row: Row) -> bool:
        """Return whether the next row of the source runs again.

        Raises `InputError` for a row that differs from the one in the output, and `UsageError` for
        an output of another command.
        """
        earlier = next(self._checked, None)
        if earlier is not None and cell_value(earlier, self._error) in (None, ""):
            self._check_same(row, earlier)
            self._kept_since += 1
            self.kept_rows += 1
            return False
        self._kept.append(self._kept_since)
        self._kept_since = 0
        return True

    def kept_before(self) -> int:
        """Return how many rows are kept between the last row that ran again and the next."""
        return self._kept.popleft()

    def finish(self) -> None:
        """Raise `InputError` if the output has rows that the source lacks."""
        row = next(self._checked, None)
        if row is not None:
            raise InputError(f"{row.source}: line {row.line}: is not in the input; {_WAY_OUT}")

    def _check_same(self, row: Row, earlier: Row) -> None:
        there = dict(zip(unique_names(earlier.columns), earlier.cells, strict=True))
        for name in self._new_columns:
            if name not in there:
                raise UsageError(
                    f"{self._output}: has no column {name!r}, so another command wrote it; "
                    "leave out `retry_errors`"
                )
        for name, value in zip(unique_names(row.columns), row.cells, strict=True):
            if not _is_same(value, as_cell(there.get(name))):
                raise InputError(
                    f"{row.source}: line {row.line}: differs from {earlier.source}, line "
                    f"{earlier.line}; {_WAY_OUT}"
                )


def _is_same(value: object, cell: str) -> bool:
    """Return whether a cell holds a value; SQLite writes true as 1, and 1.50 as 1.5."""
    if cell == as_cell(value):
        return True
    if isinstance(value, bool):
        return cell == str(int(value))
    with contextlib.suppress(ValueError):
        return isinstance(value, NumberText) and float(cell) == float(value)
    return False


class RetriedRows(WholeOrNothing):
    """Writes rows that ran again in their places among those that are kept."""

    def __init__(self, writer: RowWriter, retry: Retry) -> None:
        self._writer = writer
        self._retry = retry
        self._earlier = retry.earlier()
        self._rows = iter(self._earlier)
        writer.adopt(self._earlier.columns)

    @property
    def prefix(self) -> str:
        """See `RowWriter`."""
        return self._writer.prefix

    @property
    def kept_rows(self) -> int:
        """The rows that did not run again."""
        return self._retry.kept_rows

    def write_rows(self, block: Block) -> None:
        """Write rows that ran again, each after the kept rows that come before it."""
        together: list[tuple[Row, Mapping[str, object]]] = []
        for row in block:
            if kept := self._retry.kept_before():
                self._writer.write_rows(together)
                together = []
                self._copy(kept)
            next(self._rows, None)  # the row that failed; an appended one is not there
            together.append(row)
        self._writer.write_rows(together)

    def _copy(self, kept: int | None) -> None:
        rows = islice(self._rows, kept)
        while block := list(islice(rows, _AT_ONCE)):
            self._writer.copy(block)

    def close(self) -> None:
        """Copy the rows after the last one that ran, and finish."""
        self._retry.finish()
        self._copy(None)
        self._writer.close()
        self._earlier.close()

    def abort(self) -> None:
        """Give up; the earlier output stays."""
        self._earlier.close()
        self._writer.abort()
