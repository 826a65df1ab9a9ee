"""What a run over rows shows on a terminal: its first rows, and at the end what it did."""

import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from distilcli.console import Console
from distilcli.training.run_files import scores_of

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    from distilcli.engine.estimate import Estimate
    from distilcli.rows.row import Row
    from distilcli.rows.row_writer import AddedNames
    from distilcli.stats import RunStats
    from distilcli.training.data_checks import Finding
    from distilcli.training.dry_run import TrainingEstimate

_GAP = 2  # spaces between two columns
_LEAST_TEXT, _MOST_TEXT = 24, 100
_MOST_OTHER = 30
_BAR_WIDTH = 24
_LABELS_SHOWN = 20
_LEAST_SHARE = 0.005
_MUCH_DISK = 1e9

Shown = dict[str, object]


class Preview:
    """A table of the first rows of a run; takes blocks as a writer of rows does.

    With `live` every row is shown, as soon as it comes. The columns that the model reads
    (`text_columns`) are always there, the added ones and then the others as far as there is room.
    """

    _for_files: frozenset[str] = frozenset()
    """Added columns that a table does without."""

    def __init__(
        self,
        names: "AddedNames",
        *,
        text_columns: Sequence[str],
        live: bool = False,
        most: int = 20,
    ) -> None:
        self._names = names
        # A dotted path leads into a column of the table.
        self._texts = {part for name in text_columns for part in (name, name.partition(".")[0])}
        self._live = live
        self._most = most
        self._rows: list[Shown] = []
        self._added: dict[str, None] = {}
        self._total = 0
        self._widths: dict[str, int] | None = None

    def write_rows(self, block: "Sequence[tuple[Row, Mapping[str, object]]]") -> None:
        """Take a block of rows with their additions."""
        self._total += len(block)
        for row, additions in block if self._live else block[: self._most - len(self._rows)]:
            named = self._names.apply(row, additions)
            self._added |= dict.fromkeys(named)
            cells = dict(zip(row.columns, row.cells, strict=False))
            self._rows.append({**self._shown(cells, additions), **named})
        if self._live:
            self._show_rows()
            self._rows.clear()

    def _shown(self, cells: Shown, additions: Mapping[str, object]) -> Shown:
        """Return what is shown of a row's own cells."""
        return cells

    def __enter__(self) -> "Preview":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and self._rows:
            self._show_rows()
            self._show_rest()

    def _show_rows(self) -> None:
        from rich.table import Table
        from rich.text import Text

        is_first = self._widths is None
        if self._widths is None:
            self._widths = self._fitted()
        table = Table(box=None, pad_edge=False, header_style="bold", show_header=is_first)
        for name, width in self._widths.items():
            justify: Any = "right" if self._is_number(name) else "left"
            table.add_column(
                Text(name), width=width, justify=justify, no_wrap=True, overflow="ellipsis"
            )
        for row in self._rows:
            cells = ((name, row.get(name), width) for name, width in self._widths.items())
            table.add_row(*(self._text(*cell) for cell in cells))
        _stdout().print(table)

    def _text(self, name: str, value: object, width: int) -> "Text":
        """Return a cell as it is shown; what is longer than `width` is cut off later."""
        from rich.text import Text

        return Text(_cell(value), self._style(name))

    def _show_rest(self) -> None:
        """Say under the table what is not in it."""
        from rich.text import Text

        rest = [f"{self._total - len(self._rows):,} more rows"] if self._total > self._most else []
        every = dict.fromkeys(name for row in self._rows for name in row)
        if hidden := [name for name in every if name not in (self._widths or ())]:
            rest.append(f"columns not shown: {', '.join(hidden)}")
        if rest:
            _stdout().print(Text(f"… {'; '.join(rest)}; -o FILE keeps them all", "dim"))

    def _fitted(self) -> dict[str, int]:
        """Choose the columns that fit into the terminal, in their order, with their widths."""
        left_out = {self._names.prefix + name for name in self._for_files}
        every = dict.fromkeys(name for row in self._rows for name in row)
        names = [name for name in every if name not in left_out]
        wanted = {name: self._natural_width(name) for name in names}
        texts = [name for name in names if name in self._texts and name not in self._added]
        room = terminal_width() + _GAP
        chosen = set(texts)
        others = [name for name in names if name not in chosen | self._added.keys()]
        # What was found may leave the text less room than the input's other columns may.
        added = [name for name in names if name in self._added]
        for group, least in ((added, _LEAST_TEXT // 2), (others, _LEAST_TEXT)):
            for name in group:
                for_texts = sum(min(wanted[text], least) + _GAP for text in texts)
                if for_texts + wanted[name] + _GAP <= room:
                    chosen.add(name)
                    room -= wanted[name] + _GAP
        share = room // max(1, len(texts)) - _GAP
        for name in texts:
            most = share if self._live else min(wanted[name], share)
            wanted[name] = max(8, most)
        return {name: wanted[name] for name in names if name in chosen}

    def _natural_width(self, name: str) -> int:
        from rich.cells import cell_len

        widest = max(cell_len(_cell(row.get(name))) for row in self._rows)
        if self._live and name in self._added and not self._is_number(name):
            widest = max(widest, 12)  # a longer label may come
        return min(max(widest, cell_len(name)), self._most_width(name))

    def _most_width(self, name: str) -> int:
        return _MOST_TEXT if name in self._texts else _MOST_OTHER

    def _is_number(self, name: str) -> bool:
        return all(isinstance(row.get(name), int | float | None) for row in self._rows)

    def _style(self, name: str) -> str:
        if name not in self._added:
            return ""
        if name.endswith("error"):
            return "red"
        return "bold" if "label" in name else ""


def show_summary(
    console: Console, stats: "RunStats", counts: Counter[str], *, counted: str = "rows"
) -> None:
    """Say on stderr what a run did: tables for people, one line for a log.

    `counts` are of rows by their labels, or of what `counted` says.
    """
    if console.quiet:
        return
    if not sys.stderr.isatty():
        console.note(_summary_line(stats))
        return
    stderr = _stderr()
    stderr.print()
    if counts:
        whole = stats.rows - stats.failed if counted == "rows" else counts.total()
        stderr.print(_distribution(counts, counted, whole))
        stderr.print()
    stderr.print(_figures(stats))


def show_estimate(console: Console, expected: "Estimate") -> None:
    """Say what a run would take."""
    parts = [
        f"{_counted(expected.rows, 'row')}, {_counted(expected.tokens, 'token')}",
        f"about {_duration(expected.expected_seconds)}",
    ]
    if expected.expected_peak_memory_bytes is not None:
        parts.append(f"peak memory about {mebibytes(expected.expected_peak_memory_bytes)}")
    for count, what in (
        (expected.truncated_rows, "would be truncated"),
        (expected.failed_rows, "would fail"),
    ):
        if count:
            parts.append(f"{count:,} {what}")
    console.note("; ".join(parts))


def show_findings(console: Console, findings: "Sequence[Finding]") -> None:
    """Warn of what is wrong with the rows to learn from."""
    from distilcli.training.data_checks import finding_lines

    console.note(*finding_lines(findings))


def show_cache(console: Console, size: int) -> None:
    """Say what a teacher's answers will take on the disk, if it is much."""
    if size > _MUCH_DISK:
        console.note(f"the teacher's answers will take about {size / 1e9:,.1f} GB in the cache")


def show_training_estimate(console: Console, expected: "TrainingEstimate") -> None:
    """Say what a training run would take."""
    parts = [
        _counted(expected.steps, "step"),
        _counted(expected.tokens, "token"),
        _counted(expected.evaluations, "evaluation"),
        f"about {_duration(expected.expected_seconds)}",
    ]
    if expected.expected_peak_memory_bytes is not None:
        parts.append(f"peak memory about {mebibytes(expected.expected_peak_memory_bytes)}")
    console.note("; ".join(parts))


def show_training(
    console: Console, summary: Mapping[str, Any], folder: str, *, command: str
) -> None:
    """Say how a training run ended and how the model, which is in `folder`, is used."""
    best = summary["best"]
    console.note(
        f"best {training_scores(best)} after {best['step']:,} of {summary['steps']:,} steps",
        f"the model is in {folder}; try: distil {command} FILE --model {folder}",
    )


def training_scores(entry: Mapping[str, Any]) -> str:
    """Return the scores of an evaluation in words."""
    scores = scores_of(entry).items()
    return ", ".join(f"{name.replace('_', ' ')} {score:.4f}" for name, score in scores)


def show_interrupted(console: Console, folder: str, *, can_resume: bool, forced: bool) -> None:
    """Say how to go on after a training run was interrupted."""
    instead = " instead of --force" if forced else ""
    resume = f"repeat the command with --resume{instead} to go on"
    how = resume if can_resume else "nothing is saved yet"
    console.warn(f"interrupted; {folder}: {how}")


def _distribution(counts: Counter[str], counted: str, whole: int) -> "Table":
    """Return a table of the labels; the shares of rows, which may have several, sum to more."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("label", max_width=_MOST_OTHER, no_wrap=True, overflow="ellipsis")
    table.add_column(counted, justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="crop")
    for label, count in counts.most_common(_LABELS_SHOWN):
        share = count / max(1, whole)
        bar = Text("━" * max(1, round(share * _BAR_WIDTH)), "cyan")
        table.add_row(Text(_cell(label)), f"{count:,}", f"{share:.1%}", bar)
    if len(counts) > _LABELS_SHOWN:
        table.add_row(Text(f"… {_counted(len(counts) - _LABELS_SHOWN, 'more label')}", "dim"))
    return table


def _figures(stats: "RunStats") -> "Table":
    """Return a grid of what a run did and cost; what did not happen is left out."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, _GAP))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    grid.add_row("done", Text(_speed(stats), "bold"))
    if stats.batches:
        times = ", ".join(f"{name} {ms:,.0f} ms" for name, ms in stats.latency_ms.items())
        batches = f"{stats.batches:,}: {times}; padding {stats.padding_share:.1%}"
        grid.add_row("batches", Text(batches))
    memory = stats.as_dict()["peak_memory_bytes"]
    peak = "" if memory is None else f", peak memory {mebibytes(memory)}"
    grid.add_row("device", Text(f"{stats.device}{peak}"))
    for what, text, style in _mishaps(stats):
        grid.add_row(Text(what, style), Text(text, style))
    return grid


def _summary_line(stats: "RunStats") -> str:
    return "; ".join([_speed(stats), *(f"{what}: {text}" for what, text, _ in _mishaps(stats))])


def _speed(stats: "RunStats") -> str:
    if not stats.rows:
        return "0 rows"
    return (
        f"{_counted(stats.rows, 'row')} in {_duration(stats.seconds)} "
        f"({stats.rows_per_second:,.1f} rows/s, {stats.tokens_per_second:,.0f} tokens/s)"
    )


def _mishaps(stats: "RunStats") -> list[tuple[str, str, str]]:
    """Return what did not go smoothly: a word for it, what happened, and a style."""
    left_out = " (left out)" if stats.skipped else ""
    failed = f"{_counted(stats.failed, 'row')}{left_out}, the first: {stats.first_error}"
    halved = f"{_counted(stats.halvings, 'time')}, because memory ran out"
    befell = [
        (stats.halvings, "batches halved", halved, "yellow"),
        (stats.truncated, "truncated", _counted(stats.truncated, "row"), "yellow"),
        (stats.failed, "failed", failed, "red"),
    ]
    return [(what, text, style) for count, what, text, style in befell if count]


def _stdout() -> "RichConsole":
    from rich.console import Console as RichConsole

    return RichConsole(file=sys.stdout, highlight=False, width=terminal_width())


def _stderr() -> "RichConsole":
    from rich.console import Console as RichConsole

    return RichConsole(stderr=True, highlight=False)


def terminal_width() -> int:
    """Return the columns of the terminal; where there is none, enough to read well."""
    return shutil.get_terminal_size((100, 24)).columns


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def mebibytes(size: int) -> str:
    """Return a size in bytes as people read it."""
    return f"{size / 2**20:,.0f} MiB"


def _duration(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _cell(value: object) -> str:
    from distilcli.rows.jsonl import as_cell

    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(part) for part in value)
    text = " ".join(as_cell(value).split())
    # What a terminal would obey (colours, bells, cursor moves) is shown, not sent.
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def percent(score: float) -> str:
    """Return a probability as people say it: `52%`, and never 0 for what is little."""
    return "<1%" if 0 < score < _LEAST_SHARE else f"{score:.0%}"


def one_line(text: str) -> str:
    """Return a text, sign for sign, without those that a terminal would obey."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "�" for sign in text)
