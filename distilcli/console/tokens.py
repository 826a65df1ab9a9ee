"""Tokens and their statistics on a terminal.

Tokens are printed above their ids, wrapped to the width of the terminal. The pieces of a word are
close together and begin with ##, special tokens keep their brackets, and an unknown token shows
the text behind it, so all can be told apart without colours.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from distilcli.console import ROWS_SHOWN
from distilcli.console.terminal import plain_table, printable, stdout, text
from distilcli.errors import spelled
from distilcli.rows import Row
from distilcli.rows.outcome import Outcome
from distilcli.tokenizer.compare import Compared, DifferenceCounts
from distilcli.tokenizer.rows import Tokens
from distilcli.tokenizer.statistics import LengthReport
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.tokenizer.windows import Window
from distilcli.wording import count

Kind = Literal["word", "piece", "special", "unknown"]

_STYLES: dict[Kind, str] = {
    "word": "bold",
    "piece": "cyan",
    "special": "magenta",
    "unknown": "bold red reverse",
}
_BAR_WIDTH = 40
_HIDDEN_WIDTH = 24


class _Cell(NamedTuple):
    """One token as it is shown, over its id."""

    token: str
    number: str
    kind: Kind


class TokenView:
    """Shows rows of tokens on stdout."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def show(self, block: Sequence[Outcome[Row, Tokens]]) -> None:
        """Show a block of rows, each under a line that says where it is from."""
        for done in block:
            if done.value is None:
                stdout().print(text(f"{done.error}\n", "red"))
                continue
            for number, window in enumerate(done.value.windows, start=1):
                of = f", window {number} of {n}" if (n := len(done.value.windows)) > 1 else ""
                self._show_window(
                    f"{done.item.source}, line {done.item.line}{of}", done.value, window
                )

    def _show_window(self, where: str, tokens: Tokens, window: Window) -> None:
        cells, console = list(self._cells(tokens, window)), stdout()
        unknown = sum(cell.kind == "unknown" for cell in cells)
        words = zip(window.token_type_ids, window.word_ids, strict=True)
        n_words = len({word for word in words if word[1] is not None})
        parts = [count(len(cells), "token"), count(n_words, "word")]
        parts += [f"{unknown} unknown"] * bool(unknown) + ["cut short"] * tokens.truncated
        heading = text(f"{where}: {', '.join(parts)}", "dim")
        for line in (heading, *_wrapped(cells, console.width), ""):
            console.print(line, soft_wrap=True)

    def _cells(self, tokens: Tokens, window: Window) -> Iterator[_Cell]:
        sequence = zip(window.input_ids, window.token_type_ids, window.offsets, strict=True)
        for number, token_type, (start, end) in sequence:
            token = self._tokenizer.tokens[number]
            kind: Kind = "piece" if token.startswith("##") else "word"
            if number == self._tokenizer.special.unk:
                source = (tokens.texts[token_type] or "")[start:end]
                token, kind = f"{token[:-1]}:{_visible(source, _HIDDEN_WIDTH)}]", "unknown"
            elif number in self._tokenizer.special_numbers:
                kind = "special"
            yield _Cell(_visible(token), str(number), kind)


def _wrapped(cells: Sequence[_Cell], width: int) -> Iterator[Text]:
    """Yield lines of tokens and lines of ids in turn, cut at the width of the terminal."""
    above, below = Text(), Text()
    for token, number, kind in cells:
        widest = max(cell_len(token), len(number))
        # The pieces of a word stand closer to it than the next word does.
        gap = (1 if kind == "piece" else 2) if above else 0
        if above and above.cell_len + gap + widest > width:
            yield from (above, below)
            above, below, gap = Text(), Text(), 0
        for line, content, style in ((above, token, _STYLES[kind]), (below, number, "dim")):
            line.append(" " * gap).append(content, style)
            line.append(" " * (widest - cell_len(content)))
    yield from (above, below)


