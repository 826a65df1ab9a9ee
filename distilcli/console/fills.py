"""The preview of `distil fill`: filled texts with the new words marked, and other candidates."""

from collections.abc import Mapping

from distilcli.console.preview import Preview
from distilcli.wording import percent

_MAX_FILLS = 36  # enough for three or four candidates


class FillsPreview(Preview):
    """A table of filled texts, shown in place of the texts with their masks."""

    only_in_files = frozenset({"filled"})

    def _readable(self, additions: Mapping[str, object]) -> Mapping[str, object]:
        """Return the candidates as `good 52%, bad 20%`, those of several masks with `·` between."""
        fills = additions.get("fills")
        if not isinstance(fills, list):
            return additions
        shown = (
            ", ".join(f"{fill['token']} {percent(fill['score'])}" for fill in of_mask)
            for of_mask in fills
        )
        return {**additions, "fills": " · ".join(shown)}

    def _marked(self, text: object, additions: Mapping[str, object]) -> object:
        filled = additions.get("filled")
        return text if filled is None else filled

    def _max_width(self, name: str) -> int:
        is_fills = name in self._added and name == f"{self._names.prefix}fills"
        return _MAX_FILLS if is_fills else super()._max_width(name)
