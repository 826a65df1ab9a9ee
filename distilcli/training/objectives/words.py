"""The words of a sequence of tokens, and texts read otherwise: words left out and swapped."""

import random
from collections.abc import Sequence

from distilcli.engine.batching import Piece
from distilcli.tokenizer.filled import is_piece
from distilcli.tokenizer.tokenizer import Tokenizer

Word = range
"""The places of a word's tokens in a sequence."""


class Words:
    """Finds words by the pieces (`##s`) that continue them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        special = tokenizer.special
        self._frame = frozenset({special.cls, special.sep})
        self._continued = frozenset(
            number for number, token in tokenizer.tokens.items() if is_piece(token)
        )

    def of(self, input_ids: Sequence[int]) -> list[list[Word]]:
        """Return for each text of a sequence its words, in order; the special tokens are none."""
        texts: list[list[Word]] = []
        for place, number in enumerate(input_ids):
            if number in self._frame:
                texts.append([])
            elif texts[-1] and number in self._continued:
                texts[-1][-1] = range(texts[-1][-1].start, place + 1)
            else:
                texts[-1].append(range(place, place + 1))
        return texts[:-1]  # after the last [SEP] there is none


def augmented(piece: Piece, words: Words, draw: random.Random, *, rate: float) -> Piece:
    """Return a sequence with words left out and swapped.

    Each word is left out with probability `rate`; of a text at least one remains. Then, from left
    to right, each word that remains changes places with its neighbour with the same probability.
    """
    kept: list[int] = [0]
    last = 0
    for text in words.of(piece.input_ids):
        remaining = [word for word in text if draw.random() >= rate]
        if text and not remaining:
            remaining = [draw.choice(text)]
        place = 0
        while place < len(remaining) - 1:
            if draw.random() < rate:
                remaining[place : place + 2] = remaining[place : place + 2][::-1]
                place += 1  # a word moves once
            place += 1
        last += 1 + sum(map(len, text))
        kept += [token for word in remaining for token in word] + [last]
    types = piece.token_type_ids
    return Piece(
        [piece.input_ids[place] for place in kept],
        None if types is None else [types[place] for place in kept],
    )
