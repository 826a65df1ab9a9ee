"""The preview of `distil tag`: the first texts with their entities marked in place."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from distilcli.console.preview import Preview, Shown, lines_for_rows
from distilcli.console.terminal import printable, stdout, terminal_size, text
from distilcli.rows.row import Row, cell_value
from distilcli.rows.row_writer import AddedNames

if TYPE_CHECKING:
    from rich.text import Text

# Dark on light, easy to tell apart, and the same in every terminal.
_COLORS = ("#a6e1fa", "#ffd166", "#b5e48c", "#f4acb7", "#cdb4db", "#ffb385", "#99d5c9", "#e0d68a")
_MAX_CHARS = 1000
_NUMBER_WIDTH = 2


class EntityView(Preview):
    """The first texts of a run; each of `labels` has a colour of its own."""

    def __init__(
        self,
        names: AddedNames,
        *,
        labels: Sequence[str],
        text_columns: Sequence[str],
        live: bool = False,
    ) -> None:
        super().__init__(names, text_columns=text_columns, live=live)
        self._text_column = text_columns[0]
        self._numbered = 0
        self._labels = list(labels)
        # No text may fill more than half of the lines.
        columns = terminal_size().columns - _NUMBER_WIDTH - 2
        self._max_chars = min(_MAX_CHARS, columns * (lines_for_rows() // 2))

    def _shown(self, row: Row, additions: Mapping[str, object]) -> Shown:
        self._numbered += 1
        value = cell_value(row, self._text_column)
        plain = " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
        return {"number": self._numbered, "text": plain, **additions}

    def _print_rows(self) -> None:
        from rich.table import Table

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(justify="right", style="dim", min_width=_NUMBER_WIDTH)
        grid.add_column()
        width, lines = terminal_size().columns - _NUMBER_WIDTH - 2, 0
        for index, row in enumerate(self._rows):
            marked = self._marked_text(row)
            lines += -(-marked.cell_len // width)
            if lines > self._most and index and not self._live:
                del self._rows[index:]
                break
            grid.add_row(str(row["number"]), marked)
        stdout().print(grid)

    def _all_names(self) -> list[str]:
        return []  # there are no columns

    def _style_of(self, label: str | None) -> str:
        if label is None:
            return "reverse dim"
        # Tokens that are not joined have the model's own labels: B-PER has PER's colour.
        kind = label if label in self._labels else label.partition("-")[2]
        index = self._labels.index(kind) if kind in self._labels else 0
        return f"black on {_COLORS[index % len(_COLORS)]}"

    def _marked_text(self, row: Shown) -> "Text":
        """Return a row's text with its entities in brackets, which read without colours too."""
        plain, entities = str(row["text"]), row.get("entities")
        marked = text("")
        position = 0
        for entity in entities if isinstance(entities, list) else ():
            if entity["end"] > self._max_chars:
                break
            marked.append(printable(plain[position : entity["start"]]))
            style = self._style_of(entity["label"])
            marked.append(f"[{printable(entity['text'])} ", style)
            marked.append(f"{printable(entity['label'] or '?')}]", f"bold {style}")
            position = entity["end"]
        marked.append(printable(plain[position : max(position, self._max_chars)]))
        if len(plain) > max(position, self._max_chars):
            marked.append(" …", "dim")
        if row.get("error") is not None:
            marked.append(f"{' ' if plain else ''}{printable(str(row['error']))}", "red")
        return marked
