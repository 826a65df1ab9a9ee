import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from distilcli.engine.batching import Batch
from distilcli.engine.engine import Engine
from distilcli.engine.estimate import estimate
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.tasks.classify import ClassifyTask
from distilcli.tasks.settings import LongTexts
from tests.tasks.test_classify import Setup, Texts


class Noted(ClassifyTask[Texts]):
    """Remembers the batches that it was given, and the threads that gave them."""

    def forward(self, batch: Batch) -> list[list[float]]:
        seen.append((tuple(batch.input_ids.shape), threading.get_ident()))
        return super().forward(batch)


seen: list[tuple[tuple[int, ...], int]] = []


def engine(setup: Setup, *, workers: int = 1, window_rows: int = 2) -> Engine[Texts, object]:
    seen.clear()
    task = Noted(
        setup.model, setup.tokenizer, texts_of=as_is, kind="single",
        long_texts=LongTexts(long="window", max_length=8, stride=2),
    )  # fmt: skip
    return Engine(
        task, pad_token_id=0, devices=[torch.device("cpu")], workers=workers, max_tokens=30,
        window_rows=window_rows,
    )  # fmt: skip


def as_is(item: Texts) -> Texts:
    if item[0] == "broken":
        raise RowError("broken")
    return item


def test_everything_is_counted_and_a_few_batches_are_run(tiny_folder: Path) -> None:
    items: list[Texts] = [("good", None), ("broken", None), ("good " * 12, None), ("", None)]
    found = estimate(engine(Setup(tiny_folder), workers=2), iter(items))
    assert (found.rows, found.failed_rows, found.truncated_rows) == (4, 1, 0)
    assert found.sequences == 1 + 3 + 1
    assert found.tokens == 3 + (8 + 8 + 6) + 2
    assert found.expected_seconds > 0
    # Sequences of 8, 8, 6, 3 and 2 tokens: the three that fit into 30 positions, and the others.
    assert {shape for shape, _ in seen} == {(3, 8), (2, 3)}
    assert threading.get_ident() not in {thread for _, thread in seen}
    assert asdict(found)["tokens"] == 27


def test_windows_are_bound_by_rows_and_by_characters(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    encode = Noted.encode

    def noted(task: Noted, items: Sequence[Texts]) -> list[Encoded | RowError]:
        sizes.append(len(items))
        return encode(task, items)

    monkeypatch.setattr(Noted, "encode", noted)
    short: list[Texts] = [("good", None)] * 5
    estimate(engine(Setup(tiny_folder)), short)
    assert sizes == [2, 2, 1]
    sizes.clear()
    estimate(replace(engine(Setup(tiny_folder), window_rows=100), window_size=9), short)
    assert sizes == [3, 2]


def test_nothing_takes_no_time(tiny_folder: Path) -> None:
    found = estimate(engine(Setup(tiny_folder)), [])
    assert (found.rows, found.expected_seconds) == (0, 0.0)
    assert not seen


def test_the_threads_of_the_caller_stay_as_they_were(tiny_folder: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        estimate(engine(Setup(tiny_folder)), [("good", None)])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
