"""What a forward pass costs in floating-point operations, from the shape of the model alone."""

from distilcli.checkpoint.config import ModelConfig


def forward_flops(config: ModelConfig, n_tokens: int) -> int:
    """Count the operations of the encoder's matrix products over one sequence, 2 per multiply-add.

    Each layer has four projections (4·D·W a token; W is what its heads are wide together), the
    two products of attention (2·T·W a token), and the feed-forward network (2·D·F a token).
    Embeddings, softmax, norms and activations are not counted: they are no products.
    """
    head_dim = config.dim // config.n_heads
    per_token = 0
    for layer in range(config.n_layers):
        width = len(config.heads_of(layer)) * head_dim
        projections = 4 * config.dim * width
        attention = 2 * n_tokens * width
        per_token += projections + attention + 2 * config.dim * config.hidden_dim
    return 2 * n_tokens * per_token
