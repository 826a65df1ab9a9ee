"""A vocabulary: the tokens of a `vocab.txt`, one per line; the line number (from 0) is the id."""

from pathlib import Path

from distilcli.checkpoint.json_file import read_text
from distilcli.errors import ModelError

Vocabulary = dict[str, int]
"""Token to id."""

_MOST_TOKENS = 1_000_000


def read_vocabulary(path: Path) -> Vocabulary:
    """Read a `vocab.txt`; blank lines count as lines but hold no token.

    Raises `ModelError` if it cannot be read, is empty or has a token twice.
    """
    text = read_text(path)
    if text.count("\n") > _MOST_TOKENS:
        raise ModelError(f"{path}: has more than {_MOST_TOKENS:,} lines; is it a vocabulary?")
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
    """Return whether a vocabulary has capital letters, so that texts are not lower-cased."""
    return any(token != token.lower() for token in vocabulary if not token.startswith("["))
