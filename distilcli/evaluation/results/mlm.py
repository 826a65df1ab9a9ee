"""Texts, and how well each was foreseen token by token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from distilcli.evaluation.results.base import EVERY, Results, Rows
from distilcli.scores.precision_recall import Array
from distilcli.tasks.perplexity import PseudoPerplexity


@dataclass(frozen=True)
class MlmResults(Results):
    """`perplexities` (N,) of texts of `n_tokens` (N,) tokens."""

    perplexities: Array
    n_tokens: Array
    fault_names: ClassVar[tuple[str, ...]] = ("pseudo_perplexity", "n_tokens")

    @classmethod
    def of(cls, values: Sequence[PseudoPerplexity]) -> "MlmResults":
        """Take what a masked language model gave; nothing but the text itself is expected."""
        return cls(
            np.array([value.pseudo_perplexity for value in values], dtype=float),
            np.array([value.n_tokens for value in values], dtype=float),
        )

    def __len__(self) -> int:
        return len(self.perplexities)

    def figures(self, rows: Rows = EVERY) -> dict[str, float]:
        """Return the perplexity of all tokens together: exp of their mean surprise.

        That is the PPPL of a corpus in Salazar et al. 2020, "Masked Language Model Scoring".
        """
        counts = self.n_tokens[rows]
        surprise = counts @ np.log(self.perplexities[rows]) / counts.sum()
        return {"perplexity": float(np.exp(surprise))}

    def worst(self) -> Array:
        """Return all rows, the least foreseen first."""
        return np.argsort(-self.perplexities, kind="stable")

    def fault(self, row: int) -> tuple[object, ...]:
        """See `Results`."""
        return float(self.perplexities[row]), int(self.n_tokens[row])
