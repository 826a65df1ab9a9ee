"""`distil tag`: names and other entities in every row of files."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from distilcli.commands._declare import opt, options
from distilcli.commands._file_run import FileOptions, FileRun
from distilcli.commands._option_groups import (
    NoAbstainOption,
    RowsOut,
    TextColumnOption,
    rows_format_option,
)
from distilcli.errors import UsageError
from distilcli.rows.formats import TEXT_COLUMNS

if TYPE_CHECKING:
    from distilcli.rows import RowSource


@options(
    topic="Entities",
    leave_out={"window_pooling"},
    types={"output_format": rows_format_option("conll")},
    formats=("conll",),
    long="window",
    model="entities",
)
def tag(
    common: FileOptions,
    text_column: TextColumnOption = None,
    aggregation: Annotated[
        Literal["none", "simple", "first", "average", "max"],
        opt(
            "How tokens become entities. By word: its first token, the average of its tokens, or "
            "the most certain one (max). By token: joined (simple) or as they are (none)."
        ),
    ] = "first",
    no_abstain: NoAbstainOption = False,
) -> int:
    """Find entities: names with the built-in model, anything with a model of your own.

    Each row gets a column entities: a list of text, label, start, end and score, with start and
    end in characters. In CoNLL files each word gets its label as the last column; --format conll
    writes other texts that way too. Long texts are read in windows. If the model
    has thresholds (distil evaluate finds them), an entity whose score is below has no label, and
    abstained is true.

    Examples:
      distil tag news.jsonl
      distil tag test.conll -m MODEL -o tagged.conll
      distil tag --text "Tim Cook runs Apple"
    """
    source = common.open_rows(text_column)
    writes_conll = _writes_conll(common.out, source)
    text_column, of_words = _content(source, text_column)
    if writes_conll:
        common.given.refuse(
            ["provenance"], "adds columns, which CoNLL cannot have; write JSONL, or leave it out"
        )
    if writes_conll and common.rows.file_column is not None:
        raise UsageError("`file_column` has no effect in CoNLL, which has no named columns")
    if aggregation in {"none", "simple"} and (of_words or writes_conll):
        what = "CoNLL" if writes_conll or source.format == "conll" else "a list of words"
        raise UsageError(
            f"`aggregation` {aggregation} works by token and {what} by word; use first, average "
            "or max"
        )

    from distilcli.console.entities import EntityView
    from distilcli.predictors.tagger import Tagger
    from distilcli.tasks.files import content_from
    from distilcli.tasks.tag import TagColumns

    tagger = Tagger(
        common.compute.model,
        aggregation=aggregation,
        no_abstain=no_abstain,
        **common.predictor_settings(),
    )
    abstains = tagger.abstention is not None
    if writes_conll:
        columns = TagColumns("words", "tags", abstains=abstains)
    elif of_words:
        columns = TagColumns("tags", "entities", abstains=abstains)
    else:
        columns = TagColumns("entities", abstains=abstains)
    return FileRun(
        options=common,
        source=source,
        predictor=tagger,
        engine=tagger.engine(
            content_from(text_column, of_words=of_words), on_error=common.rows.on_error
        ),
        columns=columns,
        text_columns=[text_column],
        preview=partial(EntityView, labels=tagger.types),
        counted="entities",
    ).run()


def _writes_conll(out: RowsOut, source: "RowSource") -> bool:
    if out.written_format == "auto":
        return source.format == "conll" and not out.is_table
    return out.written_format == "conll"


def _content(source: "RowSource", wanted: str | None) -> tuple[str, bool]:
    """Return the column that is read, and whether it holds words: in CoNLL, or by its name.

    Raises `UsageError` for another column of CoNLL.
    """
    from distilcli.tasks.spec import TASKS

    if source.format == "conll":
        if wanted is not None:
            raise UsageError(
                "`text_column`: the words of CoNLL are its first column or `word_column`; "
                "leave it out"
            )
        return source.text_column, True
    names = TASKS["tag"].text_columns
    by_lower = {name.lower(): name for name in source.columns}
    if wanted is None and not any(name in by_lower for name in TEXT_COLUMNS):
        wanted = next((by_lower[name] for name in names if name in by_lower), None)
    column = source.text_column if wanted is None else source.find_column(wanted)
    return column, column.lower() in names
