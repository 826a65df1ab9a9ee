r"""Bytes to numbered lines of text: line ends, encodings, and where a wrong byte stands.

Lines end in `\n`, `\r\n` or `\r`, and in nothing else: the other characters that
`str.splitlines` breaks at are content. Bytes are cut into lines before they are decoded, so that
an invalid byte can be named by its place; encodings in which a line end is not one byte (UTF-16)
are first turned into UTF-8.
"""

import codecs
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from distilcli.errors import InputError, UsageError

# No honest cell is longer; what is longer is an unclosed quote, a binary file or a bomb.
LONGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text encoding that is known to exist; `by_line` if its line ends are single bytes."""

    name: str
    by_line: bool


def checked_encoding(name: str) -> Encoding:
    """Look an encoding up by its name; raise `UsageError` if Python knows none such."""
    signs = '\r\n\t,"'
    try:
        by_line = signs.encode(name) == signs.encode("ascii")
        canonical = codecs.lookup(name).name
    except (LookupError, UnicodeError) as error:
        raise UsageError(
            f"`encoding` {name!r} is unknown; use utf-8, cp1252, latin-1, utf-16 or another"
        ) from error
    if canonical == "utf-8-sig":
        return Encoding("utf-8", by_line=True)
    return Encoding(canonical, by_line)


def read_lines(chunks: Iterator[bytes], encoding: Encoding, source: str) -> Iterator[str]:
    """Yield each line with its line end; a byte order mark at the very beginning is dropped.

    A line is yielded as soon as its end has come. Raises `InputError` for bytes that the encoding
    does not have, and for a line beyond `LONGEST` bytes.
    """
    if not encoding.by_line:
        chunks = _as_utf8(chunks, encoding, source)
        encoding = Encoding("utf-8", by_line=True)
    for number, line in enumerate(_split(chunks, source), start=1):
        content = line
        if number == 1 and encoding.name == "utf-8":
            content = line.removeprefix(codecs.BOM_UTF8)
            if not content:
                continue
        try:
            yield content.decode(encoding.name)
        except UnicodeDecodeError as error:
            offset = len(line) - len(content) + error.start
            raise _invalid_byte(line, offset, encoding, f"{source}: line {number}") from error


def _split(chunks: Iterator[bytes], source: str) -> Iterator[bytes]:
    parts: list[bytes] = []
    held = b""
    number = 1
    size = 0
    for chunk in chunks:
        # A carriage return at the end of a chunk may be the first half of a CRLF.
        whole = held + chunk
        held = b"\r" if whole.endswith(b"\r") else b""
        for part in whole.removesuffix(b"\r").splitlines(keepends=True):
            parts.append(part)
            size += len(part)
            if part.endswith((b"\n", b"\r")):
                yield b"".join(parts)
                parts.clear()
                number += 1
                size = 0
        if size > LONGEST:
            raise InputError(
                f"{source}: line {number} is longer than {LONGEST >> 20} MB; is this a text file?"
            )
    if last := b"".join(parts) + held:
        yield last


def _as_utf8(chunks: Iterator[bytes], encoding: Encoding, source: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding.name)()
    line = 1
    for chunk in itertools.chain(chunks, [b""]):
        before = decoder.getstate()
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            decoder.setstate(before)
            good = decoder.decode(chunk[: max(0, error.start - len(before[0]))])
            place = f"{source}: line {line + good.count(chr(10))}"
            raise InputError(
                f"{place}: byte 0x{error.object[error.start]:02x} is not {encoding.name} "
                f"({error.reason}); set the `encoding` of the file"
            ) from error
        except UnicodeError as error:
            raise InputError(f"{source}: {error}; try `encoding` {encoding.name}-le") from error
        line += text.count("\n")
        yield text.encode("utf-8")


def _invalid_byte(line: bytes, offset: int, encoding: Encoding, place: str) -> InputError:
    utf16 = line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    way_out = "utf-16" if utf16 else "latin-1"
    return InputError(
        f"{place}: byte {offset + 1} of the line (0x{line[offset]:02x}) is not {encoding.name}; "
        f"if the file is not {encoding.name}, try `encoding` {way_out}"
    )
