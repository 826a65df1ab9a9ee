"""The settings of a compression, checked before anything is loaded; free of torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distilcli.errors import UsageError

MIN_AGREEMENT = 0.99
"""How far `prune_heads` auto has to agree with the model before it, unless a share is given."""

AUTO = "auto"
_SHARES = ("prune_ffn", "min_agreement")
_OF_DATA = ("min_agreement", "text_column", "pair_column", "label_column", "label_map", "limit")
_CHANGES = (
    *("merge", "prune_layers", "prune_heads", "prune_ffn", "prune_vocab", "positions", "int8"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CompressOptions:
    """What is made smaller, and the rows on which that is decided and measured.

    `merge` are models whose weights are averaged with the first one's. `prune_layers` are layers
    to remove. `prune_heads` is a number of heads, `auto`, or heads such as 0:1,3. `prune_ffn` is
    the share of feed-forward neurons to remove. `prune_vocab` keeps only tokens of the rows.
    `positions` is the new limit in tokens, and `int8` the stored form of the weights.
    `min_agreement` is the share of rows on which the small model has to agree with the old one.
    `seconds` is how long the speed is measured; 0 leaves that out.
    """

    merge: Sequence[str] = ()
    prune_layers: str | None = None
    prune_heads: Sequence[str] = ()
    prune_ffn: float | None = None
    prune_vocab: bool = False
    positions: int | None = None
    int8: bool = False
    data: str | None = None
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    label_map: Mapping[str, str] | None = None
    limit: int | None = None
    min_agreement: float | None = None
    seconds: float = 2.0

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that make no sense or have no effect."""
        if not any(getattr(self, name) for name in _CHANGES if name != "prune_ffn") and (
            self.prune_ffn is None
        ):
            names = ", ".join(f"`{name}`" for name in _CHANGES)
            raise UsageError(f"nothing to do: give at least one of {names}")
        for name in _SHARES:
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise UsageError(f"`{name}` {share:g}: must be from 0 to 1")
        if self.prune_ffn in {0, 1}:
            kept = "every neuron" if self.prune_ffn == 0 else "no neuron"
            raise UsageError(f"`prune_ffn` {self.prune_ffn:g} keeps {kept}; use 0.5, for example")
        if self.data is None:
            self._check_without_data()
        if len(self.prune_heads) > 1 and any(":" not in each for each in self.prune_heads):
            raise UsageError("`prune_heads`: give one number, auto, or heads such as 0:1,3")

    @property
    def ranks_heads(self) -> bool:
        """Whether heads are chosen by their importance."""
        return bool(self.prune_heads) and ":" not in self.prune_heads[0]

    def _check_without_data(self) -> None:
        if self.ranks_heads:
            raise UsageError("`prune_heads` by importance needs rows to measure it on; add `data`")
        if self.prune_vocab:
            raise UsageError("`prune_vocab` needs rows that say which tokens occur; add `data`")
        for name in _OF_DATA:
            if getattr(self, name) is not None:
                raise UsageError(f"`{name}` has no effect without `data`; add it")
