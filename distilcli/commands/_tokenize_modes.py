"""What `distil tokenize` can do with rows: show, write, decode, count, compare, and learn."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from distilcli.commands._declare import GivenOptions
from distilcli.commands._file_run import (
    EXIT_SOME_ROWS_FAILED,
    note_unshown,
    open_sink,
    write_report,
)
from distilcli.commands._option_groups import Report, RowsOut
from distilcli.console import Console
from distilcli.errors import UsageError
from distilcli.wording import count, duration

if TYPE_CHECKING:
    from distilcli.rows import Row, RowSource
    from distilcli.rows.outcome import OnError, Outcome
    from distilcli.stats import RunStats
    from distilcli.tokenizer.compare import DifferenceCounts
    from distilcli.tokenizer.loading import EngineName
    from distilcli.tokenizer.rows import Lengths, TokenizeRows
    from distilcli.tokenizer.tokenizer import Tokenizer
    from distilcli.tokenizer.windows import Long, Truncation

Value = TypeVar("Value")

# The options that have an effect in each mode.
_EVERYWHERE = (
    "files", "texts", "text_column", "join", "input_format", "encoding", "delimiter", "no_header",
    "limit", "whole_files", "max_field_bytes", "quiet",
)  # fmt: skip
_MODEL = ("model", "vocab", "cased", "engine", "offline", "on_error")
_ROWS_OUT = ("output", "output_format", "prefix", "force", "json_summary", "file_column")
_CUTTING = ("pair_column", "columns", "max_length", "long", "stride", "truncation")
_MODES: dict[str | None, tuple[str, ...]] = {
    None: (*_MODEL, *_ROWS_OUT, *_CUTTING),
    "decodes": (*_MODEL, *_ROWS_OUT),
    "statistics": ("plot", *_MODEL, "pair_column", "output_format", "force"),
    "diff": (*_MODEL, *_ROWS_OUT),
    "trains": ("vocab_size", "cased", "output", "force"),
}


def check_options(given: GivenOptions, long: str | None) -> str | None:
    """Return the mode; raise `UsageError` for two of them or an option without effect."""
    modes = [name for name in _MODES if name in given]
    given.at_most_one(*map(str, modes))
    mode = modes[0] if modes else None
    for name in sorted(given - {*_EVERYWHERE, *_MODES[mode], mode}):
        homes = [f"`{home}`" for home, names in _MODES.items() if home and name in names]
        if mode is None and homes:
            given.refuse([name], f"has no effect without {' or '.join(homes)}; add it")
        given.refuse([name], f"has no effect with `{mode}`; leave it out")
    if long != "window":
        given.refuse(["stride"], "has no effect without `long` window; add it")
    if "pair_column" not in given:
        given.refuse(["truncation"], "has no effect without `pair_column`; add it")
    given.at_most_one("vocab", "model")
    if not given & {"vocab", "trains"}:
        given.refuse(["cased"], "goes with `vocab` or `trains`; a model knows its own")
    return mode


@dataclass(kw_only=True)
class Run:
    """The rows, the tokenizer and the destination of one run of the command."""

    source: "RowSource"
    model: str
    vocab: str | None
    cased: bool | None
    engine: "EngineName"
    offline: bool
    on_error: "OnError"
    out: RowsOut
    report: Report

    @cached_property
    def console(self) -> Console:
        """The console of the run."""
        return self.report.console

    @cached_property
    def tokenizer(self) -> "Tokenizer":
        """The tokenizer, loaded on first use; a note says which it is."""
        from distilcli.tokenizer.fast import use_all_cores

        use_all_cores()
        tokenizer = (
            self._load(self.model, self.engine)
            if self.vocab is None
            else self._load_vocabulary(self.vocab)
        )
        kind = "uncased" if tokenizer.options.do_lower_case else "cased"
        name = self.vocab or self.model
        self.console.note(f"tokenizer {name}: {len(tokenizer.tokens):,} tokens, {kind}")
        return tokenizer

    @cached_property
    def stats(self) -> "RunStats":
        """The counts of the run."""
        from distilcli.stats import RunStats

        return RunStats()

    def other_tokenizer(self, name: str) -> "Tokenizer":
        """Return the tokenizer to compare with: an engine, a `vocab.txt` or a model."""
        if name in ("fast", "wordpiece"):
            engine: EngineName = "fast" if name == "fast" else "wordpiece"
            if self.vocab is not None:
                return self._load_vocabulary(self.vocab, engine)
            return self._load(self.model, engine)
        if Path(name).is_file():
            return self._load_vocabulary(name)
        return self._load(name, self.engine)

    def _load(self, model: str, engine: "EngineName") -> "Tokenizer":
        from distilcli.checkpoint.locate import locate_tokenizer
        from distilcli.tokenizer.loading import load_tokenizer

        return load_tokenizer(locate_tokenizer(model, offline=self.offline), engine=engine)

    def _load_vocabulary(self, path: str, engine: "EngineName | None" = None) -> "Tokenizer":
        from distilcli.tokenizer.loading import load_vocabulary

        return load_vocabulary(Path(path), cased=self.cased, engine=engine or self.engine)

    def lengths(
        self,
        *,
        max_length: int | None,
        long: "Long | None",
        stride: int | None,
        truncation: "Truncation",
    ) -> "Lengths":
        """Return the limit that the options set, none by default."""
        from distilcli.tokenizer.rows import Lengths
        from distilcli.tokenizer.windows import DEFAULT_STRIDE

        if long is not None and max_length is None:
            max_length = self.tokenizer.max_length
            if max_length is None:
                raise UsageError(f"`long` needs `max_length`: {self.vocab} has no limit of its own")
        stride = DEFAULT_STRIDE if stride is None else stride
        return Lengths(max_length, long or "truncate", stride, truncation)

    def blocks(
        self, work: "Callable[[Sequence[Row]], list[Outcome[Row, Value]]]"
    ) -> "Iterator[list[Outcome[Row, Value]]]":
        """Return the rows as `work` leaves them, in blocks."""
        from distilcli.tokenizer.rows import work_ahead

        return work_ahead(self.source, work, on_error=self.on_error, stats=self.stats)

    def finish(self, **counts: object) -> int:
        """Say what was done, and return the exit code."""
        stats = self.stats
        summary = {
            "command": "tokenize",
            "model": self.vocab or self.model,
            "engine": self.engine,
            "input": self.source.name,
            "rows": stats.rows,
            "failed": stats.failed,
            "skipped": stats.skipped,
            "seconds": round(stats.seconds, 3),
            **counts,
        }
        write_report(summary, self.report)
        self.console.note(*self.source.new_notes())
        if not self.report.json_summary:
            failed = f", {stats.failed:,} failed" if stats.failed else ""
            self.console.note(f"{count(stats.rows, 'row')}{failed} in {duration(stats.seconds)}")
        return EXIT_SOME_ROWS_FAILED if stats.failed else 0


def show_tokens(run: Run, lengths: "Lengths", *, pair_column: str | None, most: int | None) -> int:
    """Show tokens over their ids; `most` rows unless the user asked for a number."""
    from distilcli.console.tokens import TokenView

    work = _tokenize_rows(run, lengths, pair_column, offsets=True)
    view = TokenView(run.tokenizer)
    with run.source:
        for block in run.blocks(work):
            view.show(block)
    if run.stats.rows == most:
        run.console.note(f"{most} rows are shown at most; `limit` N shows N, a pipe gets all")
    return run.finish()


def write_tokens(
    run: Run, lengths: "Lengths", *, pair_column: str | None, columns: Sequence[str]
) -> int:
    """Write every row with its tokens."""
    from distilcli.tokenizer.columns import TokenColumns

    layout = TokenColumns(
        run.tokenizer,
        chosen=columns,
        paired=pair_column is not None,
        windowed=lengths.long == "window",
    )
    work = _tokenize_rows(run, lengths, pair_column, offsets=layout.need_offsets)
    return _write(run, run.blocks(work), names=layout.names, values=layout.values)


def decode(run: Run, *, has_column: bool) -> int:
    """Write every row with the text that its ids stand for."""
    from distilcli.tokenizer.rows import DecodeRows

    named = "ids" if not has_column and "ids" in run.source.columns else run.source.text_column
    work = DecodeRows(run.tokenizer, ids_column=named)
    return _write(run, run.blocks(work), names=["decoded"], values=lambda text: [text])


def describe_lengths(run: Run, *, pair_column: str | None, plot: str | None) -> int:
    """Count all rows and write the statistics: a table, lines or JSON, and a plot if asked."""
    from distilcli.pictures import check_plot
    from distilcli.tokenizer.plot import plot_lengths
    from distilcli.tokenizer.rows import Lengths
    from distilcli.tokenizer.statistics import LengthStatistics

    if run.out.output_format == "jsonl":
        raise UsageError(
            "`statistics` is one document; use `output_format` json, csv, tsv or table"
        )
    if plot is not None:
        check_plot(plot, force=run.out.force)
    statistics = LengthStatistics(run.tokenizer)
    work = _tokenize_rows(run, Lengths(), pair_column, offsets=False)
    with run.source:
        for block in run.blocks(work):
            for done in block:
                if done.value is not None:
                    statistics.add(done.value)
    report = statistics.report()
    if run.out.is_table:
        from distilcli.console.tokens import show_lengths

        show_lengths(report, source=run.source.name)
    else:
        run.console.show(
            report.records(),
            document=report.as_dict(),
            title="",
            table_format=_document_format(run.out),
        )
    if plot is not None:
        plot_lengths(report, plot, title=f"Tokens in the rows of {run.source.name}")
        run.console.note(f"{plot}: drawn")
    return run.finish()


def compare(run: Run, *, other: str) -> int:
    """Write the rows that another tokenizer splits differently, and say how many there are."""
    from distilcli.tokenizer.compare import CompareRows, DifferenceCounts

    here, there = _names(run, other)
    work = CompareRows(
        run.tokenizer, run.other_tokenizer(other), text_column=run.source.text_column
    )
    counts = DifferenceCounts()
    blocks = counts.differing(run.blocks(work))
    if run.out.is_table:
        from distilcli.console.tokens import DifferenceView

        view = DifferenceView(here, there)
        with run.source:
            for block in blocks:
                view.show(block)
        view.show_counts(counts)
        code = run.finish(**counts.as_dict())
    else:
        code = _write(run, blocks, names=counts.NAMES, values=counts.values, counts=counts)
    run.console.note(
        f"{counts.rows_that_differ:,} of {counts.rows:,} rows differ, in {counts.differences:,} "
        f"places; tokens: {counts.n_tokens:,} by {here}, {counts.n_tokens_other:,} by {there}"
    )
    return code


def train(run: Run, *, size: int) -> int:
    """Learn a vocabulary from all rows and save it as a folder."""
    from distilcli.tokenizer.options import TokenizerOptions
    from distilcli.tokenizer.training import (
        check_folder,
        save_tokenizer,
        texts_of,
        train_vocabulary,
    )

    if run.out.output is None:
        raise UsageError("`trains` needs a folder for the new tokenizer; name it with `output`")
    folder = Path(run.out.output)
    check_folder(folder, force=run.out.force)
    options = TokenizerOptions(do_lower_case=not run.cased, model_max_length=512)
    with run.source:
        vocabulary = train_vocabulary(texts_of(run.source), size=size, options=options)
    save_tokenizer(vocabulary, options, folder)
    run.console.note(
        *run.source.new_notes(),
        f"learned {len(vocabulary):,} tokens from {run.source.name}",
        f"the tokenizer is in {folder}; try: distil tokenize FILE --model {folder}",
    )
    return 0


def _tokenize_rows(
    run: Run, lengths: "Lengths", pair_column: str | None, *, offsets: bool
) -> "TokenizeRows":
    from distilcli.tokenizer.rows import TokenizeRows

    return TokenizeRows(
        run.tokenizer,
        text_column=run.source.text_column,
        pair_column=None if pair_column is None else run.source.find_column(pair_column),
        lengths=lengths,
        offsets=offsets,
    )


def _write(
    run: Run,
    blocks: "Iterator[list[Outcome[Row, Value]]]",
    *,
    names: Sequence[str],
    values: "Callable[[Value], Sequence[object]]",
    counts: "DifferenceCounts | None" = None,
) -> int:
    """Write blocks of rows to where they go; return the exit code."""
    from distilcli.rows.outcome import with_additions

    with run.source, open_sink(run.console, run.source, names, run.out) as sink:
        for block in blocks:
            sink.write_rows(with_additions(block, names, values))
    note_unshown(run.console, sink)
    return run.finish(**(counts.as_dict() if counts else {}))


def _names(run: Run, other: str) -> tuple[str, str]:
    """Return the names of what is compared: two engines of one model, or two models."""
    is_engine = other in ("fast", "wordpiece")
    return (run.engine if is_engine else run.vocab or run.model), other


def _document_format(out: RowsOut) -> Literal["json", "csv", "tsv"]:
    return out.output_format if out.output_format in {"json", "csv"} else "tsv"
