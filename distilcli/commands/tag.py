"""`distil tag`: names and other entities in every row of files."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distilcli.commands import _options as options
from distilcli.commands._option_groups import RunOptions, over_files
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.rows import RowSource


@over_files(formats=("conll",), long="window", model="entities")
def tag(
    run: RunOptions,
    text_column: options.TextColumnOption = None,
    aggregation: Annotated[
        Literal["none", "simple", "first", "average", "max"],
        typer.Option(
            "--aggregation",
            help="How tokens become entities. Word by word: by its first token, the average of "
            "its tokens, or the surest (max); simple: token by token; none: tokens, not joined.",
        ),
    ] = "first",
) -> int:
    """Find entities in rows: names with the built-in model, whatever yours knows.

    A row gets a column entities: a list of their text, label, start, end and score, where text is
    what stands from start to end in the row's own text. CoNLL files (a word a line) get the label
    of each word as their last column; texts are written so with --format conll. Long texts are
    read in windows.

    Examples: distil tag news.jsonl · distil tag test.conll -m MODEL -o tagged.conll ·
    distil tag --text "Tim Cook runs Apple"
    """
    source = run.open_rows(text_column)
    _check(run, source, text_column, aggregation)
    text_column = source.text_column

    from distilcli.console.entities import EntityView
    from distilcli.predictors.tagger import Tagger
    from distilcli.tasks.files import content_from
    from distilcli.tasks.tag import TagColumns

    tagger = Tagger(
        run.model,
        aggregation=aggregation,
        **run.computing,
        long_texts=run.long_texts(),
    )
    if _writes_conll(run, source):
        columns = TagColumns("words", "tags")
    elif source.format == "conll":
        columns = TagColumns("tags", "entities")
    else:
        columns = TagColumns("entities")
    return run.carry(
        "tag",
        source,
        tagger,
        tagger.engine(content_from(text_column), on_error=run.on_error),
        columns,
        text_columns=[text_column],
        preview=partial(EntityView, labels=tagger.types),
        counted="entities",
    )


def _writes_conll(run: RunOptions, source: "RowSource") -> bool:
    if run.written_format == "auto":
        return source.format == "conll" and not run.destination.is_table
    return run.written_format == "conll"


def _check(run: RunOptions, source: "RowSource", text_column: str | None, aggregation: str) -> None:
    """Raise `UsageError` for options that do not go with the format of the rows."""
    is_conll = source.format == "conll"
    if is_conll and text_column is not None:
        raise UsageError("--text-column: the words of CoNLL are its first column; leave it out")
    if aggregation in {"none", "simple"} and (is_conll or _writes_conll(run, source)):
        raise UsageError(
            f"--aggregation {aggregation} goes by tokens, and CoNLL by words; take first, average "
            "or max"
        )
