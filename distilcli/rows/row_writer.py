"""The base of all row writers: blocks of rows in, columns added under names that do not clash."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distilcli.errors import UsageError
from distilcli.interrupt import deferred_interrupt
from distilcli.rows.file_output import FileOutput
from distilcli.rows.output import Output, State, WholeOrNothing
from distilcli.rows.row import Row

RENAMING = "predicted_"

Block = Sequence[tuple[Row, Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class AddedNames:
    """The names of added columns, which never hide an input column."""

    prefix: str
    renamed: bool
    taken: frozenset[str]

    @classmethod
    def chosen(cls, columns: Sequence[str], new: Sequence[str], prefix: str) -> "AddedNames":
        """Choose the prefix that keeps `new` apart from the input's `columns`.

        Raises `UsageError` if even the renaming prefix leaves a clash.
        """
        # A column is also found without the blanks around its name.
        taken = frozenset([*columns, *(name.strip() for name in columns)])
        for candidate in (prefix, RENAMING + prefix):
            clashing = [candidate + name for name in new if candidate + name in taken]
            if not clashing:
                return cls(candidate, candidate != prefix, taken)
        raise UsageError(f"the input has a column {clashing[0]!r} already; give another `prefix`")

    def apply(self, row: Row, additions: Mapping[str, object]) -> Mapping[str, object]:
        """Return `additions` under their final names; a late clash is renamed alone."""
        names = additions.keys()
        if not self.prefix and names.isdisjoint(self.taken) and names.isdisjoint(row.columns):
            return additions
        return {self.free(name, row.columns): value for name, value in additions.items()}

    def free(self, name: str, columns: Sequence[str] = ()) -> str:
        """Return the name of an added column that is not taken, nor one of `columns`."""
        name = self.prefix + name
        while name in self.taken or name in columns:
            name = RENAMING + name
        return name


class RowWriter(WholeOrNothing):
    """Writes blocks of rows; as a context manager it keeps the file only if no error occurred.

    `prefix` is what added columns begin with, `renamed` whether a clash of names chose it.
    `unshown` counts rows by column whose late additions a stream had no column for;
    `unshown_errors` are the first errors among them, and `more_errors` counts the others.
    """

    def __init__(self, output: Output, names: AddedNames) -> None:
        self._output = output
        self._names = names
        self.unshown: Counter[str] = Counter()
        self.unshown_errors: list[str] = []
        self.more_errors = 0

    @property
    def prefix(self) -> str:
        """The prefix of added columns."""
        return self._names.prefix

    @property
    def renamed(self) -> bool:
        """Whether `prefix` was set because an added column had the name of an input column."""
        return self._names.renamed

    def free_name(self, name: str) -> str:
        """Return the final name of a column that turns up late."""
        return self._names.free(name)

    def write_rows(self, block: Block) -> None:
        """Write rows, each with its additions by name; a stream shows them at once, all or none."""
        with deferred_interrupt():
            self._write([(row, self._names.apply(row, additions)) for row, additions in block])
            self._output.flush()

    @abstractmethod
    def _write(self, block: Block) -> None:
        """Write rows whose additions have their final names."""

    def state(self) -> State | None:
        """Return what `restore` needs; None where the output cannot be cut."""
        position = self._output.position() if isinstance(self._output, FileOutput) else None
        return None if position is None else {"bytes": position, **self._own_state()}

    def restore(self, state: State) -> None:
        """Continue where an earlier writer of this output was in that state."""
        if isinstance(self._output, FileOutput):
            self._output.go_back(state["bytes"])
        self._set_own_state(state)

    def _own_state(self) -> State:
        """Return what a writer knows besides the size of its output."""
        return {}

    def _set_own_state(self, state: State) -> None:
        """Take over what `_own_state` returned."""

    def adopt(self, columns: Sequence[str]) -> None:
        """Begin with the columns of an earlier output of the same run."""

    def copy(self, rows: Sequence[Row]) -> None:
        """Write rows of an earlier output as they are, additions included."""
        raise NotImplementedError

    def sync(self) -> None:
        """Wait until everything written is on the disk."""
        if isinstance(self._output, FileOutput):
            self._output.sync()

    def stays(self) -> None:
        """See `WholeOrNothing`."""
        super().stays()
        if isinstance(self._output, FileOutput):
            self._output.stays()

    def leave(self) -> None:
        """See `WholeOrNothing`."""
        if isinstance(self._output, FileOutput):
            self._output.leave()

    def close(self) -> None:
        """Finish: without rows write the header alone, and give the file its name."""
        self._output.commit()

    def abort(self) -> None:
        """Give up; no file is left."""
        self._output.discard()


def unique_names(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the names, repeated ones with `_2`, `_3`, …, as JSON objects need them unique."""
    names: list[str] = []
    taken, next_number = set(columns), dict.fromkeys(columns, 2)
    seen: set[str] = set()
    for column in columns:
        name = column
        while name in seen or (name in taken and name != column):
            name = f"{column}_{next_number[column]}"
            next_number[column] += 1
        seen.add(name)
        names.append(name)
    return tuple(names)
