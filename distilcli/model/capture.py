"""Watching an encoder while a head uses it: what every layer gave, beside the head's own result."""

from collections.abc import Iterator
from contextlib import contextmanager

from distilcli.model.encoder import Encoder, EncoderOutput


@contextmanager
def watched(encoder: Encoder, *, attentions: bool = False) -> Iterator[list[EncoderOutput]]:
    """Collect what the layers give each time that the encoder is called.

    The head gets what it asked for; all layers compute every token meanwhile. `attentions` adds
    their probabilities, at the cost that `Encoder.forward_all` names.
    """
    seen: list[EncoderOutput] = []

    def see(output: EncoderOutput) -> None:
        seen.append(output)

    encoder.transformer.watch(see, attentions=attentions)
    try:
        yield seen
    finally:
        encoder.transformer.watch(None)
