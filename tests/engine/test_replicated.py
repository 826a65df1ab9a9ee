from collections.abc import Sequence
from typing import Any

import torch

from distilcli.engine import Encoded, Engine, Piece
from distilcli.engine.batching import Batch
from distilcli.engine.replicated import ReplicatedTask

# Stand-ins for several accelerators: torch computes on the CPU for both.
DEVICES = [torch.device("cpu:0"), torch.device("cpu:1")]


class Counting:
    """Gives each number its double, and counts the batches on its device."""

    def __init__(self) -> None:
        self.devices: list[str] = []

    def size(self, item: int) -> int:
        return 1

    def encode(self, items: Sequence[int]) -> list[Encoded]:
        return [Encoded([Piece([item] * (1 + item % 5))]) for item in items]

    def forward(self, batch: Batch) -> list[int]:
        self.devices.append(str(batch.device))
        return [2 * int(ids[0]) for ids in batch.input_ids]

    def decode(self, item: int, encoded: Encoded, outputs: Sequence[int]) -> int:
        return outputs[0]


def test_rows_keep_their_order_and_each_copy_runs_the_batches_of_its_device() -> None:
    tasks = [Counting(), Counting()]
    engine: Engine[int, Any] = Engine(
        ReplicatedTask(DEVICES, tasks), pad_token_id=0, devices=DEVICES, workers=1, max_tokens=8,
        window_rows=20,
    )  # fmt: skip
    found = [outcome.value for block in engine.run(range(500)) for outcome in block]
    assert found == [2 * item for item in range(500)]
    assert {*tasks[0].devices} <= {"cpu:0"}
    assert {*tasks[1].devices} <= {"cpu:1"}
    assert tasks[0].devices or tasks[1].devices
