"""Models of one architecture averaged: the mean of their weights.

Runs that start from the same weights, or from each other, lie in one valley of the loss: their mean
is often better than each, at the same cost (Izmailov et al. 2018; Wortsman et al. 2022).
"""

from collections.abc import Sequence

import torch

from distilcli.checkpoint.folder import ModelFiles
from distilcli.errors import ModelError
from distilcli.model.heads import TaskModel
from distilcli.model.loading import load_model
from distilcli.tokenizer.loading import load_tokenizer


@torch.no_grad()
def average(model: TaskModel, files: ModelFiles, others: Sequence[ModelFiles]) -> None:
    """Replace the weights of `model`, which is in `files`, by the mean with those of `others`.

    A model that is given twice counts twice. Raises `ModelError` for other architectures, labels
    or tokenizers.
    """
    mean, tokenizer = model.state_dict(), load_tokenizer(files)
    shapes = {name: weight.shape for name, weight in mean.items()}
    for count, other in enumerate(others, start=2):
        loaded = load_model(other, type(model))
        weights = loaded.model.state_dict()
        if {name: weight.shape for name, weight in weights.items()} != shapes or (
            loaded.config.pruned_heads != model.config.pruned_heads
        ):
            raise ModelError(
                f"{other.name}: has another architecture than {files.name}; merge runs of one model"
            )
        if loaded.config.labels != model.config.labels:
            raise ModelError(
                f"{other.name}: has other labels than {files.name}, or another order of them"
            )
        if not tokenizer.reads_as(load_tokenizer(other)):
            raise ModelError(
                f"{other.name}: reads texts as other tokens than {files.name}; merge runs of one "
                "model"
            )
        for name, weight in mean.items():
            weight.lerp_(weights[name], 1 / count)
