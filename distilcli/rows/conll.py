"""CoNLL: one word per line, a blank line after each sentence; a sentence becomes one row.

The first column holds the words, unless it is nothing but numbers or tags, or the same in every
line: then the next column that is none of these. CoNLL-U is recognized by its ids; its ranges and
empty nodes (`3-4`, `5.1`) are not words. Columns are separated by tabs or spaces, as in the first
word's line. Other lines (`-DOCSTART-`, comments) are kept in place. A comment begins with `#` and
has a different number of columns from the words; with the same number (`# id 5 domain=en`) it must
stand before the words of a sentence, begin with `# ` and contain a `=`.

A sentence is a row as soon as its blank line has come. Anything but blank lines after the last
sentence makes a row without words.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from distilcli.errors import InputError, UsageError, tell
from distilcli.rows.row import Row
from distilcli.wording import count

DOCUMENT_START = "-DOCSTART-"
UNSEEN = "_"
"""The tag of a word without one."""

_BLANKS = re.compile("[ \t]+")
_LONGEST_SENTENCE = 100_000
_LONGEST_LOOK = 1_000  # lines, to find the column of words
_UD_COLUMNS = ("id", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_UD_WIDTH = 10
_UD_ID = re.compile(r"\d+(?:[-.]\d+)?")
_TAG = re.compile(r"O|[BIESLU]-.+")
_NUMBER = re.compile(r"[-+]?\d+(?:[-.,]\d+)*")
TAGS = "nothing but tags"


@dataclass(slots=True)
class Sentence(Row):
    """A row whose cells are its text, its words (`tokens`) and a list per further column.

    `lines` are the original lines, each with a line end; `word_lines` are the indices of those
    that hold a word.
    """

    lines: Sequence[str] = ()
    word_lines: Sequence[int] = ()
    delimiter: str = " "

    @property
    def words(self) -> list[str]:
        """The words; joined by blanks they are the text."""
        words: list[str] = self.cells[1]  # type: ignore[assignment]
        return words


@dataclass(frozen=True, slots=True)
class Shape:
    """How the lines of a file split into columns, and the index of the column with the words."""

    delimiter: str
    width: int
    words: int = 0
    is_ud: bool = False

    @classmethod
    def of(cls, line: str) -> "Shape":
        """Return the shape of a word's line."""
        delimiter = "\t" if "\t" in line else " "
        return cls(delimiter, len(_cells(line, delimiter)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of rows; those of the file have no names, so they get numbers."""
        names = [f"column_{number}" for number in range(1, self.width + 1)]
        if self.is_ud:
            names[:_UD_WIDTH] = [_UD_COLUMNS[0], "form", *_UD_COLUMNS[1:]]
        return ("text", "tokens", *names[: self.words], *names[self.words + 1 :])

    def is_held(self, content: str) -> bool:
        """Whether a line is a range of words or an empty node of CoNLL-U."""
        return self.is_ud and not content.partition("\t")[0].isdecimal()

    def is_comment(self, line: str, *, begun: bool) -> bool:
        """Whether a line holds no word; `begun`: its sentence has words above it."""
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
    """The lines of a sentence so far."""

    lines: list[str] = field(default_factory=list)
    word_lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    first: int = 0
    error: str | None = None


def sentences(
    lines: Iterator[str], source: str, word_column: int | None = None
) -> tuple[Shape, Iterator[Row]]:
    """Return the shape of a file and one row per sentence.

    Reads up to the end of the first sentence. A sentence with an odd number of columns in a line
    gets an `error`. Raises `UsageError` for a `word_column`, from 1, that is not there.
    """
    peeked: list[str] = []
    words: list[str] = []
    for line in itertools.islice(lines, _LONGEST_LOOK):
        peeked.append(line)
        content = line.rstrip("\r\n")
        if content.strip() and not content.startswith(("#", DOCUMENT_START)):
            words.append(content)
        elif words and not content.strip():
            break
    shape = _shape_of(words, source, word_column) if words else Shape(" ", 1)
    return shape, sentences_from(itertools.chain(peeked, lines), shape, source)


def _shape_of(lines: Sequence[str], source: str, word_column: int | None) -> Shape:
    """Return the shape of a sentence's lines; say so if its words are not the first column."""
    shape = Shape.of(lines[0])
    rows = [cells for line in lines if len(cells := _cells(line, shape.delimiter)) == shape.width]
    columns = list(zip(*rows, strict=True))
    tabs = shape.delimiter == "\t" and shape.width >= _UD_WIDTH
    if tabs and all(_UD_ID.fullmatch(cell) for cell in columns[0]):
        shape = replace(shape, words=1, is_ud=True)
    if word_column is not None:
        return replace(shape, words=_named(word_column - 1, columns, shape, source))
    if shape.is_ud or (kind := no_words(columns[0])) is None:
        return shape
    words = next((index for index, column in enumerate(columns) if _may_be_words(column)), 0)
    found = f"words are read from column {words + 1}; name another with" if words else "check"
    tell(f"{source}: its first column is {kind}, so {found} `word_column`")
    return replace(shape, words=words)


def _named(words: int, columns: Sequence[Sequence[str]], shape: Shape, source: str) -> int:
    """Return the column that the user named; warn if it seems to hold no words."""
    if words >= shape.width:
        raise UsageError(
            f"{source}: `word_column` {words + 1}: its lines have {count(shape.width, 'column')}"
        )
    kind = no_words(columns[words])
    if kind == TAGS:
        raise UsageError(
            f"{source}: `word_column` {words + 1}: that column is {kind}, the first: "
            f"{columns[words][0]!r}"
        )
    if kind is not None:
        tell(f"{source}: column {words + 1} is {kind}; check `word_column`")
    return words


def no_words(cells: Sequence[str]) -> str | None:
    """Return what a column holds instead of words: numbers, tags or one value; None for words.

    One cell is not enough to tell, nor are two that are the same.
    """
    if len(cells) < 2:  # noqa: PLR2004
        return None
    if all(map(_NUMBER.fullmatch, cells)):
        return "nothing but numbers"
    if all(map(_TAG.fullmatch, cells)):
        return TAGS
    return "the same for all words" if len(cells) > 2 and len({*cells}) == 1 else None  # noqa: PLR2004


def _may_be_words(cells: Sequence[str]) -> bool:
    return len(set(cells)) > 1 and no_words(cells) is None


def sentences_from(
    lines: Iterator[str], shape: Shape, source: str, first_line: int = 1
) -> Iterator[Row]:
    """Yield one row per sentence of a file whose shape is known."""
    sentence = _Collected()
    for number, line in enumerate(lines, start=first_line):
        content = line.rstrip("\r\n")
        sentence.lines.append(line if line != content else line + "\n")
        if not content.strip():
            if sentence.rows:
                yield _row(sentence, shape, source)
                sentence = _Collected()
        elif not (shape.is_comment(content, begun=bool(sentence.rows)) or shape.is_held(content)):
            _take(sentence, content, number, shape, source)
    if any(line.strip() for line in sentence.lines):
        yield _row(sentence, shape, source)


def _take(sentence: _Collected, content: str, number: int, shape: Shape, source: str) -> None:
    """Add the last of `lines`, which holds a word, to its sentence."""
    cells = _cells(content, shape.delimiter)
    if len(cells) != shape.width and sentence.error is None:
        columns = count(len(cells), "column")
        sentence.error = (
            f"{source}: line {number}: {columns} where the first word has {shape.width}"
        )
    if len(sentence.rows) == _LONGEST_SENTENCE:
        raise InputError(
            f"{source}: line {number}: no blank line in {_LONGEST_SENTENCE:,} words; "
            "sentences end with one"
        )
    sentence.first = sentence.first or number
    sentence.word_lines.append(len(sentence.lines) - 1)
    sentence.rows.append(cells[: shape.width] + [""] * (shape.width - len(cells)))


def _row(sentence: _Collected, shape: Shape, source: str) -> Sentence:
    columns = [list(column) for column in zip(*sentence.rows, strict=True)]
    columns = columns or [[] for _ in range(shape.width)]
    words = columns.pop(shape.words)
    return Sentence(
        shape.columns,
        [" ".join(words), words, *columns],
        source,
        sentence.first,
        error=sentence.error,
        lines=sentence.lines,
        word_lines=sentence.word_lines,
        delimiter=shape.delimiter,
    )


def tagged(sentence: Sentence, tags: Sequence[str | None]) -> str:
    """Return the lines of a sentence with the tags, one per word, as a new last column.

    A `-DOCSTART-` line gets `O`, like its other columns.
    """
    by_line = dict(zip(sentence.word_lines, tags, strict=True))
    return "".join(
        _with_column(line, sentence.delimiter, by_line.get(index, "O") or UNSEEN)
        if index in by_line or line.startswith(DOCUMENT_START)
        else _with_column(line, sentence.delimiter, UNSEEN)
        if line.strip() and not line.startswith("#")  # a range of words
        else line
        for index, line in enumerate(sentence.lines)
    )


def _with_column(line: str, delimiter: str, cell: str) -> str:
    content = line.rstrip("\r\n")
    return f"{content}{delimiter}{cell}{line[len(content) :]}"


def sentence_text(words: Sequence[str], tags: Sequence[str | None]) -> str:
    """Return words and their tags as the lines of a sentence, with its blank line."""
    # A character that the tokenizer drops may be inside a word and be a blank to other readers.
    lines = ("_".join(word.split()) or UNSEEN for word in words)
    pairs = zip(lines, tags, strict=True)
    return "".join(f"{word} {tag or UNSEEN}\n" for word, tag in pairs) + "\n"
