"""The preview of `distil tag`: the first texts with their entities marked in place."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distilcli.console.preview import Preview, Shown, lines_for_rows
from distilcli.console.terminal import printable, stdout, terminal_size

if TYPE_CHECKING:
    from rich.text import Text

    from distilcli.rows.row import Row
    from distilcli.rows.row_writer import AddedNames

# Dark on light, easy to tell apart, and the same in every terminal.
_COLORS = ("#a6e1fa", "#ffd166", "#b5e48c", "#f4acb7", "#cdb4db", "#ffb385", "#99d5c9", "#e0d68a")
_MAX_CHARS = 1000
_NUMBER_WIDTH = 2


class EntityView(Preview):
    """The first texts of a run; each of `labels` has a colour of its own."""

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
        # No text may fill more than half of the lines.
        columns = terminal_size().columns - _NUMBER_WIDTH - 2
        self._max_chars = min(_MAX_CHARS, columns * (lines_for_rows() // 2))

    def _shown(self, row: "Row", additions: Mapping[str, object]) -> Shown:
        from distilcli.rows.row import cell_value

        self._numbered += 1
        value = cell_value(row, self._text_column)
        text = " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
        return {"number": self._numbered, "text": text, **additions}

    def _print_rows(self) -> None:
        from rich.table import Table

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(justify="right", style="dim", min_width=_NUMBER_WIDTH)
        grid.add_column()
        width, lines = terminal_size().columns - _NUMBER_WIDTH - 2, 0
        for index, row in enumerate(self._rows):
            text = self._marked_text(row)
            lines += -(-text.cell_len // width)
            if lines > self._most and index and not self._live:
                del self._rows[index:]
                break
            grid.add_row(str(row["number"]), text)
        stdout().print(grid)

    def _all_names(self) -> list[str]:
        return []  # there are no columns

    def _style_of(self, label: str) -> str:
        # Tokens that are not joined have the model's own labels: B-PER has PER's colour.
        kind = label if label in self._labels else label.partition("-")[2]
        index = self._labels.index(kind) if kind in self._labels else 0
        return f"black on {_COLORS[index % len(_COLORS)]}"

    def _marked_text(self, row: Shown) -> "Text":
        """Return a row's text with its entities in brackets, which read without colours too."""
        from rich.text import Text

        text, entities = str(row["text"]), row.get("entities")
        marked = Text()
        position = 0
        for entity in entities if isinstance(entities, list) else ():
            if entity["end"] > self._max_chars:
                break
            marked.append(printable(text[position : entity["start"]]))
            style = self._style_of(entity["label"])
            marked.append(f"[{printable(entity['text'])} ", style)
            marked.append(f"{printable(entity['label'])}]", f"bold {style}")
            position = entity["end"]
        marked.append(printable(text[position : max(position, self._max_chars)]))
        if len(text) > max(position, self._max_chars):
            marked.append(" …", "dim")
        if row.get("error") is not None:
            marked.append(f"{' ' if text else ''}{printable(str(row['error']))}", "red")
        return marked
