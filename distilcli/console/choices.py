"""Choices on a terminal: of all options the one that was chosen stands out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from distilcli.console.summary import Preview, percent

if TYPE_CHECKING:
    from distilcli.rows.row import Row


class ChoicesPreview(Preview):
    """A table of choices; the scores of all options are percentages, in their order."""

    def write_rows(self, block: "Sequence[tuple[Row, Mapping[str, object]]]") -> None:
        """Take a block of rows with their additions."""
        super().write_rows([(row, _readable(additions)) for row, additions in block])

    def _style(self, name: str) -> str:
        is_choice = name in self._added and name == f"{self._names.prefix}choice"
        return "bold green" if is_choice else super()._style(name)


def _readable(additions: Mapping[str, object]) -> dict[str, object]:
    scores = additions.get("scores")
    if not isinstance(scores, list):
        return dict(additions)
    shares = ["-" if score is None else percent(score) for score in scores]
    return {**additions, "scores": " ".join(shares)}
