"""What `distil tag` shows on a terminal: the first texts, their entities marked in place."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distilcli.console.summary import Preview, Shown, _counted, _stdout

if TYPE_CHECKING:
    from rich.text import Text

    from distilcli.rows.row import Row
    from distilcli.rows.row_writer import AddedNames

# Dark on light, far enough apart to be told at a glance, and the same in every terminal.
_COLORS = ("#a6e1fa", "#ffd166", "#b5e48c", "#f4acb7", "#cdb4db", "#ffb385", "#99d5c9", "#e0d68a")
_MOST_SIGNS = 1000
_NUMBER_WIDTH = 2


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
        self._numbered = 0
        self._labels = list(labels)

    def write_rows(self, block: "Sequence[tuple[Row, Mapping[str, object]]]") -> None:
        """Take a block of rows with their additions."""
        self._total += len(block)
        for row, additions in block if self._live else block[: self._most - len(self._rows)]:
            self._numbered += 1
            shown = {"number": self._numbered, "text": self._text_of(row), **additions}
            self._rows.append(shown)
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

    def _style_of(self, label: str) -> str:
        # With tokens that are not joined, labels are the model's own: B-PER has PER's colour.
        kind = label if label in self._labels else label.partition("-")[2]
        number = self._labels.index(kind) if kind in self._labels else 0
        return f"black on {_COLORS[number % len(_COLORS)]}"

    def _show_rows(self) -> None:
        from rich.table import Table

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(justify="right", style="dim", min_width=_NUMBER_WIDTH)
        grid.add_column()
        for row in self._rows:
            grid.add_row(str(row["number"]), self._marked(row))
        _stdout().print(grid)

    def _show_rest(self) -> None:
        from rich.text import Text

        if more := self._total - len(self._rows):
            rest = f"… {_counted(more, 'more row')}; -o FILE keeps them all"
            _stdout().print(Text(rest, "dim"))

    def _marked(self, row: Shown) -> "Text":
        """Return a row's text with its entities in brackets, which read without colours too."""
        from rich.text import Text

        text, entities = str(row["text"]), row.get("entities")
        marked = Text()
        place = 0
        for entity in entities if isinstance(entities, list) else ():
            if entity["end"] > _MOST_SIGNS:
                break
            marked.append(_visible(text[place : entity["start"]]))
            style = self._style_of(entity["label"])
            marked.append(f"[{_visible(entity['text'])} ", style)
            marked.append(f"{_visible(entity['label'])}]", f"bold {style}")
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
