"""Hidden states of a frozen encoder, computed once: a head then trains in seconds.

Only for heads on the first token, which need one vector per sequence. The vectors are those of
evaluation, without dropout, in fp32. Those of the training rows are computed before the first step,
always in the same batches, so that a resumed run has the same bits; those of other rows when they
are first needed.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from distilcli.engine.batching import cut_batches, pad
from distilcli.model.encoder import Encoder
from distilcli.model.heads import FirstTokenModel
from distilcli.training.objectives import AnyObjective

_PASS_BUDGET = 2_048  # tokens in a batch; no gradients are kept


def cache_features(
    model: FirstTokenModel,
    objective: AnyObjective,
    device: torch.device,
    *,
    on_pass: Callable[[int, int], None],
) -> None:
    """Run the frozen encoder of `model` once over each sequence of `objective`.

    `on_pass` is called with the number of sequences done, and of all.
    """
    encoder = model.to(device).distilbert
    features = _Features(encoder)
    examples = objective.examples(range(len(objective.sizes)), epoch=0)
    pieces = [piece for example in examples for piece in example.pieces]
    done = 0
    for batch in cut_batches(list(map(len, pieces)), max_tokens=_PASS_BUDGET, max_rows=None):
        padded = pad(
            [pieces[index] for index in batch],
            pad_token_id=model.config.pad_token_id,
            device=device,
        )
        features(padded.input_ids, padded.attention_mask, padded.token_type_ids)
        done += len(batch)
        on_pass(done, len(pieces))
    encoder.forward = features  # type: ignore[method-assign]


class _Features:
    """Replaces the forward pass of an encoder whose first token is needed."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._forward: Callable[..., Tensor] = encoder.forward
        self._known: dict[bytes, Tensor] = {}

    def __call__(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        **_: Any,
    ) -> Tensor:
        """Return the hidden state of the first token (B, 1, D) of (B, T) ids."""
        keys = _keys(input_ids, attention_mask, token_type_ids)
        if any(key not in self._known for key in keys):
            found = self._computed(input_ids, attention_mask, token_type_ids)
            for key, row in zip(keys, found, strict=True):
                self._known.setdefault(key, row)
        return torch.stack([self._known[key] for key in keys])

    def _computed(self, *inputs: Tensor | None) -> Tensor:
        was_training = self._encoder.training
        self._encoder.eval()
        device = inputs[0].device.type if inputs[0] is not None else "cpu"
        # Ordinary tensors in fp32, both in an evaluation and in a step.
        with (
            torch.inference_mode(mode=False),
            torch.no_grad(),
            torch.autocast(device, enabled=False),
        ):
            found = self._forward(*inputs, first_token_only=True)
        self._encoder.train(was_training)
        return found


def _keys(*tensors: Tensor | None) -> list[bytes]:
    """Return the bytes that identify each row of ids, without its padding."""
    input_ids, mask, types = (None if t is None else t.cpu().numpy() for t in tensors)
    assert input_ids is not None  # noqa: S101
    lengths = [input_ids.shape[1]] * len(input_ids) if mask is None else mask.sum(axis=1).tolist()
    return [
        input_ids[row, :length].tobytes()
        + (b"" if types is None else types[row, :length].tobytes())
        for row, length in enumerate(lengths)
    ]
