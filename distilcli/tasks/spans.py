"""Spans of tokens, scored by their starts and ends.

The logit of a span is that of its start plus that of its end. All spans of at most W tokens are
kept as a band: for each of T tokens the spans that start there, by length. That takes T x W
numbers, not T x T. B counts windows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best spans as (logit, first token, last token), and all spans' logits in one.

    `log_sum` is the log-sum-exp of the logits of all spans.
    """

    spans: list[tuple[float, int, int]]
    log_sum: float


def band(starts: Tensor, ends: Tensor, width: int) -> Tensor:
    """Return the logits (..., T, W) of all spans of at most `width` tokens, from (..., T) logits.

    Element [t, w] is the span that starts at token t and ends w tokens after it. The logit of a
    token that may not start or end a span is -inf, as is that of a span beyond the last token.
    """
    padded = F.pad(ends, (0, width - 1), value=-math.inf)
    return starts.unsqueeze(-1) + padded.unfold(-1, width, 1)


def merged(windows: Sequence[tuple[int, Tensor, Tensor]], width: int) -> Tensor:
    """Return one band (T, W) of overlapping windows, in which a shared span is one span.

    A window is the index of its first token and its logits (T of the window) of starts and ends.
    The exponentials of a span's logits in several windows add up.
    """
    n_tokens = max(place + len(starts) for place, starts, _ in windows)
    # No span is longer than its window.
    width = min(width, max(len(starts) for _, starts, _ in windows))
    whole = torch.full((n_tokens, width), -math.inf)
    for place, starts, ends in windows:
        part = whole[place : place + len(starts)]
        torch.logaddexp(part, band(starts, ends, width), out=part)
    return whole


def ranked(spans: Tensor, n_best: int) -> list[Ranking]:
    """Return up to `n_best` spans of each band in (B, T, W)."""
    width = spans.shape[-1]
    flat = spans.flatten(1)  # (B, T * W)
    logits, places = flat.topk(min(n_best, flat.shape[1]))
    firsts = places // width
    lasts = firsts + places % width
    found = zip(
        logits.tolist(),
        firsts.tolist(),
        lasts.tolist(),
        flat.logsumexp(1).tolist(),
        strict=True,
    )
    return [
        Ranking([span for span in zip(*best, strict=True) if span[0] > -math.inf], log_sum)
        for *best, log_sum in found
    ]
