"""CoNLL: one word a line, a blank line after each sentence; lines to rows that keep them all.

The first column is the word, columns are separated by tabs or by blanks, as the first word's line
has it. Lines that are no word's are kept where they stand: `-DOCSTART-` lines and comments. A
comment begins with `#` and has another number of columns than words have; where it happens to
have as many (`# id 5 domain=en`), it stands before the words of a sentence, begins with `# ` and
has a `=` in it.

A sentence is a row as soon as its blank line has come. What follows the last sentence, if it is
more than blank lines, makes a row without words.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from distilcli.errors import InputError
from distilcli.rows.row import Row

DOCUMENT_START = "-DOCSTART-"
UNSEEN = "_"
"""The label of a word that has none."""

_BLANKS = re.compile("[ \t]+")
_LONGEST_SENTENCE = 100_000


@dataclass(slots=True)
class Sentence(Row):
    """A row whose cells are its text, its words (`tokens`) and a list for each further column.

    `lines` are as they came, with their line ends, of which a last one may be given one;
    `places` are the numbers of those with words.
    """

    lines: Sequence[str] = ()
    places: Sequence[int] = ()
    delimiter: str = " "

    @property
    def words(self) -> list[str]:
        """The words, of which the text is made, joined by blanks."""
        words: list[str] = self.cells[1]  # type: ignore[assignment]
        return words


@dataclass(frozen=True, slots=True)
class Shape:
    """How the lines of one file are divided: what separates columns, and how many there are."""

    delimiter: str
    width: int

    @classmethod
    def of(cls, line: str) -> "Shape":
        """Take the shape of a word's line."""
        delimiter = "\t" if "\t" in line else " "
        return cls(delimiter, len(_cells(line, delimiter)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of rows; those of the file have no names, so they are numbered."""
        return ("text", "tokens", *(f"column_{n}" for n in range(2, self.width + 1)))

    def is_aside(self, line: str, *, begun: bool) -> bool:
        """Whether a line is no word's; `begun`: words of its sentence stand above it."""
        if line.startswith(DOCUMENT_START):
            return True
        if not line.startswith("#"):
            return False
        fits = len(_cells(line, self.delimiter)) == self.width
        return not fits or (not begun and line.startswith("# ") and "=" in line)


def _cells(line: str, delimiter: str) -> list[str]:
    return line.split("\t") if delimiter == "\t" else _BLANKS.split(line.strip(" \t"))


@dataclass(slots=True)
class _Collected:
    """The lines of a sentence, as far as they have come."""

    lines: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    first: int = 0
    error: str | None = None


def sentences(lines: Iterator[str], source: str) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Return the columns of a file and the rows that its sentences are.

    Reads no further than to the first word. A sentence with a line of another number of columns
    comes out marked.
    """
    peeked: list[str] = []
    shape = Shape(" ", 1)
    for line in lines:
        peeked.append(line)
        content = line.rstrip("\r\n")
        if content.strip() and not content.startswith(("#", DOCUMENT_START)):
            shape = Shape.of(content)
            break
    return shape.columns, _sentences(itertools.chain(peeked, lines), shape, source)


def _sentences(lines: Iterator[str], shape: Shape, source: str) -> Iterator[Row]:
    sentence = _Collected()
    for number, line in enumerate(lines, start=1):
        content = line.rstrip("\r\n")
        sentence.lines.append(line if line != content else line + "\n")
        if not content.strip():
            if sentence.rows:
                yield _row(sentence, shape, source)
                sentence = _Collected()
        elif not shape.is_aside(content, begun=bool(sentence.rows)):
            _take(sentence, content, number, shape, source)
    if any(line.strip() for line in sentence.lines):
        yield _row(sentence, shape, source)


def _take(sentence: _Collected, content: str, number: int, shape: Shape, source: str) -> None:
    """Add a word's line, the last of `lines`, to its sentence."""
    cells = _cells(content, shape.delimiter)
    if len(cells) != shape.width and sentence.error is None:
        columns = f"{len(cells)} column{'' if len(cells) == 1 else 's'}"
        sentence.error = (
            f"{source}: line {number}: {columns} where the first word has {shape.width}"
        )
    if len(sentence.rows) == _LONGEST_SENTENCE:
        raise InputError(
            f"{source}: line {number}: no blank line in {_LONGEST_SENTENCE:,} words; "
            "sentences end with one"
        )
    sentence.first = sentence.first or number
    sentence.places.append(len(sentence.lines) - 1)
    sentence.rows.append(cells[: shape.width] + [""] * (shape.width - len(cells)))


def _row(sentence: _Collected, shape: Shape, source: str) -> Sentence:
    columns = [list(column) for column in zip(*sentence.rows, strict=True)]
    columns = columns or [[] for _ in range(shape.width)]
    return Sentence(
        shape.columns,
        [" ".join(columns[0]), *columns],
        source,
        sentence.first,
        error=sentence.error,
        lines=sentence.lines,
        places=sentence.places,
        delimiter=shape.delimiter,
    )


def labelled(sentence: Sentence, tags: Sequence[str | None]) -> str:
    """Return the lines of a sentence with a last column of labels, one a word.

    The line that starts a document gets `O`, as the columns that it has are filled.
    """
    of_lines = dict(zip(sentence.places, tags, strict=True))
    return "".join(
        _with_column(line, sentence.delimiter, of_lines.get(number, "O") or UNSEEN)
        if number in of_lines or line.startswith(DOCUMENT_START)
        else line
        for number, line in enumerate(sentence.lines)
    )


def _with_column(line: str, delimiter: str, cell: str) -> str:
    content = line.rstrip("\r\n")
    return f"{content}{delimiter}{cell}{line[len(content) :]}"


def written_anew(words: Sequence[str], tags: Sequence[str | None]) -> str:
    """Return words and their labels as a sentence, with its blank line."""
    # A sign that the tokenizer drops may stand inside a word and count as a blank elsewhere.
    lines = ("_".join(word.split()) or UNSEEN for word in words)
    pairs = zip(lines, tags, strict=True)
    return "".join(f"{word} {tag or UNSEEN}\n" for word, tag in pairs) + "\n"