def show_lengths(report: LengthReport, *, source: str) -> None:
    """Show the figures of a file: lengths, a histogram, padding and unknown words."""
    table = _table("", "")
    for name, value in _figures(report):
        table.add_row(name, value)
    _print_titled(f"Tokens in the rows of {source}", table)
    _print_titled("How long they are", _histogram(report))
    table = _table("rows in a batch", "as they come", "sorted by length")
    for padding in report.padding:
        table.add_row(f"{padding.rows}", f"{padding.in_order:.1%}", f"{padding.sorted:.1%}")
    _print_titled("Padding: its share of a batch", table)
    if report.unknown_words:
        table = _table("word", "times")
        for word, times in report.unknown_words:
            shown = Text(_visible(word, _HIDDEN_WIDTH), _STYLES["unknown"])
            table.add_row(shown, f"{times:,}")
        _print_titled("The most frequent unknown words", table)


def _figures(report: LengthReport) -> Iterator[tuple[str, str]]:
    yield "rows", f"{report.rows:,}"
    yield "tokens", f"{report.tokens:,}"
    yield "mean", f"{report.mean:,.1f}"
    yield "shortest, longest", f"{report.shortest:,}, {report.longest:,}"
    for percent, length in report.percentiles.items():
        yield f"{percent} % have at most", f"{length:,}"
    over = f"{report.rows_over_limit:,} ({report.share_over_limit:.1%})"
    yield f"over {report.limit:,}, the model's limit", over
    for percent, length in report.keep_whole.items():
        yield spelled(f"`max_length` that keeps {percent} % whole"), f"{length:,}"
    yield "unknown tokens", f"{report.unknown_tokens:,} ({report.unknown_share:.3%})"


def _histogram(report: LengthReport) -> Table:
    table = _table("tokens", "rows", "", justify=("right", "right", "left"))
    most = max((found.rows for found in report.histogram), default=0)
    for found in report.histogram:
        over = found.first > report.limit
        bar = "█" * round(found.rows / most * _BAR_WIDTH) or ("▏" if found.rows else "")
        label = f"{bar} over {report.limit:,}" if over and found.rows else bar
        style = "red" if over else "cyan"
        table.add_row(f"{found.first:,}-{found.last:,}", f"{found.rows:,}", Text(label, style))
    return table


class DifferenceView:
    """Shows where two tokenizers differ on stdout: the first rows, and what comes most often."""

    def __init__(self, here: str, there: str) -> None:
        self._left = ROWS_SHOWN
        stdout().print(text(f"here: {here}\nthere: {there}", "dim"), soft_wrap=True)

    def show(self, block: Sequence[Outcome[Row, Compared]]) -> None:
        """Show rows that differ, as long as there is room for them."""
        for done in block[: self._left]:
            if done.value is None:
                stdout().print(text(f"\n{done.error}", "red"), soft_wrap=True)
                continue
            table = _table("text", "here", "there", justify=("left", "left", "left"))
            for found in done.value.differences:
                table.add_row(*_difference(found.text, found.here, found.there))
            _print_titled(f"{done.item.source}, line {done.item.line}", table)
        self._left -= len(block[: self._left])

    def show_counts(self, counts: DifferenceCounts) -> None:
        """Show the most frequent differences."""
        table = _table("text", "here", "there", "times", justify=("left", "left", "left", "right"))
        for kind in counts.frequent:
            cells = _difference(kind["text"], kind["here"], kind["there"])
            table.add_row(*cells, f"{kind['count']:,}")
        if counts.differences:
            _print_titled("The most frequent differences", table)


def _difference(differing: str, here: Sequence[str], there: Sequence[str]) -> list[Text]:
    return [
        Text(_visible(differing, _HIDDEN_WIDTH), "bold"),
        Text(_visible(" ".join(here)), "cyan"),
        Text(_visible(" ".join(there)), "magenta"),
    ]


def _print_titled(title: str, table: Table) -> None:
    console = stdout()
    console.print(text(f"\n{title}", "bold"), soft_wrap=True)
    console.print(table)


def _table(*columns: str, justify: Sequence[str] = ()) -> Table:
    table = plain_table(header_style="dim", show_header=any(columns))
    sides = justify or ("left", *["right"] * (len(columns) - 1))
    for column, side in zip(columns, sides, strict=True):
        table.add_column(column, justify=side, overflow="fold")  # type: ignore[arg-type]
    return table


def _visible(text: str, most: int | None = None) -> str:
    """Return text without control characters, cut to `most` characters."""
    if most is not None and len(text) > most:
        text = text[: most - 1] + "…"
    return printable(text, space="·", other="·")
