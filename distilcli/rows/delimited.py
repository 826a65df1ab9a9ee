r"""CSV and TSV: lines to records of cells, and cells back to lines.

Our own splitter rather than the `csv` module, whose reader caps cells by a process-wide limit,
fails on NUL bytes (Python 3.10), drops stray quotes, accepts an open quote at the end of the file
and does not say where a record began. A line without quotes, the common case, is one `str.split`.

A quote matters only at the start of a cell; `""` inside means one quote. Nothing is dropped: a
cell that continues after its closing quote (`"so" they say`) is kept as written. Blank lines are
skipped.

Tab-separated files are often written without quoting, and cells may happen to begin with a quote.
There a quote counts only if it also closes right before a tab or the end of the line. A quoted
cell may still span lines. But lines that are complete rows by themselves stay rows, unless all
cells of the longer record are quoted; `join` writes rows so that this is never ambiguous. (So on a
live pipe, a row that ends inside an open quote waits for the next line, and one that begins with
such a quote waits for the next quote.) A quote that does not quote is written as it was read.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distilcli.errors import InputError
from distilcli.rows.formats import DELIMITERS
from distilcli.rows.lines import LONGEST

# A byte order mark at the start of the first cell would be taken for the file's own.
_SPECIAL = re.compile('["\r\n\ufeff]')
_LINE_END = re.compile(r"\r\n|[\r\n]")


class Stray(str):
    """A cell of a tab-separated file that begins with a quote and is not quoted."""

    __slots__ = ()


@dataclass(slots=True)
class Record:
    """The cells of one row and its first line; `unclosed`: the last cell's quote never closes."""

    line: int
    cells: list[str]
    unclosed: bool = False


class _NotQuotedError(Exception):
    """A quote at the start of a cell does not quote it."""


class Records:
    """Iterator over the records in `lines`; `width` is that of the first one, unless it is given.

    With `stray_quotes` (the rule for tab-separated files, see above) a quote that does not quote
    is content. Lines from the middle of a file need the `width` of its first record. Raises
    `InputError` for a record longer than `LONGEST` characters.
    """

    def __init__(
        self,
        lines: Iterator[str],
        delimiter: str,
        source: str,
        *,
        stray_quotes: bool,
        width: int | None = None,
        first_line: int = 1,
    ) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._source = source
        self._stray_quotes = stray_quotes
        self._put_back: deque[str] = deque()
        self._line = first_line - 1
        self.width = width

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
        if self.width is None:
            self.width = len(record.cells)
        return record

    @property
    def next_line(self) -> int:
        """The number of the line after the last record."""
        return self._line + 1

    def _next_line(self) -> str | None:
        line = self._put_back.popleft() if self._put_back else next(self._lines, None)
        self._line += line is not None
        return line

    def _quoted(
        self, line: str, further: list[str], *, strict: bool = False, is_row: bool = False
    ) -> Record:
        """Read a record by the standard rule; lines it takes beyond `line` go to `further`.

        `strict` raises `_NotQuotedError` at the first evidence that the quotes do not quote. If
        the first line `is_row` by itself, a cell without quotes is one where a further line is too.
        """
        record = Record(self._line, [])
        position = 0
        bare = False
        while True:
            written = ""
            stop = position
            if line.startswith('"', position):
                before_rows = strict and is_row and bare
                written, line, stop = self._quoted_cell(
                    line, position + 1, further, record, before_rows=before_rows
                )
                if record.unclosed and not strict:
                    record.cells.append(written.replace('""', '"'))
                    return record
            after, stop = self._until_delimiter(line, stop)
            if not written or after:
                # No quotes, or content after them: the cell is kept as written.
                record.cells.append(written + after)
            else:
                record.cells.append(_unquoted(written))
            if strict:
                tidy = not record.unclosed and not (written and after)
                fits = self.width is None or len(record.cells) <= self.width
                is_first_bare = not (written or bare)
                bare = bare or is_first_bare
                takes_rows = is_row and is_first_bare and any(map(self._is_row, further))
                if not (tidy and fits) or takes_rows:
                    raise _NotQuotedError
            if not line.startswith(self._delimiter, stop):
                return record
            position = stop + 1

    def _quoted_cell(
        self,
        line: str,
        start: int,
        further: list[str],
        record: Record,
        *,
        before_rows: bool,
    ) -> tuple[str, str, int]:
        """Return a quoted cell as written, the line that closes it, and the position after it.

        Raises `_NotQuotedError` for a cell that should end `before_rows` but does not.
        """
        parts = ['"']
        size = len(line)
        while (end := _closing_quote(line, start)) < 0:
            parts.append(line[start:])
            following = self._next_line()
            if following is None:
                record.unclosed = True
                return "".join(parts[1:]), "", 0
            further.append(following)
            if before_rows and self._is_row(following):
                raise _NotQuotedError
            size += len(following)
            if size > LONGEST:
                raise self._endless(record)
            line, start = following, 0
        parts.append(line[start : end + 1])
        return "".join(parts), line, end + 1

    def _until_delimiter(self, line: str, start: int) -> tuple[str, int]:
        """Return the text from `start` up to the next delimiter or line end, and its end."""
        stop = line.find(self._delimiter, start)
        if stop < 0:
            stop = len(line.rstrip("\r\n"))
        return line[start:stop], stop

    def _endless(self, record: Record) -> InputError:
        return InputError(
            f"{self._source}: line {record.line}, column {len(record.cells) + 1}: a cell is longer "
            f"than {LONGEST >> 20} MB; its opening quote is probably never closed"
        )

    def _lenient(self, line: str) -> Record:
        """Read a record whose quotes may be content."""
        start = self._line
        cells, left_open = _split_one_line(line, self._delimiter)
        if left_open:
            further: list[str] = []
            record: Record | None
            try:
                is_row = self._is_row(line)
                record = self._quoted(line, further, strict=True, is_row=is_row)
            except (_NotQuotedError, InputError):
                record = None
            if record and self.width in (None, len(record.cells)):
                return record
            self._put_back.extendleft(reversed(further))
            self._line = start
        if len(cells) != self.width:
            # One cell begins with a stray quote and a later one ends with one.
            plain = line.rstrip("\r\n").split(self._delimiter)
            if len(plain) == self.width:
                cells = [Stray(cell) if cell.startswith('"') else cell for cell in plain]
        return Record(start, cells)

    def _is_row(self, line: str) -> bool:
        """Return whether a line is a row by itself."""
        return _is_row(line, self._delimiter, self.width)


