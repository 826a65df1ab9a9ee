r"""Bytes to lines of text: line ends, encodings, and the position of an invalid byte.

Lines end in `\n`, `\r\n` or `\r` only; other characters that `str.splitlines` breaks at are
content. Bytes are split into lines before they are decoded, so that an invalid byte can be named
by its line; encodings whose line ends are not single bytes (UTF-16) are converted to UTF-8 first.
"""

import codecs
import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from distilcli.errors import InputError, UsageError
from distilcli.rows.blocks import LineBlocks
from distilcli.rows.place import Place

# A longer line is an unclosed quote, a binary file or a decompression bomb.
LONGEST = 64 * 1024 * 1024
_LONGEST_NAME = 40
_OF_HOSTS = ("idna", "punycode")
"""Encodings for host names, not for text."""
_FEW_BYTES, _LOOKED_AT, _MOST_ARE_NUL = 8, 1_000, 0.7
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text encoding that Python knows; `by_line` if its line ends are single bytes."""

    name: str
    by_line: bool


def checked_encoding(name: str) -> Encoding:
    """Return the encoding of a name; raise `UsageError` if Python does not know it."""
    ascii_marks = '\r\n\t,"'
    unknown = UsageError(
        f"`encoding` {name[:_LONGEST_NAME]!r} is unknown; use utf-8, cp1252, latin-1, utf-16 "
        "or another"
    )
    try:
        by_line = ascii_marks.encode(name) == ascii_marks.encode("ascii")
        canonical = codecs.lookup(name).name
    except (LookupError, ValueError) as error:  # ValueError: a name with a NUL
        raise unknown from error
    if canonical in _OF_HOSTS:
        raise unknown
    if canonical == "utf-8-sig":
        return Encoding("utf-8", by_line=True)
    return Encoding(canonical, by_line)


def read_lines(
    chunks: Iterator[bytes],
    encoding: Encoding,
    source: str,
    place: Place | None = None,
    blocks: LineBlocks | None = None,
) -> Iterator[str]:
    """Yield each line with its line end; a leading byte order mark is dropped.

    A line is yielded as soon as its end has come. The chunks begin at `place`, which moves to the
    end of each line before it is yielded, and `blocks` notes those with which one begins. Raises
    `InputError` for bytes that are invalid in the encoding, and for a line longer than `LONGEST`
    bytes.
    """
    place = place or Place()
    first = next(chunks, b"")
    if not place.offset:
        _refuse_unmarked(first, encoding, source)
    chunks = itertools.chain([first] if first else [], chunks)
    if not encoding.by_line:
        chunks = as_utf8(chunks, encoding, source)
        encoding = Encoding("utf-8", by_line=True)
    for number, line in enumerate(_split(chunks, source, place.line), start=place.line):
        content = line
        if blocks is not None and place.offset >= blocks.next_offset:
            blocks.note(place.offset, number)
        place.offset += len(line)
        place.line = number + 1
        if number == 1 and encoding.name == "utf-8":
            content = line.removeprefix(codecs.BOM_UTF8)
            if not content:
                continue
        try:
            text = content.decode(encoding.name)
        except UnicodeDecodeError as error:
            if b"\0" in first and not first.startswith(_UTF16):
                raise InputError(f"{source}: is binary, not text") from error
            offset = len(line) - len(content) + error.start
            raise _invalid_byte(line, offset, encoding, f"{source}: line {number}") from error
        line = content = b""  # noqa: PLW2901 (a long line is not held twice)
        yield text


def _refuse_unmarked(first: bytes, encoding: Encoding, source: str) -> None:
    """Refuse UTF-16 without a byte order mark, where every second byte of plain text is NUL."""
    if encoding.name != "utf-8" or len(first) < _FEW_BYTES or first.startswith(_UTF16):
        return
    for offset, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        half, other = first[offset:_LOOKED_AT:2], first[1 - offset : _LOOKED_AT : 2]
        if half.count(0) > len(half) * _MOST_ARE_NUL and not other.count(0):
            raise InputError(
                f"{source}: is UTF-16 without a byte order mark; set `encoding` {name}"
            )


def _split(chunks: Iterator[bytes], source: str, number: int) -> Iterator[bytes]:
    parts: list[bytes] = []
    held = b""
    size = 0
    for chunk in chunks:
        # A carriage return at the end of a chunk may be the first half of a CRLF.
        whole = held + chunk
        held = b"\r" if whole.endswith(b"\r") else b""
        for part in whole.removesuffix(b"\r").splitlines(keepends=True):
            parts.append(part)
            size += len(part)
            if part.endswith((b"\n", b"\r")):
                parts, line = [], b"".join(parts)
                yield line
                number += 1
                size = 0
        if size > LONGEST:
            raise InputError(
                f"{source}: line {number} is longer than {LONGEST >> 20} MB; is this a text file?"
            )
    if last := b"".join(parts) + held:
        yield last


def as_utf8(chunks: Iterator[bytes], encoding: Encoding, source: str) -> Iterator[bytes]:
    """Yield the bytes as UTF-8, cut between characters; raise `InputError` for invalid bytes."""
    decoder = codecs.getincrementaldecoder(encoding.name)()
    line = 1
    for chunk in itertools.chain(chunks, [b""]):
        before = decoder.getstate()
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            decoder.setstate(before)
            good = ""
            with contextlib.suppress(UnicodeError):  # the mark itself may be wrong
                good = decoder.decode(chunk[: max(0, error.start - len(before[0]))])
            where = f"{source}: line {line + good.count(chr(10))}"
            raise InputError(
                f"{where}: byte 0x{error.object[error.start]:02x} is not {encoding.name} "
                f"({error.reason}); set the `encoding` of the file"
            ) from error
        except UnicodeError as error:
            raise InputError(f"{source}: {error}; try `encoding` {encoding.name}-le") from error
        line += text.count("\n")
        yield text.encode("utf-8")


def _invalid_byte(line: bytes, offset: int, encoding: Encoding, where: str) -> InputError:
    way_out = "utf-16" if line.startswith(_UTF16) else "cp1252"
    if line.startswith(codecs.BOM_UTF32_LE):
        way_out = "utf-32"
    return InputError(
        f"{where}: byte {offset + 1} of the line (0x{line[offset]:02x}) is not {encoding.name}; "
        f"if the file is not {encoding.name}, try `encoding` {way_out}"
    )
