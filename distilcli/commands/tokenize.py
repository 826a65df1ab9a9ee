"""`distil tokenize`: what a model sees of a text, and what its vocabulary makes of a file."""

from typing import Annotated, Literal

from distilcli.commands._declare import Also, GivenOptions, listed, opt, options
from distilcli.commands._option_groups import (
    MaxLengthOption,
    OfflineOption,
    PairColumnOption,
    Report,
    RowsIn,
    RowsOut,
    StrideOption,
    TextColumnOption,
)
from distilcli.commands._tokenize_modes import (
    Run,
    check_options,
    compare,
    decode,
    describe_lengths,
    show_tokens,
    train,
    write_tokens,
)
from distilcli.console import ROWS_SHOWN


@options(
    topic="Tokens", leave_out={"keep_empty", "dry_run", "stats_file", "resume", "retry_errors"}
)
def tokenize(
    rows: RowsIn,
    out: RowsOut,
    report: Report,
    given: GivenOptions,
    text_column: TextColumnOption = None,
    pair_column: PairColumnOption = None,
    columns: Annotated[
        str, opt("New columns to write.", metavar="NAMES")
    ] = "n_tokens,tokens,ids,offsets,word_ids",
    decodes: Annotated[
        bool, opt("Turn ids (column ids) into text (column decoded).", "--decode")
    ] = False,
    statistics: Annotated[
        bool, opt("Show lengths, unknown words and padding of the file instead."), Also("--stats")
    ] = False,
    plot: Annotated[
        str | None,
        opt("With --statistics: draw the lengths (.png or .svg).", metavar="FILE"),
    ] = None,
    diff: Annotated[
        str | None,
        opt(
            "Show the rows that OTHER tokenizes differently: a model, a vocab.txt, fast or "
            "wordpiece.",
            metavar="OTHER",
        ),
    ] = None,
    trains: Annotated[
        bool, opt("Learn a vocabulary from the files into the folder of -o.", "--train")
    ] = False,
    vocab_size: Annotated[int, opt("With --train: maximum number of tokens.", min=100)] = 30_522,
    model: Annotated[
        str,
        opt(
            "A built-in model, a folder or a hub id (org/name@revision).",
            "--model",
            "-m",
            topic="Model",
            metavar="MODEL",
        ),
    ] = "sentiment",
    vocab: Annotated[
        str | None, opt("A vocab.txt instead of a model.", topic="Model", metavar="FILE")
    ] = None,
    cased: Annotated[
        bool | None,
        opt(
            "Keep case and accents, or not (default: as the capitals in --vocab suggest; with "
            "--train: uncased).",
            "--cased/--uncased",
            topic="Model",
        ),
    ] = None,
    engine: Annotated[
        Literal["fast", "wordpiece"],
        opt("The Rust tokenizer, or our own in plain Python.", topic="Model"),
    ] = "fast",
    offline: OfflineOption = False,
    long: Annotated[
        Literal["truncate", "window", "error"] | None,
        opt(
            "Texts that are too long: truncate them, read them in windows, or fail the row "
            "(default: keep them whole).",
            topic="Long texts",
        ),
    ] = None,
    max_length: MaxLengthOption = None,
    stride: StrideOption = None,
    truncation: Annotated[
        Literal["longest_first", "only_first", "only_second"],
        opt("Which text of a pair to truncate.", topic="Long texts"),
    ] = "longest_first",
) -> int:
    """Show how a model tokenizes texts: tokens, ids, offsets and words.

    A terminal gets tokens over their ids; a pipe gets the rows with n_tokens, tokens, ids,
    offsets (in characters) and word_ids after their own columns, as JSON lists. Texts are not
    truncated unless --long or --max-length says so.

    Examples:
      distil tokenize --text "Tokenization, unravelled"
      distil tokenize reviews.csv --statistics
      distil tokenize reviews.csv --diff wordpiece
      distil tokenize corpus.txt --train --vocab-size 8000 -o my-tokenizer
    """
    mode = check_options(given, long)
    shows = out.is_table and mode is None
    most = ROWS_SHOWN if shows and rows.limit is None else None
    run = Run(
        source=rows.open(text_column, limit=rows.limit if most is None else most),
        model=model,
        vocab=vocab,
        cased=cased,
        engine=engine,
        offline=offline,
        on_error=rows.on_error,
        out=out,
        report=report,
    )
    if trains:
        return train(run, size=vocab_size)
    if statistics:
        return describe_lengths(run, pair_column=pair_column, plot=plot)
    out.check()
    if decodes:
        return decode(run, has_column=text_column is not None)
    if diff is not None:
        return compare(run, other=diff)
    lengths = run.lengths(max_length=max_length, long=long, stride=stride, truncation=truncation)
    if shows:
        return show_tokens(run, lengths, pair_column=pair_column, most=most)
    return write_tokens(run, lengths, pair_column=pair_column, columns=listed(columns))
