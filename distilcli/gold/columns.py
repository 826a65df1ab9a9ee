"""Which columns of a file hold the text, the second text and the gold labels of a task."""

from collections.abc import Sequence
from dataclasses import dataclass

from distilcli.errors import InputError, UsageError
from distilcli.rows.reader import RowSource
from distilcli.tasks.spec import TaskSpec

_OF_WORDS = "ForTokenClassification"


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The columns that the user named; None takes the first usual one of the task.

    `label_columns` hold 0 or 1 for the label of their name, `labels` are the names of labels that
    are numbers. `pair_column` holds the second text of a pair, or the context of a question, and
    `negative_column` a text that does not belong to the first one. The options of a prompt are a
    list in `options_column`, or one in each of `option_columns`. `label_separator` is what
    separates the labels of a cell that may have several.
    """

    text_column: str | None = None
    pair_column: str | None = None
    negative_column: str | None = None
    label_column: str | None = None
    options_column: str | None = None
    option_columns: tuple[str, ...] = ()
    label_separator: str | None = None
    label_columns: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that exclude each other, or a duplicate name."""
        others = [name for name in ("label_column", "labels") if getattr(self, name)]
        if self.label_columns and others:
            raise UsageError(
                f"`label_columns` and `{others[0]}` do not go together; give one of them"
            )
        for setting in ("option_columns", "label_columns", "labels"):
            names = getattr(self, setting)
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise UsageError(f"`{setting}`: {twice!r} is named twice")
        if len(self.label_columns) == 1:
            raise UsageError(f"`label_columns` {self.label_columns[0]!r}: name at least two")


def text_column(source: RowSource, task: TaskSpec, columns: Columns) -> str:
    """Return the column with the text, or with what is the task's first text."""
    if not task.text_columns:
        return source.text_column
    return _usual(source, task.text_columns, "text_column", columns.text_column)


def pair_column(source: RowSource, task: TaskSpec, columns: Columns) -> str | None:
    """Return the column with the second text; None where the task needs none and none is named."""
    if task.pair_columns:
        return _usual(source, task.pair_columns, "pair_column", columns.pair_column)
    return None if columns.pair_column is None else source.find_column(columns.pair_column)


def negative_column(source: RowSource, task: TaskSpec, columns: Columns) -> str | None:
    """Return the column with texts that do not belong to the first ones; None if there is none."""
    if columns.negative_column is not None:
        return source.find_column(columns.negative_column)
    by_lower = {name.lower(): name for name in reversed(source.columns)}
    return next((by_lower[name] for name in task.negative_columns if name in by_lower), None)


def _usual(source: RowSource, usual: Sequence[str], setting: str, wanted: str | None) -> str:
    return source.usual_column(*usual, option=f"`{setting}`", wanted=wanted)


def gold_column(
    source: RowSource,
    task: TaskSpec,
    columns: Columns,
    *,
    taken: Sequence[str | None] = (),
    may_be_missing: bool = False,
) -> str:
    """Return the column with the gold labels, answers or numbers; never one of `taken`.

    One that may be missing need not be in the first row. Raises `InputError` if it is not found.
    """
    if columns.label_columns:
        first, *_ = map(source.find_column, columns.label_columns)
        return first
    wanted = columns.label_column
    if wanted is not None:
        return wanted if may_be_missing else source.find_column(wanted)
    free = [name for name in source.columns if name not in taken]
    if source.format == "conll":
        if task.head != _OF_WORDS:
            raise InputError(f"{source.name}: CoNLL has a label for each word; give `task` tag")
        found = next((name for name in reversed(free) if name not in {"text", "tokens"}), None)
        found = "upos" if "upos" in free else found
    else:
        by_lower = {name.lower(): name for name in reversed(free)}
        found = next((by_lower[name] for name in task.gold_columns if name in by_lower), None)
    if found is not None:
        return found
    if may_be_missing or (source.format == "jsonl" and not source.columns):
        return task.gold_columns[0]
    raise _not_found(source, taken, several="label_columns" in task.settings)


def _not_found(source: RowSource, taken: Sequence[str | None], *, several: bool) -> InputError:
    if source.format == "conll":
        return InputError(f"{source.name}: has one column, words without labels")
    named = ", ".join(repr(name) for name in taken if name is not None)
    return InputError(
        f"{source.name}: no label column{f' beside {named}' if named else ''}; name it with "
        f"`label_column`{', or columns of 0 and 1 with `label_columns`' if several else ''} "
        f"(columns: {', '.join(source.columns)})"
    )
