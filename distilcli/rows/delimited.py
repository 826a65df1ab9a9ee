r"""CSV and TSV: lines to records of cells, and cells back to lines.

Our own splitter rather than the `csv` module, whose reader caps cells by a process-wide limit,
fails on NUL bytes (Python 3.10), drops stray quotes, ends quietly inside an open quote and does
not say on which line a record began. A line without quotes, the common case, is one `str.split`.

Quotes matter only where they begin a cell; `""` inside stands for one. Nothing is dropped: a cell
that goes on after its closing quote (`"so" they say`) is kept as written. Blank lines are skipped.

Tab-separated files are often written without any quoting, with cells that happen to begin with a
quote. There a quote counts only if it also closes right before a tab or the line's end. A quoted
cell may still run over several lines, but a line that is a whole row by itself is a row, unless
all cells of the longer record are quoted; `join` writes its rows so that this is never in doubt.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distilcli.errors import InputError
from distilcli.rows.formats import DELIMITERS
from distilcli.rows.lines import LONGEST

_LINE_END = re.compile(r"[\r\n]")


@dataclass(slots=True)
class Record:
    """The cells of one row and the line where it begins; `unclosed`: the last never closed."""

    line: int
    cells: list[str]
    unclosed: bool = False


class _NotQuotedError(Exception):
    """A quote that begins a cell turned out not to quote it."""


class Records:
    """Iterator over the records in `lines`; the first one, header or not, sets the width.

    With `stray_quotes` (the rule for tab-separated files, see above) a quote that does not quote
    is content. Raises `InputError` where a record grows beyond `LONGEST` characters.
    """

    def __init__(
        self, lines: Iterator[str], delimiter: str, source: str, *, stray_quotes: bool
    ) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._source = source
        self._stray_quotes = stray_quotes
        self._put_back: deque[str] = deque()
        self._line = 0
        self._width: int | None = None

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        line = self._next_line()
        while line is not None and not line.rstrip("\r\n"):
            line = self._next_line()
        if line is None:
            raise StopIteration
        if '"' not in line:
            record = Record(self._line, line.rstrip("\r\n").split(self._delimiter))
        elif self._stray_quotes:
            record = self._lenient(line)
        else:
            record = self._quoted(line, [])
        if self._width is None:
            self._width = len(record.cells)
        return record

    def _next_line(self) -> str | None:
        line = self._put_back.popleft() if self._put_back else next(self._lines, None)
        self._line += line is not None
        return line

    def _quoted(
        self, line: str, further: list[str], *, strict: bool = False, all_quoted: bool = False
    ) -> Record:
        """Read a record by the standard rule; the lines it takes beyond `line` go to `further`.

        `strict` raises `_NotQuotedError` at the first sign that the quotes do not quote, or with
        `all_quoted` at the first cell without them.
        """
        record = Record(self._line, [])
        position = 0
        while True:
            if line.startswith('"', position):
                parts: list[str] = []
                start, size = position + 1, len(line)
                while (end := _closing_quote(line, start)) < 0:
                    parts.append(line[start:])
                    following = self._next_line()
                    if following is not None:
                        further.append(following)
                        size += len(following)
                    if strict and (following is None or size > LONGEST):
                        raise _NotQuotedError
                    if following is None:
                        record.cells.append(_unquoted(parts))
                        record.unclosed = True
                        return record
                    if size > LONGEST:
                        raise self._endless(record)
                    line, start = following, 0
                parts.append(line[start:end])
                stop = self._cell_end(line, end + 1)
                after = line[end + 1 : stop]
                if after and strict:
                    raise _NotQuotedError
                quoted = _unquoted(parts)
                record.cells.append(f'"{"".join(parts)}"{after}' if after else quoted)
            else:
                if all_quoted:
                    raise _NotQuotedError
                stop = self._cell_end(line, position)
                record.cells.append(line[position:stop])
            if strict and self._width is not None and len(record.cells) > self._width:
                raise _NotQuotedError
            if not line.startswith(self._delimiter, stop):
                return record
            position = stop + 1

    def _cell_end(self, line: str, position: int) -> int:
        """Return where the cell that has no more quotes to mind ends: delimiter or line end."""
        end = line.find(self._delimiter, position)
        return end if end >= 0 else max(position, len(line.rstrip("\r\n")))

    def _endless(self, record: Record) -> InputError:
        return InputError(
            f"{self._source}: line {record.line}, column {len(record.cells) + 1}: a cell is longer "
            f"than {LONGEST >> 20} MB; the quote that opens it is probably never closed"
        )

    def _lenient(self, line: str) -> Record:
        """Read a record whose quotes may be mere content."""
        start = self._line
        cells, left_open = self._split_one_line(line)
        if left_open:
            further: list[str] = []
            whole_row = len(cells) == self._width
            try:
                record = self._quoted(line, further, strict=True, all_quoted=whole_row)
                if self._width in (None, len(record.cells)):
                    return record
            except _NotQuotedError:
                pass
            self._put_back.extendleft(reversed(further))
            self._line = start
        return Record(start, cells)

    def _split_one_line(self, line: str) -> tuple[list[str], bool]:
        """Split a line alone; also say whether a cell opens a quote that the line never closes."""
        cells = []
        left_open = False
        position, length = 0, len(line.rstrip("\r\n"))
        while True:
            end = _closing_quote(line, position + 1) if line.startswith('"', position) else None
            closed = end is not None and (
                end + 1 == length or line.startswith(self._delimiter, max(end + 1, 0))
            )
            if end is not None and end >= 0 and closed:
                cells.append(_unquoted([line[position + 1 : end]]))
                stop = end + 1
            else:
                left_open = left_open or end == -1
                stop = self._cell_end(line, position)
                cells.append(line[position:stop])
            if stop >= length:
                return cells, left_open
            position = stop + 1


def _closing_quote(line: str, start: int) -> int:
    """Return the position of the first quote that is not doubled, or -1."""
    end = line.find('"', start)
    while end >= 0 and line.startswith('"', end + 1):
        end = line.find('"', end + 2)
    return end


def _unquoted(parts: list[str]) -> str:
    return "".join(parts).replace('""', '"')


def join(cells: Sequence[str], delimiter: str) -> str:
    r"""Return the cells as one record with its `\n`, quoted where reading back needs it."""
    needs_quotes = _needs_quotes(delimiter)
    if delimiter == "\t" and any(_LINE_END.search(cell) for cell in cells):
        return delimiter.join(map(_quote, cells)) + "\n"
    if cells == [""]:
        return '""\n'
    return delimiter.join(_quote(c) if needs_quotes.search(c) else c for c in cells) + "\n"


def join_header(names: Sequence[str], delimiter: str) -> str:
    """Return the header; names with another delimiter are quoted, so that sniffing is not fooled."""
    if any(sign in name for sign in (*DELIMITERS, '"', "\r", "\n", "\ufeff") for name in names):
        return delimiter.join(map(_quote, names)) + "\n"
    return join(names, delimiter)


def _needs_quotes(delimiter: str) -> re.Pattern[str]:
    # A byte order mark that opened the file would be taken for the file's own.
    return re.compile(f'["\r\n\ufeff{re.escape(delimiter)}]')


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'
