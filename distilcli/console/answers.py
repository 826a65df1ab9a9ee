"""The preview of `distil qa`: each answer with the passage of its context around it."""

from collections.abc import Mapping

from distilcli.console.preview import MarkedText, Preview
from distilcli.console.terminal import printable

_AROUND = 160  # characters kept on either side of an answer


class AnswersPreview(Preview):
    """A table of answers; the passage shows where an answer is, so its offsets are left out."""

    only_in_files = frozenset({"start", "end"})

    def _marked(self, text: object, additions: Mapping[str, object]) -> object:
        answer, start, end = (additions.get(name) for name in ("answer", "start", "end"))
        if not (isinstance(answer, str) and isinstance(start, int) and isinstance(end, int)):
            return text
        if not (isinstance(text, str) and text[start:end] == answer):
            return text
        first = max(0, start - _AROUND)
        passage = MarkedText(printable(text[first : end + _AROUND]))
        passage.spans = [(start - first, end - first)]
        return passage

    def _style(self, name: str) -> str:
        return "bold" if name.startswith("answer") else super()._style(name)
