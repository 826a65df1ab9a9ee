"""The head of a model of texts, fitted directly on what its encoder makes of the training rows.

The head's first map (DistilBERT's `pre_classifier`, BERT's pooler) is set so that it brings the
features of first tokens to one scale and passes them on; the map from there to the labels is a
linear fit. The result is an ordinary head.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from distilcli.engine.batching import cut_batches, pad
from distilcli.interrupt import stop_if_asked
from distilcli.model.encoder import Pooler
from distilcli.model.heads import FirstTokenModel, SequenceClassifier
from distilcli.model.linear_fit import LinearFit, fit
from distilcli.training import distributed
from distilcli.training.objectives.whole_texts import TextObjective

OnPass = Callable[[int, int], None]

_PASS_BUDGET = 2_048  # tokens in a batch; no gradients are kept
# Features go on with a standard deviation of 1/4, around 1/2 before a ReLU, which then cuts off
# what is two deviations below the mean. That loses nothing, and a training step that follows
# moves the outputs gently.
_SCALE, _SHIFT = 0.25, 2.0
_SMALLEST_SPREAD = 1e-3


@dataclass(frozen=True, slots=True)
class FittedHead:
    """What was done: the fit, and the number of rows that it was made on."""

    fit: LinearFit
    rows: int


@torch.no_grad()
def fit_head(
    model: SequenceClassifier,
    objective: TextObjective[object],
    device: torch.device,
    *,
    seed: int,
    most_rows: int | None = None,
    on_pass: OnPass,
) -> FittedHead:
    """Fit the head of `model` to the rows of a prepared objective, or to `most_rows` drawn ones.

    Several processes share the rows; each then makes the fit, and takes the head of the first.
    `on_pass` gets the number of rows read so far, and of all that this process reads.
    """
    indices: Sequence[int] = range(len(objective.sizes))
    if most_rows is not None and len(indices) > most_rows:
        draw = np.random.default_rng(seed)
        indices = np.sort(draw.choice(len(indices), most_rows, replace=False)).tolist()
    was_training = model.training
    model.to(device).eval()
    states = _states(model, objective, indices, device, on_pass)
    _set_first_map(model, states[:, 0])
    pooled = model.pooled(states).cpu()
    problem = objective.problem(pooled, indices)
    if (weights := objective.row_weights) is not None:
        times = torch.tensor([weights[index] for index in indices])[:, None]
        problem = replace(problem, weights=problem.weights * times)
    found = fit(problem, seed=seed)
    model.classifier.weight.copy_(found.weight)
    model.classifier.bias.copy_(found.bias)
    distributed.copy_first(list(model.parameters()))
    model.train(was_training)
    return FittedHead(found, len(indices))


def _states(
    model: FirstTokenModel,
    objective: TextObjective[object],
    indices: Sequence[int],
    device: torch.device,
    on_pass: OnPass,
) -> Tensor:
    """Return the hidden states of the first tokens (N, 1, D), in fp32 and without dropout."""
    pieces = [each.pieces[0] for each in objective.examples(indices, epoch=0)]
    states = torch.zeros(len(pieces), 1, model.config.dim, device=device)
    batches = cut_batches(list(map(len, pieces)), max_tokens=_PASS_BUDGET, max_rows=None)
    own = distributed.share(list(batches))
    done, total = 0, sum(map(len, own))
    for batch in own:
        padded = pad(
            [pieces[index] for index in batch],
            pad_token_id=model.config.pad_token_id,
            device=device,
        )
        states[batch] = model.distilbert(*padded.inputs, first_token_only=True)
        done += len(batch)
        on_pass(done, total)
        stop_if_asked()
    return distributed.merged(states)


def _set_first_map(model: FirstTokenModel, features: Tensor) -> None:
    """Bring features (N, D) to one scale in the map before the classifier."""
    spread, mean = torch.std_mean(features, dim=0, correction=0)
    spread = spread.clamp(min=_SMALLEST_SPREAD)
    first, shift = model.pre_classifier, _SHIFT
    if first is None:  # tanh passes what is near 0
        first, shift = cast("Pooler", model.distilbert.pooler).dense, 0.0
    first.weight.copy_(torch.diag(_SCALE / spread))
    first.bias.copy_(_SCALE * (shift - mean / spread))
