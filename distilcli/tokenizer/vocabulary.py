"""A vocabulary: the tokens of a `vocab.txt`, one a line, whose line number (from 0) is the id."""

from pathlib import Path

from distilcli.errors import ModelError

Vocabulary = dict[str, int]
"""Token to id."""


def read_vocabulary(path: Path) -> Vocabulary:
    """Read a `vocab.txt`; blank lines keep their number and have no token.

    Raises `ModelError` where it is not UTF-8, is empty, or has a token twice.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = len(content[: error.start].split(b"\n"))
        wrong = f"byte 0x{content[error.start]:02x} is not UTF-8, which a vocabulary must be"
        raise ModelError(f"{path}: line {place}: {wrong}") from None
    vocabulary: Vocabulary = {}
    for number, line in enumerate(text.split("\n")):
        token = line.removesuffix("\r")
        if token in vocabulary:
            first = vocabulary[token] + 1
            raise ModelError(
                f"{path}: line {number + 1}: {token!r} is on line {first} already; "
                "each token must have one id"
            )
        if token:
            vocabulary[token] = number
    if not vocabulary:
        raise ModelError(f"{path}: holds no tokens; is it a vocabulary?")
    return vocabulary


def has_capitals(vocabulary: Vocabulary) -> bool:
    """Whether a vocabulary tells capital letters apart, which says not to lower-case texts."""
    return any(token != token.lower() for token in vocabulary if not token.startswith("["))
