"""The format and compression of a file, from its suffix, or from its first line without a name.

Only a stream without a name (standard input, a pipe) is sniffed, and by its first line alone: on a
live pipe nothing more may have come yet.
"""

import re
from collections.abc import Sequence
from pathlib import PurePath

from distilcli.errors import UsageError

STORE_FORMATS = ("parquet", "xlsx", "sqlite")
"""Those that are no text: a library reads their columns."""
INPUT_FORMATS = ("csv", "tsv", "jsonl", "json", "txt", "squad", "conll", *STORE_FORMATS)
JSON_FORMATS = ("jsonl", "json")
TABLE_FORMATS = ("csv", "tsv", *STORE_FORMATS)
"""Those whose rows all have the same columns."""
OUTPUT_FORMATS = ("csv", "tsv", "jsonl", "json", "parquet", "sqlite")
STREAMED_FORMATS = ("csv", "tsv", "jsonl", "json")
COMPRESSIONS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
# The order breaks ties; a header without any delimiter gets the first.
DELIMITERS = (",", ";", "\t", "|")
_PAIRED_COLUMNS = ("question", "context", "prompt", "options")
TEXT_COLUMNS = ("text", "sentence", "review", "content", "body", "comment")

_ALIASES = {
    "ndjson": "jsonl", "conllu": "conll", "db": "sqlite", "sqlite3": "sqlite", "xlsm": "xlsx",
}  # fmt: skip
_PART = re.compile(r"(?is)(.+?\.(?:db|sqlite3?|xls[xm])(?:\.(?:gz|bz2|xz|zst))?)::(.*)")
LONGEST_NAME = 40
_QUOTED = re.compile(r'"(?:[^"]|"")*(?:"|$)')


def split_part(path: str) -> tuple[str, str | None]:
    """Return the file and the table or sheet of a path such as `reviews.db::labels`."""
    found = _PART.fullmatch(path)
    return (found[1], found[2]) if found else (path, None)


def split_suffixes(path: str) -> tuple[str, str | None]:
    """Return the format suffix of a file name, without its dot, and its compression.

    `reviews.csv.gz` gives `("csv", "gzip")`; a name without a suffix gives `""`.
    """
    suffixes = [suffix.lower() for suffix in PurePath(split_part(path)[0]).suffixes]
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    if compression:
        suffixes.pop()
    last = suffixes[-1].removeprefix(".") if suffixes else ""
    return _ALIASES.get(last, last), compression


def known_format(name: str, formats: Sequence[str], setting: str) -> str:
    """Return `name` as one of `formats`; raise `UsageError` naming the setting otherwise."""
    known = _ALIASES.get(name.lower(), name.lower())
    if known not in formats:
        raise UsageError(f"`{setting}` {name!r} is unknown; use one of {', '.join(formats)}")
    return known


def input_format_of(path: str) -> str:
    """Return the format of a file name's suffix; raise `UsageError` for any other suffix."""
    suffix, _ = split_suffixes(path)
    if suffix not in INPUT_FORMATS:
        formats = ", ".join(INPUT_FORMATS)
        raise UsageError(f"{path}: format unknown from the name; give `input_format` ({formats})")
    return suffix


def output_format_of(path: str, further: Sequence[str] = ()) -> str:
    """Return the format of an output file's suffix, one of rows or `further`.

    Raises `UsageError` for any other suffix.
    """
    suffix, compression = split_suffixes(path)
    if suffix in STORE_FORMATS and compression:
        raise UsageError(f"{path}: {suffix} is not written compressed; leave out the last suffix")
    if suffix not in (*OUTPUT_FORMATS, *further):
        suffixes = ", ".join(f".{name}" for name in (*OUTPUT_FORMATS, *further))
        raise UsageError(f"{path}: format unknown from the name; end it in one of {suffixes}")
    return suffix


def checked_delimiter(delimiter: str) -> str:
    r"""Return the delimiter as one character (`\t` may be spelled out) or raise `UsageError`."""
    character = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if len(character) != 1 or character in '"\r\n':
        raise UsageError(f"`delimiter` {delimiter!r} must be one character (or \\t)")
    return character


def sniff_delimiter(header: str) -> str:
    """Return the most frequent delimiter of a header line outside quotes, a comma if none."""
    bare = _QUOTED.sub("", header)
    return max(DELIMITERS, key=bare.count)


def sniff_format(first_line: str, text_column: str | None) -> tuple[str, str | None]:
    """Guess the format and delimiter of a nameless stream from its first line.

    An object is JSONL, and `-DOCSTART-` begins CoNLL. A line with the name of the text column
    among its cells is a header, unless other cells cannot be names. Everything else is plain
    text, so that a sentence with commas never becomes a table.
    """
    line = first_line.rstrip("\r\n")
    if line.lstrip().startswith("{"):
        return "jsonl", None
    if line.startswith("-DOCSTART-"):
        return "conll", None
    if line.lower().strip('"').startswith("sep="):
        return "csv", None
    for delimiter, kind in (("\t", "tsv"), (",", "csv"), (";", "csv")):
        names = [name.strip('"') for name in line.split(delimiter)]
        usual = TEXT_COLUMNS if len(names) == 1 else (*TEXT_COLUMNS, *_PAIRED_COLUMNS)
        has_usual = any(name.lower() in usual for name in names)
        if text_column in names or (has_usual and are_names(names)):
            return kind, delimiter
    return "txt", None


def are_names(cells: Sequence[str]) -> bool:
    """Say whether cells look like a header; the first may be empty, as over an index."""
    return len(set(cells)) == len(cells) and all(
        cell == cell.strip() and len(cell) <= LONGEST_NAME and (cell or index == 0)
        for index, cell in enumerate(cells)
    )
