"""`distil tokenize`: what a model sees of a text, and what its vocabulary makes of a file."""

from typing import Annotated, Literal

import typer

from distilcli.commands import _options as options
from distilcli.commands._file_run import OutputOptions
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
from distilcli.console import Console
from distilcli.console.tokens import ROWS_SHOWN


def tokenize(
    context: typer.Context,
    files: options.FilesArgument = None,
    texts: options.TextsOption = None,
    model: options.ModelOption = "sentiment",
    vocab: Annotated[
        str | None,
        typer.Option("--vocab", metavar="FILE", help="A vocab.txt instead of a model."),
    ] = None,
    cased: Annotated[
        bool | None,
        typer.Option(
            "--cased/--uncased",
            help="Keep capitals and accents, or lower and strip them. With --vocab; left out, "
            "capitals in the vocabulary decide. With --train: uncased.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        Literal["fast", "wordpiece"],
        typer.Option("--engine", help="The Rust tokenizer, or our own in plain Python."),
    ] = "fast",
    text_column: options.TextColumnOption = None,
    pair_column: options.PairColumnOption = None,
    columns: Annotated[
        str,
        typer.Option("--columns", metavar="NAMES", help="Which new columns, between commas."),
    ] = "n_tokens,tokens,ids,offsets,word_ids",
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            min=8,
            help="Tokens in a sequence; left out, the model's limit with --long, else none.",
        ),
    ] = None,
    long: Annotated[
        Literal["truncate", "window", "error"] | None,
        typer.Option(
            "--long",
            help="Texts over the limit: cut, windowed, or an error. Left out, texts stay whole.",
        ),
    ] = None,
    stride: options.StrideOption = None,
    truncation: Annotated[
        Literal["longest_first", "only_first", "only_second"],
        typer.Option("--truncation", help="Which text of a pair is cut."),
    ] = "longest_first",
    decodes: Annotated[
        bool, typer.Option("--decode", help="Ids in (column ids), text out (column decoded).")
    ] = False,
    stats: Annotated[
        bool,
        typer.Option("--stats", help="Lengths, unknown words and padding of the file instead."),
    ] = False,
    plot: Annotated[
        str | None,
        typer.Option("--plot", metavar="FILE", help="With --stats: draw the lengths (.png, .svg)."),
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(
            "--diff",
            metavar="OTHER",
            help="The rows that OTHER cuts differently: a model, a vocab.txt, fast or wordpiece.",
        ),
    ] = None,
    trains: Annotated[
        bool, typer.Option("--train", help="Learn a vocabulary from the files; -o names a folder.")
    ] = False,
    vocab_size: Annotated[
        int, typer.Option("--vocab-size", min=100, help="With --train: how many tokens at most.")
    ] = 30_522,
    output: options.OutputOption = None,
    output_format: options.RowsFormatOption = "auto",
    prefix: options.PrefixOption = "",
    force: options.ForceOption = False,
    input_format: options.InputFormatOption = None,
    encoding: options.EncodingOption = "utf-8",
    delimiter: options.DelimiterOption = None,
    no_header: options.NoHeaderOption = False,
    limit: options.LimitOption = None,
    on_error: options.OnErrorOption = "keep",
    json_summary: options.JsonOption = False,
    offline: options.OfflineOption = False,
    quiet: options.QuietOption = False,
) -> int:
    """Show what a model sees of a text: tokens, ids, the place and the word of each.

    A terminal gets tokens over their ids; a pipe gets the rows with n_tokens, tokens, ids,
    offsets (characters of the text) and word_ids after their own columns, as JSON lists. Texts
    are not cut unless --long or --max-length says so.

    Examples: distil tokenize --text "Tokenization, unravelled" ·
    distil tokenize reviews.csv --stats · distil tokenize reviews.csv --diff wordpiece ·
    distil tokenize corpus.txt --train --vocab-size 8000 -o my-tokenizer
    """
    modes = {"decode": decodes, "stats": stats, "diff": diff is not None, "train": trains}
    check_options(context, [name for name, is_on in modes.items() if is_on])
    destination = OutputOptions(path=output, format=output_format, prefix=prefix, force=force)
    shows = destination.is_table and not any(modes.values())
    most = ROWS_SHOWN if shows and limit is None else None
    from distilcli.rows import open_rows

    run = Run(
        console=Console(quiet=quiet),
        source=open_rows(
            files or (),
            texts=texts or (),
            input_format=input_format,
            text_column=text_column,
            encoding=encoding,
            delimiter=delimiter,
            no_header=no_header,
            limit=limit if most is None else most,
        ),
        model=model,
        vocab=vocab,
        cased=cased,
        engine=engine,
        offline=offline,
        on_error=on_error,
        output=destination,
        json_summary=json_summary,
    )
    if trains:
        return train(run, size=vocab_size)
    if stats:
        return describe_lengths(run, pair_column=pair_column, plot=plot)
    destination.check()
    if decodes:
        return decode(run, has_column=text_column is not None)
    if diff is not None:
        return compare(run, other=diff)
    lengths = run.lengths(max_length=max_length, long=long, stride=stride, truncation=truncation)
    if shows:
        return show_tokens(run, lengths, pair_column=pair_column, most=most)
    return write_tokens(
        run, lengths, pair_column=pair_column, columns=columns.replace(" ", "").split(",")
    )
