"""`distil clean`: rows whose label is probably wrong, the most suspicious first."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from distilcli.commands._declare import listed, opt, options
from distilcli.commands._file_run import FileOptions, FileRun
from distilcli.commands._option_groups import (
    LabelColumnsOption,
    TextColumnOption,
    check_outputs,
)
from distilcli.errors import InputError, RowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from distilcli.gold.cells import Reader
    from distilcli.predictors.embedder import Embedder
    from distilcli.rows import Row
    from distilcli.tasks.embed import Array

_THRESHOLD = 0.98


@options(
    topic="Suspects",
    leave_out={
        "whole_files",
        "keep_empty",
        "resume",
        "retry_errors",
        "shard",
        "engine",
        "workers",
        "gpus_per_worker",
        "ray_address",
    },
    model="mini",
)
def clean(
    common: FileOptions,
    text_column: TextColumnOption = None,
    label_column: Annotated[
        str | None,
        opt("Column with the label (default: a usual name).", topic="Input", metavar="NAME"),
    ] = None,
    label_columns: LabelColumnsOption = None,
    test: Annotated[
        list[str] | None,
        opt("Also find rows whose text is nearly that of a row in FILE.", metavar="FILE"),
    ] = None,
    near_duplicates: Annotated[
        float,
        opt("Texts with at least this cosine are nearly the same.", metavar="COSINE", min=0, max=1),
    ] = _THRESHOLD,
) -> int:
    """Find rows whose label is probably wrong, the most suspicious first.

    Each row is labelled by a model that learned from the others. Those that get another label come
    out, with it (suggested_label) and how sure that is (suspicion); so do texts that are nearly
    the same and have different labels, and texts that are also in a --test file. All rows are held
    in memory.

    Examples:
      distil clean train.csv --label-column topic
      distil clean train.csv --test test.csv -o suspects.csv
    """
    check_outputs({"output": common.out.output, "stats_file": common.report.stats_file}, test or ())
    source = common.open_rows(text_column)
    check_outputs({"output": common.out.output}, source.paths)

    from distilcli.gold.columns import Columns, gold_column
    from distilcli.tasks.spec import TASKS

    if source.format == "conll":
        raise InputError(
            f"{source.name}: CoNLL has a label for each word; give a file with one for each text"
        )
    text = source.text_column
    columns = Columns(label_column=label_column, label_columns=tuple(listed(label_columns)))
    column = gold_column(source, TASKS["classify"], columns, taken=[text])

    from distilcli.cleaning.cleaner import Cleaner, SuspectColumns
    from distilcli.gold.cells import label_from
    from distilcli.predictors.embedder import Embedder

    embedder = Embedder(common.compute.model, **common.predictor_settings())
    tested, places = (None, []) if not test else _tested(common, embedder, test, text_column)
    label_of = label_from(column, columns)
    cleaner = Cleaner(label_of, threshold=near_duplicates, tested=tested, places=places)
    run = FileRun(
        options=common,
        source=source,
        predictor=embedder,
        engine=embedder.engine(_text_of_labelled(text, label_of), on_error=common.rows.on_error),
        columns=SuspectColumns(),
        text_columns=[text],
        select=cleaner.suspects,
        facts=cleaner.facts,
        counted="suspect rows",
        can_go_on=False,
    )
    return run.run()


def _text_of_labelled(text_column: str, label_of: "Reader[str]") -> "Callable[[Row], str]":
    """Return the function that takes the text of a row, which fails without a usable label too."""
    from distilcli.tasks.files import text_from

    text_of = text_from(text_column)

    def text_of_labelled(row: "Row") -> str:
        text = text_of(row)
        try:
            label_of(row)
        except InputError as fault:
            raise RowError(str(fault)) from fault
        return text

    return text_of_labelled


def _tested(
    common: FileOptions, embedder: "Embedder", files: list[str], text_column: str | None
) -> "tuple[Array, list[str]]":
    """Return the vectors of test rows and their places; rows without a text are passed over."""
    from distilcli.rows.row import is_blank
    from distilcli.tasks.texts import text_at

    texts, places = [], []
    with replace(common.rows, files=files, limit=None).open(text_column) as source:
        for row in source:
            text = "" if row.error is not None else text_at(row, source.text_column)
            if not is_blank(text):
                texts.append(text)
                places.append(f"{row.source}: line {row.line}")
    return embedder(texts), places
