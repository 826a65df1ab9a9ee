"""Hidden states of a frozen encoder, computed once, so that a head trains in seconds.

Only for heads on the first token: one vector per sequence is cheap to keep. The vectors are those
of evaluation: fp32, without dropout. Those of the training rows are computed before the first
step, always in the same batches, so that a resumed run has the same bits; those of other rows when
they are first needed.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from distilcli.engine.batching import cut_batches, pad
from distilcli.model.encoder import Encoder
from distilcli.model.heads import FirstTokenModel
from distilcli.training import distributed
from distilcli.training.objectives import AnyObjective

_PASS_BUDGET = 2_048  # tokens in a batch; no gradients are kept


def cache_features(
    model: FirstTokenModel,
    objective: AnyObjective,
    device: torch.device,
    *,
    on_pass: Callable[[int, int], None],
) -> None:
    """Swap the frozen encoder of `model` for one that reads each sequence of `objective` once.

    Several processes share the sequences. `on_pass` gets the number of sequences read so far, and
    of all that this process reads.
    """
    encoder = CachingEncoder(model.to(device).distilbert)
    examples = objective.examples(range(len(objective.sizes)), epoch=0)
    pieces = [piece for example in examples for piece in example.pieces]
    batches = cut_batches(list(map(len, pieces)), max_tokens=_PASS_BUDGET, max_rows=None)
    own = distributed.share(list(batches))
    done, total = 0, sum(map(len, own))
    for batch in own:
        padded = pad(
            [pieces[index] for index in batch],
            pad_token_id=model.config.pad_token_id,
            device=device,
        )
        encoder(*padded.inputs, first_token_only=True)
        done += len(batch)
        on_pass(done, total)
    encoder.exchange()
    model.distilbert = encoder


class CachingEncoder(Encoder):
    """Stands in for an encoder, with the same weights."""

    def __init__(self, encoder: Encoder) -> None:
        nn.Module.__init__(self)
        self.config, self.training = encoder.config, encoder.training
        self.embeddings, self.transformer = encoder.embeddings, encoder.transformer
        self.pooler = encoder.pooler
        self._features: dict[bytes, Tensor] = {}

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        first_token_only: bool = False,
    ) -> Tensor:
        """Return what the encoder returns; states of first tokens (B, 1, D) are remembered."""
        if not first_token_only:
            return super().forward(input_ids, attention_mask, token_type_ids)
        keys = _keys(input_ids, attention_mask, token_type_ids)
        if any(key not in self._features for key in keys):
            computed = self._compute(input_ids, attention_mask, token_type_ids)
            for key, row in zip(keys, computed, strict=True):
                self._features.setdefault(key, row)
        return torch.stack([self._features[key] for key in keys])

    def exchange(self) -> None:
        """Take over what the other processes have computed."""
        distributed.wait_for_all()
        for features in distributed.everywhere(self._features):
            self._features.update(features)

    def _compute(
        self, input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor | None
    ) -> Tensor:
        was_training = self.training
        self.eval()
        # Ordinary fp32 tensors, whether an evaluation or a training step comes first.
        with (
            torch.inference_mode(mode=False),
            torch.no_grad(),
            torch.autocast(input_ids.device.type, enabled=False),
        ):
            states = super().forward(
                input_ids, attention_mask, token_type_ids, first_token_only=True
            )
        self.train(was_training)
        return states


def _keys(
    input_ids: Tensor, attention_mask: Tensor | None, token_type_ids: Tensor | None
) -> list[bytes]:
    """Return a key for each row of ids and token types, without its padding."""
    tensors = [input_ids] if token_type_ids is None else [input_ids, token_type_ids]
    arrays = [tensor.cpu().numpy() for tensor in tensors]
    rows, width = input_ids.shape
    lengths = [width] * rows if attention_mask is None else attention_mask.sum(1).tolist()
    return [
        b"".join(array[row, :length].tobytes() for array in arrays)
        for row, length in enumerate(lengths)
    ]
