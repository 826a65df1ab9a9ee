"""The machine's own rate of matrix products: what no model can pass.

On the CPU by the kernels that the model's linear maps use, over 512 tokens of DistilBERT-base's
feed-forward network, one product per core side by side; on an accelerator by torch's product of
large square matrices.
"""

from collections.abc import Callable

import torch
from torch import nn

from distilcli.benchmark.batch_runner import Carrier
from distilcli.benchmark.model_under_test import synchronize
from distilcli.engine.batching import Batch, Piece
from distilcli.model.int8 import Int8Linear, quantise
from distilcli.model.precision import Precision, dtype_of
from distilcli.model.prepacked import PackedLinear, can_pack

_TOKENS, _IN, _OUT = 512, 768, 3_072
_SIDE = 8_192
_ROUNDS = 3
_PRODUCTS = 4  # for each worker and round

Product = Callable[[], object]


class Ceiling:
    """The highest rate that was seen in one precision; `sample` looks again.

    It is sampled before and after what it is compared with, because other work on the machine
    comes and goes. TF32 is as it is set when a sample is taken. Between samples no matrix is kept:
    it would count as memory of what is measured then.
    """

    def __init__(self, precision: Precision, device: torch.device, *, workers: int) -> None:
        self.flops_per_second = 0.0
        self._precision, self._device, self._workers = precision, device, workers
        self._flops = 2 * _TOKENS * _IN * _OUT if device.type == "cpu" else 2 * _SIDE**3

    def sample(self) -> None:
        """Measure, and keep the rate if it is the highest yet."""
        product = _product(self._precision, self._device)

        def forward(batch: Batch) -> list[None]:
            product()
            synchronize(self._device)
            return [None] * len(batch.pieces)

        count = _PRODUCTS * self._workers
        # Each piece of one token is a batch of its own, and a batch is one product.
        pieces = [Piece([0]) for _ in range(count)]
        with Carrier(forward, device=self._device, workers=self._workers, max_tokens=1) as carrier:
            carrier.carry(pieces)
            for _ in range(_ROUNDS):
                rate = count * self._flops / carrier.carry(pieces)
                self.flops_per_second = max(self.flops_per_second, rate)


def _product(precision: Precision, device: torch.device) -> Product:
    if device.type == "cpu":
        return _on_cpu(precision)
    return _on_accelerator(dtype_of(precision), device)


def _on_cpu(precision: Precision) -> Product:
    with torch.random.fork_rng(devices=[]):  # the caller's draws go on as if
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
    # Not of ones: a chip that has few bits to turn over is quicker than with a model's numbers.
    own = torch.Generator(device)
    matrix = torch.randn(_SIDE, _SIDE, dtype=dtype, device=device, generator=own)
    return lambda: matrix @ matrix
