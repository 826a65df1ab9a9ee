"""The columns of a delimited output, and how they grow when a row brings one that was not known.

The input's columns come first, in place, and the added ones after them. A column may turn up late:
`error` with the first bad row, or a key that the first JSON objects did not have. Cells are laid
out in the order in which the columns were found; `order` says how they stand in the end.
"""

from collections.abc import Mapping, Sequence

from distilcli.rows.jsonl import as_cell
from distilcli.rows.row import Row


class Layout:
    """Columns by the order in which they were found, each an input's or an added one."""

    def __init__(self, inputs: Sequence[str], added: Sequence[str]) -> None:
        self._inputs = tuple(inputs)
        self._names: list[str] = []
        self._is_input: list[bool] = []
        self._places: dict[tuple[bool, str], int] = {}
        for name in inputs:
            # Of columns with one name the first is found by it; the others go by position.
            self._append(name, is_input=True)
        for name in added:
            self._append(name, is_input=False)

    def _append(self, name: str, *, is_input: bool) -> None:
        self._places.setdefault((is_input, name), len(self._names))
        self._names.append(name)
        self._is_input.append(is_input)

    def __len__(self) -> int:
        return len(self._names)

    def missing(self, row: Row, additions: Mapping[str, object]) -> list[tuple[bool, str]]:
        """Return the columns of this row that are not known yet, as (is an input's, name)."""
        names = [] if row.columns == self._inputs else [(True, name) for name in row.columns]
        names += [(False, name) for name in additions]
        return [name for name in names if name not in self._places]

    def add(self, names: Sequence[tuple[bool, str]]) -> None:
        """Take up columns that `missing` found."""
        for is_input, name in names:
            self._append(name, is_input=is_input)

    def order(self) -> list[int]:
        """Return the places of the columns in the order of the header: the input's first."""
        return sorted(range(len(self)), key=lambda place: not self._is_input[place])

    def header(self) -> list[str]:
        """Return the names in the order of the header."""
        return [self._names[place] for place in self.order()]

    def settle(self) -> None:
        """Take the order of the header for the cells too; only before any were laid out."""
        columns = [(self._names[place], self._is_input[place]) for place in self.order()]
        self._names, self._is_input, self._places = [], [], {}
        for name, is_input in columns:
            self._append(name, is_input=is_input)

    def cells(self, row: Row, additions: Mapping[str, object]) -> list[str]:
        """Return a row's cells, one for each column; what has no column is left out."""
        cells = [""] * len(self)
        if row.columns == self._inputs:
            cells[: len(self._inputs)] = map(as_cell, row.cells)
        else:
            for name, value in zip(row.columns, row.cells, strict=True):
                self._place(cells, name, value, is_input=True)
        for name, value in additions.items():
            self._place(cells, name, value, is_input=False)
        return cells

    def _place(self, cells: list[str], name: str, value: object, *, is_input: bool) -> None:
        place = self._places.get((is_input, name))
        if place is not None:
            cells[place] = as_cell(value)
