"""The preview of `distil choose`: the chosen option stands out, scores are percentages."""

from collections.abc import Mapping

from distilcli.console.preview import Preview
from distilcli.wording import percent


class ChoicesPreview(Preview):
    """A table of choices, with the scores of all options in their order."""

    def _readable(self, additions: Mapping[str, object]) -> Mapping[str, object]:
        scores = additions.get("scores")
        if not isinstance(scores, list):
            return additions
        shares = ["-" if score is None else percent(score) for score in scores]
        return {**additions, "scores": " ".join(shares)}

    def _style(self, name: str) -> str:
        return "bold green" if name == "choice" else super()._style(name)
