"""A block that averages tokens, so that a head on the first token reads the whole text.

What an embedder knows about a text is in the mean of its token vectors, but classifier heads read
only the first token. A block on top of the encoder gives the first token the mean of all tokens:

    attention with zero queries and keys weighs all tokens alike; it passes their values on, 16
    times as large, so that the token's own vector, which is added, hardly counts;
    the norm removes the scale; the feed-forward part adds zero.

It is an ordinary layer, so a model with it is loaded and run like any other.
"""

from dataclasses import replace

import torch
from torch import nn

from distilcli.model.encoder import Block
from distilcli.model.heads import TaskModel

_GAIN = 4.0  # of the values, and again of their mean


@torch.no_grad()
def append_averaging_block(model: TaskModel) -> None:
    """Add the block on top of the encoder of `model`."""
    config = replace(model.config, n_layers=model.config.n_layers + 1)
    block = Block(config, layer=model.config.n_layers).train(model.training)
    for linear in block.modules():
        if isinstance(linear, nn.Linear):
            linear.weight.zero_()
            linear.bias.zero_()
    for linear in (block.attention.v_lin, block.attention.out_lin):
        linear.weight.copy_(_GAIN * torch.eye(config.dim))
    encoder = model.distilbert
    encoder.transformer.layer.append(block.to(encoder.embeddings.word_embeddings.weight.device))
    encoder.config = model.config = config
