"""The columns of a delimited output, which grow when a row brings a new one.

The input's columns come first, in place, then the added ones. A column may turn up late: `error`
with the first bad row, or a key that the first JSON objects lacked. Cells are laid out in the
order in which columns were found; `order` is their final order.
"""

from collections.abc import Iterable, Mapping, Sequence

from distilcli.rows.jsonl import as_cell
from distilcli.rows.row import Row


class Layout:
    """Columns in the order in which they were found, each the input's or an added one."""

    def __init__(self, inputs: Sequence[str], added: Sequence[str]) -> None:
        self._inputs = tuple(inputs)
        self._names: list[str] = []
        self._is_input: list[bool] = []
        self._input_indices: dict[str, int] = {}
        self._added_indices: dict[str, int] = {}
        for name in inputs:
            # Of several columns with one name, the first is found by it; the others go by position.
            self._append(name, is_input=True)
        for name in added:
            self._append(name, is_input=False)

    def _append(self, name: str, *, is_input: bool) -> None:
        self._indices(is_input).setdefault(name, len(self._names))
        self._names.append(name)
        self._is_input.append(is_input)

    def _indices(self, is_input: bool) -> dict[str, int]:
        return self._input_indices if is_input else self._added_indices

    def found(self) -> list[tuple[str, bool]]:
        """Return each column's name and whether it is the input's, in the order they were found."""
        return list(zip(self._names, self._is_input, strict=True))

    def take(self, found: Sequence[tuple[str, bool]]) -> None:
        """Take over these columns, in the order in which another layout found them."""
        self._names, self._is_input = [], []
        self._input_indices, self._added_indices = {}, {}
        for name, is_input in found:
            self._append(name, is_input=is_input)

    def adopt(self, columns: Sequence[str]) -> None:
        """Take over an earlier output's columns: the input's come before the first added one."""
        added = [name for name, is_input in self.found() if not is_input]
        first = columns.index(added[0]) if added[0] in columns else len(columns)
        self.take([(name, index < first) for index, name in enumerate(columns)])

    def __len__(self) -> int:
        return len(self._names)

    def missing(self, row: Row, additions: Mapping[str, object]) -> list[tuple[bool, str]]:
        """Return the columns of this row that are new, as (is the input's, name)."""
        new: list[tuple[bool, str]] = []
        if row.columns != self._inputs:
            new += [(True, name) for name in row.columns if name not in self._input_indices]
        if not additions.keys() <= self._added_indices.keys():
            new += [(False, name) for name in additions if name not in self._added_indices]
        return new

    def add(self, names: Sequence[tuple[bool, str]]) -> None:
        """Append columns that `missing` found."""
        for is_input, name in names:
            self._append(name, is_input=is_input)

    def order(self) -> list[int]:
        """Return the indices of the columns in the order of the header, the input's first."""
        return sorted(range(len(self)), key=lambda index: not self._is_input[index])

    def header(self) -> list[str]:
        """Return the names in the order of the header."""
        return [self._names[index] for index in self.order()]

    def settle(self) -> None:
        """Use the order of the header for cells too, before any are laid out."""
        self.take([(self._names[index], self._is_input[index]) for index in self.order()])

    def cells(self, row: Row, additions: Mapping[str, object]) -> list[str]:
        """Return a row's cells, one per column; values without a column are dropped."""
        cells = [""] * len(self)
        if row.columns == self._inputs:
            cells[: len(self._inputs)] = map(as_cell, row.cells)
        else:
            _put(cells, self._input_indices, zip(row.columns, row.cells, strict=True))
        _put(cells, self._added_indices, additions.items())
        return cells


def _put(
    cells: list[str], indices: Mapping[str, int], values: Iterable[tuple[str, object]]
) -> None:
    for name, value in values:
        index = indices.get(name)
        if index is not None:
            cells[index] = as_cell(value)
