"""A task whose model is on several devices: each batch runs on the copy of its device."""

from collections.abc import Sequence
from typing import Any, Generic

import torch

from distilcli.engine.batching import Batch
from distilcli.engine.task import Item, Task, Value


class ReplicatedTask(Generic[Item, Value]):
    """One task per device, all around copies of one model; only `forward` differs between them."""

    def __init__(
        self, devices: Sequence[torch.device], tasks: Sequence[Task[Item, Any, Any, Value]]
    ) -> None:
        first = tasks[0]
        self.size, self.encode, self.decode = first.size, first.encode, first.decode
        self._tasks = dict(zip(devices, tasks, strict=True))

    def forward(self, batch: Batch) -> Sequence[object]:
        """Run the model on the device of the batch."""
        outputs: Sequence[object] = self._tasks[batch.device].forward(batch)
        return outputs
