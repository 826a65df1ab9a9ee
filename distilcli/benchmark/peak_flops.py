"""The machine's peak rate of matrix products, which no model can exceed.

On the CPU: the kernels of the model's linear layers on 512 tokens of DistilBERT-base's feed-forward
network, one product per core in parallel. On an accelerator: large square matrices.
"""

from collections.abc import Callable

import torch
from torch import nn

from distilcli.benchmark.batch_runner import BatchRunner
from distilcli.benchmark.model_under_test import synchronize
from distilcli.engine.batching import Batch, Piece
from distilcli.model.int8 import Int8Linear, quantise
from distilcli.model.precision import dtype_of
from distilcli.model.precision_name import Precision
from distilcli.model.prepacked import PackedLinear, can_pack

_TOKENS, _IN, _OUT = 512, 768, 3_072
_SIDE = 8_192
_ROUNDS = 3
_PRODUCTS = 4  # for each worker and round

Product = Callable[[], object]


class PeakFlops:
    """The highest rate so far in one precision; `sample` measures again.

    Sample it before and after a model: other work on the machine comes and goes. No matrix is kept
    in between, because it would count as the model's memory.
    """

    def __init__(self, precision: Precision, device: torch.device, *, workers: int) -> None:
        self.per_second = 0.0
        self._precision, self._device, self._workers = precision, device, workers
        self._flops = 2 * _TOKENS * _IN * _OUT if device.type == "cpu" else 2 * _SIDE**3

    def sample(self) -> None:
        """Measure, and keep the rate if it is the highest so far."""
        if self._device.type == "cpu":
            product = _on_cpu(self._precision)
        else:
            product = _on_accelerator(dtype_of(self._precision), self._device)

        def forward(batch: Batch) -> list[None]:
            product()
            synchronize(self._device)
            return [None] * len(batch.pieces)

        count = _PRODUCTS * self._workers
        # Each piece of one token is a batch, and each batch is one product.
        pieces = [Piece([0]) for _ in range(count)]
        with BatchRunner(
            forward, device=self._device, workers=self._workers, max_tokens=1
        ) as runner:
            runner.run(pieces)
            for _ in range(_ROUNDS):
                self.per_second = max(self.per_second, count * self._flops / runner.run(pieces))


def _on_cpu(precision: Precision) -> Product:
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it is
        linear = nn.Linear(_IN, _OUT).requires_grad_(False)
    x = torch.randn(1, _TOKENS, _IN, generator=torch.Generator())
    if precision == "int8":
        quantised, codes = Int8Linear(linear), quantise(x)
        return lambda: quantised.multiply(codes.values)
    dtype = dtype_of(precision)
    linear, x = linear.to(dtype), x.to(dtype)
    kernel = PackedLinear(linear) if can_pack(dtype) else linear
    return lambda: kernel(x)


def _on_accelerator(dtype: torch.dtype, device: torch.device) -> Product:
    # Random, not ones: a chip that flips few bits is faster than with a model's numbers.
    own = torch.Generator(device)
    matrix = torch.randn(_SIDE, _SIDE, dtype=dtype, device=device, generator=own)
    return lambda: matrix @ matrix
