from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.engine.batching import Batch, Piece
from distilcli.engine.engine import Engine
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.rows.outcome import Outcome
from distilcli.rows.reader import open_rows
from distilcli.rows.row import Row
from distilcli.stats import RunStats
from distilcli.tasks.files import run_files, texts_from


class Lengths:
    """Gives the length of a text; one of more than 5 letters is cut short."""

    def __init__(self, texts_of: Callable[[Row], tuple[str, str | None]]) -> None:
        self._texts_of = texts_of

    def size(self, item: Row) -> int:
        return 1

    def encode(self, items: Sequence[Row]) -> list[Encoded | RowError]:
        return [self._encode(item) for item in items]

    def _encode(self, item: Row) -> Encoded | RowError:
        try:
            first, second = self._texts_of(item)
        except RowError as error:
            return error
        text = first + (second or "")
        return Encoded([Piece([1] * min(len(text), 5))], truncated=len(text) > 5)

    def forward(self, batch: Batch) -> list[int]:
        return [len(piece) for piece in batch.pieces]

    def decode(self, item: Row, encoded: Encoded, outputs: Sequence[int]) -> int:
        return outputs[0]


class Lengthened:
    """The columns of a length: itself and its double."""

    names = ("length", "double")

    def values(self, value: int) -> list[int]:
        return [value, 2 * value]

    def counted(self, value: int) -> list[str]:
        return []


class Collector:
    """Keeps what it is given to write."""

    def __init__(self) -> None:
        self.rows: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def write_rows(self, block: Any) -> None:
        self.rows += [(tuple(row.cells), dict(additions)) for row, additions in block]


def run(path: Path, *, pair_column: str | None = None, **settings: Any) -> Collector:
    sink, stats = Collector(), RunStats()
    seen: list[Outcome[Row, int]] = []
    source = open_rows([str(path)])
    engine = Engine(
        Lengths(texts_from("text", pair_column)),
        pad_token_id=0,
        devices=[torch.device("cpu")],
        **settings,
    )
    run_files(source, engine, sink, Lengthened(), stats=stats, on_block=seen.extend)
    assert len(seen) == len(sink.rows)
    assert stats.rows - stats.skipped == len(sink.rows)
    return sink


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("id,text,other\n1,abc,x\n2,abcdefgh,y\n3,a\n4,b,zzz\n")
    return path


def test_every_row_comes_out_with_what_was_found(path: Path) -> None:
    assert run(path).rows == [
        (("1", "abc", "x"), {"length": 3, "double": 6}),
        (("2", "abcdefgh", "y"), {"length": 5, "double": 10, "truncated": True}),
        (("3", "a", ""), {"length": None, "double": None, "error": rows_error(path)}),
        (("4", "b", "zzz"), {"length": 1, "double": 2}),
    ]


def rows_error(path: Path) -> str:
    """What the reader says of the third row, which is short of a cell."""
    (error,) = [row.error for row in open_rows([str(path)]) if row.error is not None]
    assert "line 4" in error
    return error


def test_failed_rows_may_be_left_out(path: Path) -> None:
    assert [cells[0] for cells, _ in run(path, on_error="skip").rows] == ["1", "2", "4"]


def test_the_second_text_of_a_pair_has_its_own_column(path: Path) -> None:
    assert [additions["length"] for _, additions in run(path, pair_column="other").rows] == [
        4, 5, None, 4,
    ]  # fmt: skip


def test_a_row_may_stop_the_run(path: Path) -> None:
    with pytest.raises(RowError, match="line 4"):
        run(path, on_error="stop")
