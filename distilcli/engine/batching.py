"""From pieces of many lengths to tensors with little padding.

A piece is one sequence for the model. Pieces of like length go together: they are ordered longest
first, cut into batches by a token budget, and each batch is padded to its own longest piece.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor


@dataclass(slots=True)
class Piece:
    """One sequence for the model: a whole row, or one window of a long row.

    A task that needs to know more of a sequence when it runs the model subclasses it.
    """

    input_ids: list[int]
    token_type_ids: list[int] | None = None

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces side by side: B of them, padded at the end to the longest, T."""

    input_ids: Tensor  # (B, T) int64
    attention_mask: Tensor | None  # (B, T) int64, 1 for real ids; None where nothing is padded
    token_type_ids: Tensor | None  # (B, T) int64; None where the task gives none
    pieces: Sequence[Piece]  # the B pieces themselves


def padded_size(lengths: Sequence[int]) -> int:
    """Count the positions that a batch of these lengths takes: B x T."""
    return len(lengths) * max(lengths)


def cut_batches(
    lengths: Sequence[int], *, max_tokens: int, max_rows: int | None
) -> Iterator[list[int]]:
    """Yield the positions in `lengths` of each batch, longest pieces first, equals in order.

    A batch takes at most `max_tokens` positions, padding included, and `max_rows` pieces, but
    always one piece, however long.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    start = 0
    while start < len(order):
        longest = max(1, lengths[order[start]])
        count = max(1, max_tokens // longest)
        if max_rows is not None:
            count = min(count, max_rows)
        yield order[start : start + count]
        start += count


def pad(pieces: Sequence[Piece], *, pad_token_id: int, device: torch.device) -> Batch:
    """Set pieces side by side on the device; all of them have token types, or none has.

    What goes to a CUDA device goes from pinned memory, so that the host does not wait for it.
    """
    is_cuda = device.type == "cuda"
    lengths = [len(piece) for piece in pieces]
    longest = max(lengths)
    # A tensor's own operators, unlike lists, let other threads go on.
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]  # (B, T)

    def sent(x: Tensor) -> Tensor:
        return x.pin_memory().to(device, non_blocking=True) if is_cuda else x.to(device)

    def tensor(rows: list[list[int]], filler: int) -> Tensor:
        ids = torch.full(mask.shape, filler, dtype=torch.int64)
        return sent(ids.masked_scatter_(mask, torch.tensor(list(chain.from_iterable(rows)))))

    token_types = [p.token_type_ids for p in pieces if p.token_type_ids is not None]
    if token_types and len(token_types) < len(pieces):
        raise ValueError("a batch mixes pieces with and without token_type_ids")
    return Batch(
        input_ids=tensor([piece.input_ids for piece in pieces], pad_token_id),
        attention_mask=(sent(mask.to(torch.int64)) if min(lengths) < longest else None),
        token_type_ids=tensor(token_types, 0) if token_types else None,
        pieces=pieces,
    )
