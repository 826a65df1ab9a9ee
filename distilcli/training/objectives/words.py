"""The words of a token sequence, and its augmentation: words dropped and swapped."""

import random
from collections.abc import Sequence

from distilcli.engine.batching import Piece
from distilcli.tokenizer.filled import is_piece
from distilcli.tokenizer.tokenizer import Tokenizer

Word = range
"""The positions of a word's tokens in a sequence."""


class Words:
    """Finds words by the pieces (`##s`) that continue them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        special = tokenizer.special
        self._frame = frozenset({special.cls, special.sep})
        self._continued = frozenset(
            id_ for id_, token in tokenizer.tokens.items() if is_piece(token)
        )

    def of(self, input_ids: Sequence[int]) -> list[list[Word]]:
        """Return the words of each text of a sequence, in order, without special tokens."""
        texts: list[list[Word]] = []
        for position, id_ in enumerate(input_ids):
            if id_ in self._frame:
                texts.append([])
            elif texts[-1] and id_ in self._continued:
                texts[-1][-1] = range(texts[-1][-1].start, position + 1)
            else:
                texts[-1].append(range(position, position + 1))
        return texts[:-1]  # nothing follows the last [SEP]


def augmented(piece: Piece, words: Words, draw: random.Random, *, rate: float) -> Piece:
    """Return a sequence with words dropped and swapped.

    Each word is dropped with probability `rate`, but at least one of each text remains. Then, from
    left to right, each remaining word is swapped with the next with the same probability.
    """
    kept: list[int] = [0]
    last = 0
    for text in words.of(piece.input_ids):
        remaining = [word for word in text if draw.random() >= rate]
        if text and not remaining:
            remaining = [draw.choice(text)]
        index = 0
        while index < len(remaining) - 1:
            if draw.random() < rate:
                remaining[index : index + 2] = remaining[index : index + 2][::-1]
                index += 1  # a word moves once
            index += 1
        last += 1 + sum(map(len, text))
        kept += [token for word in remaining for token in word] + [last]
    types = piece.token_type_ids
    return Piece(
        [piece.input_ids[index] for index in kept],
        None if types is None else [types[index] for index in kept],
    )
