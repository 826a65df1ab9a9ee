"""Tasks small enough to know what the engine must give back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from distilcli.engine import Batch, Encoded, Outcome, Piece
from distilcli.errors import RowError

PAD = 7  # never 0: a sum that forgets the mask must come out wrong


@dataclass(frozen=True)
class Row:
    """A row that says how it is to be encoded, and where it is to fail."""

    pieces: tuple[tuple[int, ...], ...] = ((1, 2),)
    fault: str | None = None  # "encode" or "decode"
    truncated: bool = False
    name: int = 0


@dataclass
class Checksum:
    """For every piece the sum of its ids, each weighted by its place: exact, order-sensitive."""

    seen: list[Batch] = field(default_factory=list)

    def size(self, item: Row) -> int:
        return sum(len(piece) for piece in item.pieces)

    def encode(self, items: Sequence[Row]) -> list[Encoded | RowError]:
        return [
            RowError(f"row {item.name}: cannot be encoded")
            if item.fault == "encode"
            else Encoded([Piece(list(ids)) for ids in item.pieces], truncated=item.truncated)
            for item in items
        ]

    def forward(self, batch: Batch) -> list[int]:
        self.seen.append(batch)
        ids = batch.input_ids
        mask = torch.ones_like(ids) if batch.attention_mask is None else batch.attention_mask
        weights = torch.arange(1, ids.shape[1] + 1)
        return (ids * mask * weights).sum(dim=1).tolist()

    def decode(self, item: Row, encoded: Encoded, outputs: Sequence[int]) -> tuple[int, ...]:
        if item.fault == "decode":
            raise RowError(f"row {item.name}: cannot be decoded")
        assert len(encoded.pieces) == len(outputs)
        return tuple(outputs)


def checksums(row: Row) -> tuple[int, ...]:
    """What `Checksum` must give for a row, without an engine."""
    return tuple(
        sum(place * token for place, token in enumerate(ids, start=1)) for ids in row.pieces
    )


def expected(row: Row) -> Outcome[Row, tuple[int, ...]]:
    """The outcome of a row under `on_error="keep"`."""
    if row.fault is not None:
        return Outcome(row, error=f"row {row.name}: cannot be {row.fault}d")
    return Outcome(row, value=checksums(row), truncated=row.truncated)
