"""Compressed bytes in and out: gzip, bzip2 and xz from the standard library, zstd as an extra."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from distilcli.errors import InputError
from distilcli.rows.extras import require_zstd

CHUNK = 1 << 16
# zstd returns everything its input expands to at once, and 4 bytes can become 128 KiB.
_ZSTD_CHUNK = 1 << 10
# Rows unpack to at most a hundred times their size, zeros in gzip to a thousand times.
_MOST_RATIO, _UNSUSPECTED = 500, 1 << 28
_NOT_TEXT = {
    b"\x1f\x8b": "gzip data; decompress it first (zcat FILE | distil …)",
    b"\xd0\xcf\x11\xe0": "an old or locked Excel workbook; save it as .xlsx without a password",
    b"version https://git-lfs": "a git-lfs pointer, not the file; run 'git lfs pull' in its folder",
    b"%PDF-": "a PDF; save its text first (pdftotext FILE)",
    b"\x89PNG": "an image; give texts",
    b"\xff\xd8\xff": "an image; give texts",
}
"""What files are that begin with these bytes."""


def check_ratio(unpacked: int, packed: int, name: str) -> None:
    """Raise `InputError` if bytes unpack to so many more that they cannot be rows."""
    if unpacked > _UNSUSPECTED and unpacked > _MOST_RATIO * packed:
        raise InputError(
            f"{name}: unpacks to more than {_MOST_RATIO} times its size, which rows never do; "
            "if that is right, unpack it first"
        )


def decompress(stream: io.RawIOBase, compression: str | None, name: str) -> Iterator[bytes]:
    """Yield the bytes of `stream` as they come, decompressed.

    A chunk is what one read returns: a live pipe never waits for more. Raises `InputError` if the
    stream is broken, truncated or unreadable.
    """
    try:
        if compression == "zstd":
            yield from _unpack_zstd(stream)
        else:
            yield from _unpack(stream, compression, name)
    except EOFError as error:
        raise InputError(
            f"{name}: the {compression} data ends too early; the file is truncated"
        ) from error
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{name}: not valid {compression} data") from error
    except OSError as error:
        # bz2 reports bad data as an OSError without errno.
        if error.errno is None:
            raise InputError(f"{name}: not valid {compression} data") from error
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error


def _unpack(stream: io.RawIOBase, compression: str | None, name: str) -> Iterator[bytes]:
    if compression is None:
        chunk = stream.read(CHUNK)
        for magic, what in _NOT_TEXT.items():
            if chunk and chunk.startswith(magic):
                raise InputError(f"{name}: is {what}")
        while chunk:
            yield chunk
            chunk = stream.read(CHUNK)
        return
    packed = io.BufferedReader(stream, CHUNK)
    unpackers: dict[str, Callable[[BinaryIO], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]] = {
        "gzip": _gunzip,
        "bzip2": bz2.BZ2File,
        "xz": lzma.LZMAFile,
    }
    with packed, unpackers[compression](cast("BinaryIO", packed)) as unpacked:
        while chunk := unpacked.read1(CHUNK):
            yield chunk


def _gunzip(packed: BinaryIO) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=packed)


def _unpack_zstd(stream: io.RawIOBase) -> Iterator[bytes]:
    zstandard = require_zstd()
    frame = None
    try:
        while packed := stream.read(_ZSTD_CHUNK):
            while packed:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                if chunk := frame.decompress(packed):
                    yield chunk
                packed = b""
                if frame.eof:
                    packed, frame = frame.unused_data, None
    except zstandard.ZstdError as error:
        raise zlib.error(str(error)) from error
    if frame is not None:
        raise EOFError


def compressor(stream: BinaryIO, compression: str | None) -> BinaryIO:
    """Return a stream that compresses into `stream`; closing it leaves `stream` open.

    It stores neither time nor file name, so the same rows give the same bytes.
    """
    if compression == "gzip":
        return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=stream, mtime=0))
    if compression == "bzip2":
        return cast("BinaryIO", bz2.BZ2File(stream, "wb"))
    if compression == "xz":
        return cast("BinaryIO", lzma.LZMAFile(stream, "wb"))
    if compression == "zstd":
        writer = require_zstd().ZstdCompressor().stream_writer(stream, closefd=False)
        return cast("BinaryIO", writer)
    return stream
