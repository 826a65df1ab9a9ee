"""Tokens put into a text in place of its masks."""

from collections.abc import Sequence

Span = tuple[int, int]
"""Characters of a text, from start to end."""


class FilledText(str):
    """A text whose masks are filled in; `spans` are the characters of each fill."""

    spans: tuple[Span, ...]

    __slots__ = ("spans",)


def is_piece(token: str) -> bool:
    """Tell whether a token continues the word before it."""
    return token.startswith("##") and len(token) > len("##")


def filled_in(text: str, spans: Sequence[Span], tokens: Sequence[str]) -> FilledText:
    """Return a text with a token in place of each span.

    The `##` of a piece is removed, and so are the blanks before it, but not line ends.
    """
    filled, position = "", 0
    found = []
    for (start, end), token in zip(spans, tokens, strict=True):
        filled += text[position:start]
        if is_piece(token):
            filled = filled.rstrip(" ") or filled
            token = token.removeprefix("##")  # noqa: PLW2901
        found.append((len(filled), len(filled) + len(token)))
        filled += token
        position = end
    result = FilledText(filled + text[position:])
    result.spans = tuple(found)
    return result
