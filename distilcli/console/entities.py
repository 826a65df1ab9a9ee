"""What `distil tag` shows on a terminal: the first texts, their entities marked in place."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distilcli.console.results import Preview, Shown, _stdout

if TYPE_CHECKING:
    from rich.text import Text

    from distilcli.rows.row import Row
    from distilcli.rows.writer import AddedNames

# Dark on light, far enough apart to be told at a glance, and the same in every terminal.
_COLORS = ("#a6e1fa", "#ffd166", "#b5e48c", "#f4acb7", "#cdb4db", "#ffb385", "#99d5c9", "#e0d68a")
_MOST_SIGNS = 1000


class EntityView(Preview):
    """The first texts of a run; a label of `labels` has the colour of its place among them."""

    def __init__(
        self,
        names: "AddedNames",
        *,
        labels: Sequence[str],
        text_columns: Sequence[str],
        **settings: Any,
    ) -> None:
        super().__init__(names, text_columns=text_columns, **settings)
        self._text_column = text_columns[0]
        self._colors = {
            label: _COLORS[number % len(_COLORS)] for number, label in enumerate(labels)
        }

    def write_rows(self, block: "Sequence[tuple[Row, Mapping[str, object]]]") -> None:
        """Take a block of rows with their additions."""
        self._total += len(block)
        for row, additions in block if self._live else block[: self._most - len(self._rows)]:
            self._rows.append({"text": self._text_of(row), **additions})
        if self._live:
            self._show_rows()
            self._rows.clear()

    def _text_of(self, row: "Row") -> str:
        from distilcli.errors import RowError
        from distilcli.rows.row import cell_text

        try:
            return cell_text(row, self._text_column)
        except RowError:
            return ""

    def _show_rows(self) -> None:
        console = _stdout()
        in_color = console.color_system is not None and not console.no_color
        for row in self._rows:
            console.print(self._marked(row, in_color=in_color))

    def _show_rest(self) -> None:
        from rich.text import Text

        if more := self._total - len(self._rows):
            _stdout().print(Text(f"… {more:,} more rows; -o FILE keeps them all", "dim"))

    def _marked(self, row: Shown, *, in_color: bool) -> "Text":
        """Return a row's text with its entities in boxes, or in brackets where colours are none."""
        from rich.text import Text

        text, entities = str(row["text"]), row.get("entities")
        marked = Text()
        place = 0
        for entity in entities if isinstance(entities, list) else ():
            if entity["end"] > _MOST_SIGNS:
                break
            marked.append(_visible(text[place : entity["start"]]))
            color = self._colors.get(entity["label"], _COLORS[0])
            box, label = (f"black on {color}", f"bold black on {color}") if in_color else ("", "")
            before, after = ("\u00a0", "\u00a0") if in_color else ("[", "]")
            marked.append(f"{before}{_visible(entity['text'])} ", box)
            marked.append(f"{entity['label']}{after}", label)
            place = entity["end"]
        rest = text[place:]
        marked.append(_visible(rest[: max(0, _MOST_SIGNS - place)]))
        if len(text) > max(place, _MOST_SIGNS):
            marked.append(" …", "dim")
        if row.get("error") is not None:
            marked.append(f"{' ' if text else ''}{_visible(str(row['error']))}", "red")
        return marked


def _visible(text: str) -> str:
    """Return a text in one line, without what a terminal would obey."""
    return "".join(s if s.isprintable() else " " if s.isspace() else "\ufffd" for s in text)
