"""From pieces of different lengths to tensors with little padding.

A piece is one sequence for the model. Pieces are sorted longest first and cut into batches by a
token budget; each batch is padded to its longest piece.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, Any]


@dataclass(slots=True)
class Piece:
    """One sequence for the model: a whole row, or one window of a long row.

    A task that needs more about a sequence when it runs the model subclasses it.
    """

    input_ids: Sequence[int]
    token_type_ids: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, slots=True)
class Batch:
    """B pieces, padded at the end to the length T of the longest, for a model on `device`."""

    input_ids: Tensor  # (B, T) int64
    attention_mask: Tensor | None  # (B, T) int64, 1 for tokens; None without padding
    token_type_ids: Tensor | None  # (B, T) int64; None if the task has none
    pieces: Sequence[Piece]
    device: torch.device

    @property
    def inputs(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The tensors in the order in which models take them."""
        return self.input_ids, self.attention_mask, self.token_type_ids

    def rows(self, which: slice) -> "Batch":
        """Return the batch of some of its pieces, padded to the longest of them."""
        pieces = self.pieces[which]
        longest = max(map(len, pieces))

        def cut(x: Tensor | None) -> Tensor | None:
            return None if x is None else x[which, :longest]

        mask = cut(self.attention_mask)
        input_ids = self.input_ids[which, :longest]
        return Batch(input_ids, mask, cut(self.token_type_ids), pieces, self.device)


def padded_size(lengths: Sequence[int]) -> int:
    """Return the number of positions of a batch with these lengths: B x T."""
    return len(lengths) * max(lengths)


def cut_batches(
    lengths: Sequence[int], *, max_tokens: int, max_rows: int | None
) -> Iterator[list[int]]:
    """Yield the indices into `lengths` of each batch, longest first, ties in order.

    A batch has at most `max_tokens` positions, padding included, and `max_rows` pieces, but always
    at least one piece.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    start = 0
    while start < len(order):
        longest = max(1, lengths[order[start]])
        count = max(1, max_tokens // longest)
        if max_rows is not None:
            count = min(count, max_rows)
        yield order[start : start + count]
        start += count


def pad(pieces: Sequence[Piece], *, pad_token_id: int, device: torch.device) -> Batch:
    """Make a batch of pieces on the device; all of them have token types, or none has.

    Copies to a CUDA device start from pinned memory, so that the host does not wait for them.
    """
    is_cuda = device.type == "cuda"
    lengths = [len(piece) for piece in pieces]
    longest = max(lengths)
    mask = np.arange(longest) < np.array(lengths)[:, None]  # (B, T)

    def send(x: Array) -> Tensor:
        tensor = torch.from_numpy(x)
        return tensor.pin_memory().to(device, non_blocking=True) if is_cuda else tensor.to(device)

    def padded(rows: Iterable[Sequence[int]], padding: int) -> Tensor:
        tokens = array("i")
        for row in rows:
            tokens.extend(row)  # a copy of memory if it is an array
        ids = np.full(mask.shape, padding, dtype=np.int64)
        ids[mask] = tokens
        return send(ids)

    token_types = [p.token_type_ids for p in pieces if p.token_type_ids is not None]
    if token_types and len(token_types) < len(pieces):
        raise ValueError("a batch mixes pieces with and without token_type_ids")
    return Batch(
        input_ids=padded((piece.input_ids for piece in pieces), pad_token_id),
        attention_mask=send(mask.astype(np.int64)) if min(lengths) < longest else None,
        token_type_ids=padded(token_types, 0) if token_types else None,
        pieces=pieces,
        device=device,
    )
