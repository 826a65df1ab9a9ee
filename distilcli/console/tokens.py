"""Tokens and their statistics as people see them on a terminal.

Tokens stand over their ids, wrapped to the width of the terminal. The pieces of a word stand close
together and begin with ##, special tokens stand in their brackets, and an unknown one shows the
text that it hides, so that all can be told apart without colours too.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    from distilcli.rows import Row
    from distilcli.tokenizer.compare import Compared, DifferenceCounts
    from distilcli.tokenizer.rows import Done, Tokens
    from distilcli.tokenizer.statistics import LengthReport
    from distilcli.tokenizer.tokenizer import Tokenizer
    from distilcli.tokenizer.windows import Window

ROWS_SHOWN = 20

Kind = Literal["word", "piece", "special", "unknown"]

_STYLES: dict[Kind, str] = {
    "word": "bold",
    "piece": "cyan",
    "special": "magenta",
    "unknown": "bold red reverse",
}
_BAR_WIDTH = 40
_HIDDEN_WIDTH = 24


@dataclass(frozen=True, slots=True)
class _Cell:
    """One token as it is shown, over its id."""

    token: str
    number: str
    kind: Kind

    def width(self) -> int:
        from rich.cells import cell_len

        return max(cell_len(self.token), len(self.number))


class TokenView:
    """Shows rows of tokens on stdout."""

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self._tokenizer = tokenizer
        self._console = _stdout()

    def show(self, block: "Sequence[Done[Tokens]]") -> None:
        """Show a block of rows, each under a line that says where it is from."""
        for done in block:
            if done.value is None:
                self._console.print(_text(f"{done.error}\n", "red"))
                continue
            for number, window in enumerate(done.value.windows, start=1):
                of = f", window {number} of {n}" if (n := len(done.value.windows)) > 1 else ""
                self._show_window(done.row, done.value, window, of)

    def _show_window(self, row: "Row", tokens: "Tokens", window: "Window", of: str) -> None:
        cells = list(self._cells(tokens, window))
        unknown = sum(cell.kind == "unknown" for cell in cells)
        parts = [f"{len(cells)} tokens", f"{_words(window)} words"]
        parts += [f"{unknown} unknown"] * bool(unknown) + ["cut short"] * tokens.truncated
        self._console.print(_text(f"{row.source} {row.line}{of}: {', '.join(parts)}", "dim"))
        for line in _wrapped(cells, self._console.width):
            self._console.print(line, soft_wrap=True)
        self._console.print()

    def _cells(self, tokens: "Tokens", window: "Window") -> Iterator[_Cell]:
        hidden = self._tokenizer.special_numbers
        sequence = zip(window.input_ids, window.token_type_ids, window.offsets, strict=True)
        for number, token_type, (start, end) in sequence:
            token = self._tokenizer.tokens[number]
            kind: Kind = "piece" if token.startswith("##") else "word"
            if number == self._tokenizer.special.unk:
                source = (tokens.texts[token_type] or "")[start:end]
                token, kind = f"{token[:-1]}:{_visible(source, _HIDDEN_WIDTH)}]", "unknown"
            elif number in hidden:
                kind = "special"
            yield _Cell(_visible(token), str(number), kind)


def _words(window: "Window") -> int:
    places = zip(window.token_type_ids, window.word_ids, strict=True)
    return len({place for place in places if place[1] is not None})


def _wrapped(cells: Sequence[_Cell], width: int) -> "Iterator[Text]":
    """Yield lines of tokens and lines of ids in turn, cut at the width of the terminal."""
    from rich.text import Text

    above, below = Text(), Text()
    for cell in cells:
        # The pieces of a word stand closer to it than the next word does.
        gap = (1 if cell.kind == "piece" else 2) if above else 0
        if above and above.cell_len + gap + cell.width() > width:
            yield from (above, below)
            above, below, gap = Text(), Text(), 0
        for line, content, style in (
            (above, cell.token, _STYLES[cell.kind]),
            (below, cell.number, "dim"),
        ):
            line.append(" " * gap)
            line.append(content, style)
            line.append(" " * (cell.width() - Text(content).cell_len))
    yield from (above, below)


def show_lengths(report: "LengthReport", *, source: str) -> None:
    """Show the figures of a file: lengths, unknown words, padding and a histogram."""
    console = _stdout()
    cut = f"{report.rows_over_limit:,} ({report.share_over_limit:.1%})"
    figures = [
        ("rows", f"{report.rows:,}"),
        ("tokens", f"{report.tokens:,}"),
        ("mean", f"{report.mean:,.1f}"),
        ("shortest, longest", f"{report.shortest:,}, {report.longest:,}"),
        *((f"{percent} % have at most", f"{n:,}") for percent, n in report.percentiles.items()),
        (f"rows over {report.limit:,}", cut),
        *((f"--max-length for {p} % whole", f"{n:,}") for p, n in report.keep_whole.items()),
        ("unknown tokens", f"{report.unknown_tokens:,} ({report.unknown_share:.3%})"),
    ]
    table = _table(f"Tokens in the rows of {source}", "", "")
    for name, value in figures:
        table.add_row(name, value)
    console.print(table, _histogram(report), _padding(report), sep="\n")
    if report.unknown_words:
        console.print(_unknown_words(report))


def _histogram(report: "LengthReport") -> "Table":
    table = _table("How long they are", "tokens", "rows", "", justify=("right", "right", "left"))
    most = max((found.rows for found in report.histogram), default=0)
    for found in report.histogram:
        over = found.first > report.limit
        bar = "█" * round(found.rows / most * _BAR_WIDTH) or ("▏" if found.rows else "")
        label = f"{bar} over {report.limit:,}" if over and found.rows else bar
        style = "red" if over else "cyan"
        table.add_row(f"{found.first:,}-{found.last:,}", f"{found.rows:,}", _text(label, style))
    return table


def _padding(report: "LengthReport") -> "Table":
    title = "Padding: the share of positions it takes"
    table = _table(title, "rows in a batch", "as they come", "sorted by length")
    for padding in report.padding:
        table.add_row(f"{padding.rows}", f"{padding.in_order:.1%}", f"{padding.sorted:.1%}")
    return table


def _unknown_words(report: "LengthReport") -> "Table":
    table = _table("The most frequent unknown words", "word", "times")
    for word, count in report.unknown_words:
        table.add_row(_text(_visible(word, _HIDDEN_WIDTH), _STYLES["unknown"]), f"{count:,}")
    return table


class DifferenceView:
    """Shows rows of differences on stdout: a line for each, the text and both its tokens."""

    def __init__(self, here: str, there: str) -> None:
        self._names = (here, there)
        self._console = _stdout()

    def show(self, block: "Sequence[Done[Compared]]") -> None:
        """Show a block of rows that differ."""
        for done in block:
            place = f"{done.row.source} {done.row.line}"
            if done.value is None:
                self._console.print(_text(f"{done.error}\n", "red"))
                continue
            table = _table(place, "text", *self._names, justify=("left", "left", "left"))
            for found in done.value.differences:
                table.add_row(
                    _text(_visible(found.text, _HIDDEN_WIDTH), "bold"),
                    _text(_visible(" ".join(found.here)), "cyan"),
                    _text(_visible(" ".join(found.there)), "magenta"),
                )
            self._console.print(table)


def show_difference_counts(counts: "DifferenceCounts", here: str, there: str) -> None:
    """Show the most frequent differences on stdout."""
    table = _table(
        "The most frequent differences",
        *("text", here, there, "times"),
        justify=("left", "left", "left", "right"),
    )
    for kind in counts.frequent:
        table.add_row(
            _text(_visible(kind["text"], _HIDDEN_WIDTH), "bold"),
            _text(_visible(" ".join(kind["here"])), "cyan"),
            _text(_visible(" ".join(kind["there"])), "magenta"),
            f"{kind['count']:,}",
        )
    _stdout().print(table)


def _stdout() -> "RichConsole":
    from rich.console import Console as RichConsole

    return RichConsole(file=sys.stdout, highlight=False)


def _table(title: str, *columns: str, justify: Sequence[str] = ()) -> "Table":
    from rich.table import Table

    table = Table(
        title=f"\n{title}",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
        show_header=any(columns),
    )
    sides = justify or ("left", *["right"] * (len(columns) - 1))
    for column, side in zip(columns, sides, strict=True):
        table.add_column(column, justify=side, overflow="fold")  # type: ignore[arg-type]
    return table


def _text(content: str, style: str) -> "Text":
    from rich.text import Text

    # Text, because the content may hold what rich would take for markup.
    return Text(content, style)


def _visible(text: str, most: int | None = None) -> str:
    """Return text without control characters, which could do anything to a terminal."""
    if most is not None and len(text) > most:
        text = text[: most - 1] + "…"
    return "".join(sign if sign.isprintable() else "·" for sign in text)
