"""Floating-point operations of a forward pass, from the shape of the model."""

from distilcli.checkpoint.config import ModelConfig


def forward_flops(config: ModelConfig, n_tokens: int) -> int:
    """Count the operations of the encoder's matrix products over one sequence, 2 per multiply-add.

    Per token, each layer has four projections (4·D·W, where W is the width of its heads together),
    two products of attention (2·T·W) and the feed-forward network (2·D·F). Embeddings, softmax,
    norms and activations are not counted.
    """
    head_dim = config.dim // config.n_heads
    per_token = 0
    for layer in range(config.n_layers):
        width = len(config.heads_of(layer)) * head_dim
        projections = 4 * config.dim * width
        attention = 2 * n_tokens * width
        per_token += projections + attention + 2 * config.dim * config.hidden_dim
    return 2 * n_tokens * per_token