def _is_row(line: str, delimiter: str, width: int | None) -> bool:
    cells, _ = _split_one_line(line, delimiter)
    return width in (len(cells), line.count(delimiter) + 1)


def leaves_quote_open(line: str, delimiter: str) -> bool:
    """Return whether a cell of a line begins with a quote that the line never closes."""
    return _split_one_line(line, delimiter)[1]


def _split_one_line(line: str, delimiter: str) -> tuple[list[str], bool]:
    """Split one line; also return whether a cell opens a quote that the line never closes."""
    content = line.rstrip("\r\n")
    cells = []
    left_open = False
    position = 0
    while True:
        stop = content.find(delimiter, position)
        stop = len(content) if stop < 0 else stop
        cell = content[position:stop]
        if cell.startswith('"'):
            end = _closing_quote(content, position + 1) + 1
            left_open = left_open or not end
            if end and (end == len(content) or content.startswith(delimiter, end)):
                cell, stop = _unquoted(content[position:end]), end
            else:
                cell = Stray(cell)
        cells.append(cell)
        if stop == len(content):
            return cells, left_open
        position = stop + 1


def _closing_quote(line: str, start: int) -> int:
    """Return the position of the first undoubled quote, or -1."""
    end = line.find('"', start)
    while end >= 0 and line.startswith('"', end + 1):
        end = line.find('"', end + 2)
    return end


def _unquoted(written: str) -> str:
    return written[1:-1].replace('""', '"')


def join(cells: Sequence[str], delimiter: str) -> str:
    r"""Return the cells as one record with its `\n`, quoted where reading it back needs that."""
    # Keep few copies of a long line; `+=` on a local name does not copy it.
    line = delimiter.join(cells)
    if line and not _SPECIAL.search(line) and line.count(delimiter) == len(cells) - 1:
        line += "\n"
        return line
    needs_quotes = _needs_quotes
    if delimiter == "\t" and not _LINE_END.search(line):
        needs_quotes = _needs_tab_quotes
    del line
    quoted = (_quote(cell) if needs_quotes(cell, delimiter) else cell for cell in cells)
    joined = delimiter.join(quoted)
    # A blank line would be skipped.
    if not joined or (delimiter == "\t" and _has_rows(joined, len(cells))):
        joined = delimiter.join(map(_quote, cells))
    joined += "\n"
    return joined


def _needs_quotes(cell: str, delimiter: str) -> bool:
    return delimiter in cell or _SPECIAL.search(cell) is not None


def _needs_tab_quotes(cell: str, delimiter: str) -> bool:
    """Return whether a cell needs quotes in a tab-separated record of one line."""
    if isinstance(cell, Stray):
        return False
    if '"' in cell and not _quotes_itself(cell):
        cell = cell.replace('"', "")  # inch marks and the like are written as they were read
    return _needs_quotes(cell, delimiter)


def _has_rows(record: str, width: int) -> bool:
    """Return whether two or more lines of a tab-separated record are rows by themselves."""
    first, *further = (_is_row(line, "\t", width) for line in _LINE_END.split(record))
    return first and any(further)


def _quotes_itself(cell: str) -> bool:
    """Return whether the quotes of a tab-separated cell would be taken for quoting."""
    return cell.startswith('"') and _closing_quote(cell, 1) in (-1, len(cell) - 1)


def join_header(names: Sequence[str], delimiter: str) -> str:
    """Return the header, all quoted if a name could mislead delimiter sniffing."""
    if any(sign in name for sign in DELIMITERS for name in names):
        return delimiter.join(map(_quote, names)) + "\n"
    return join(names, delimiter)


def _quote(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'
