"""What `distil embed` makes: vectors beside rows, stored vectors, rows without near duplicates."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from distilcli.commands._embed_options import Finding, Making
from distilcli.commands._file_run import FileOptions, FileRun
from distilcli.commands._option_groups import RowsOut, check_outputs
from distilcli.commands._unfinished import check_again
from distilcli.console import Console
from distilcli.errors import UsageError
from distilcli.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from distilcli.engine import Outcome
    from distilcli.predictors.embedder import Embedder
    from distilcli.rows import Row, RowSource
    from distilcli.tasks.embed import Dtype, Layout
    from distilcli.vectors.index import VectorIndex
    from distilcli.vectors.writer import VectorWriter


def vector_format(out: RowsOut) -> str | None:
    """Return the format of the file of vectors that is asked for; None if rows are written."""
    from distilcli.vectors.writer import HEADERS

    return out.written_format if out.written_format in HEADERS else None


def check_index(common: FileOptions, index: str | None, **outputs: str | None) -> None:
    """Raise `UsageError` if results or the report would replace an input or the index."""
    from distilcli.rows.inputs import find_inputs
    from distilcli.vectors.writer import METADATA_SUFFIX, ROWS_SUFFIX

    common.out.check()
    outputs |= {"output": common.out.output, "stats_file": common.report.stats_file}
    common.report.check()
    rows = common.rows
    inputs = find_inputs(rows.files or (), rows.input_format, whole=rows.whole_files)
    read = [str(each.path) for each in inputs if each.path is not None]
    if index is not None:
        read += [index + suffix for suffix in ("", ROWS_SUFFIX, METADATA_SUFFIX)]
    check_outputs(outputs, read)


def warn_of_another_model(embedder: "Embedder", index: "VectorIndex", console: Console) -> None:
    """Warn if the vectors of an index are of another model than those they are compared with."""
    maker = index.about.get("model")
    if maker not in {None, embedder.about()["model"]}:
        console.warn(f"{index.path}: made with the model {maker}; scores of another mean nothing")


def _opened(common: FileOptions, text_column: str | None) -> "RowSource":
    """Open the rows and find their text before torch is loaded: it may not be there."""
    source = common.open_rows(text_column)
    _ = source.text_column
    return source


def embed_rows(making: Making, common: FileOptions, *, text_column: str | None) -> int:
    """Write rows with their vectors in a column; return the exit code."""
    _check_suffix(common.out)
    source = _opened(common, text_column)
    layout: Layout = "glance" if common.out.is_table else "json"
    if common.out.written_format == "parquet":
        layout = "array"
    embedder = making.embedder(common)
    return _run(making, common, source, embedder, layout=layout).run()


def store(
    making: Making, common: FileOptions, *, text_column: str | None, id_column: str | None
) -> "tuple[int, Embedder]":
    """Write a file of vectors and its metadata beside it; return exit code and model."""
    out = common.out
    if out.output is None:
        raise UsageError(f"`output_format` {out.output_format} needs a file; add `output` FILE")
    _check_suffix(out)
    from distilcli.vectors.writer import VectorColumns, VectorWriter

    check_again(common)
    force = out.replaces or making.update
    _check_files(common, out.output, force=force)
    source = _opened(replace(common, out=replace(out, force=force)), text_column)
    if id_column is None and common.rows.whole_files:
        id_column = source.file_column
    elif id_column is not None:
        id_column = source.find_column(id_column)
    stored: VectorIndex | None = None
    facts: dict[str, int] = {}
    if making.update:
        from distilcli.vectors.index import open_index
        from distilcli.vectors.new_texts import NewTexts

        if Path(out.output).exists():
            stored = open_index(out.output)
            making, common = _alike(making, common, stored)
            _check_same_column(source, stored, common.report.console)
        keep_empty = common.rows.keep_empty
        source.keep(NewTexts(source.text_column, stored, facts, keep_empty=keep_empty))
    embedder = making.embedder(common)
    if stored is not None:
        _check_same(embedder, stored)
    run = _run(making, common, source, embedder, layout="array")
    columns = VectorColumns(
        vector=run.columns.names[-1],
        of_tokens=making.tokens,
        identity=id_column,
        text=source.text_column,
        file=source.file_column,
    )

    def open_vectors(output: str, goes_on: bool) -> "VectorWriter":
        return VectorWriter(
            output,
            vector_format(out) or "",
            columns,
            blank=embedder.blank(of_tokens=making.tokens),
            about={
                **embedder.about(of_tokens=making.tokens),
                "text_column": source.text_column,
                "options": making.options,
                **common.provenance(embedder),
            },
            force=force,
            extends=stored,
            goes_on=goes_on,
        )

    # An interrupted update can simply be repeated, so what it has learned is not saved.
    run = replace(run, open_vectors=open_vectors, facts=facts, can_go_on=not making.update)
    code = replace(run, select=_without_failed if making.update else None).run()
    if facts.get("known_rows"):
        common.report.console.note(
            f"left out {count(facts['known_rows'], 'row')} whose text is stored already"
        )
    return code, embedder


def _check_files(common: FileOptions, output: str, *, force: bool) -> None:
    """Raise `UsageError` if vectors or what lies beside them may not be written."""
    from distilcli.rows.remote import is_remote
    from distilcli.vectors.writer import check_vector_files

    if not is_remote(output):  # Ray writes them here first
        for name in check_vector_files(output, force=force):
            common.report.check(output=name)


def _alike(
    making: Making, common: FileOptions, stored: "VectorIndex"
) -> tuple[Making, FileOptions]:
    """Return how to make vectors like those of an index, except where options are given."""
    alike, common = making.like(stored, common, as_rows=True)
    if "dtype" in common.given or "dtype" not in stored.about:
        return replace(alike, dtype=making.dtype), common
    return replace(alike, dtype=cast("Dtype", stored.about["dtype"])), common


def _without_failed(
    blocks: "Iterable[list[Outcome[Row, Any]]]",
) -> "Iterator[list[Outcome[Row, Any]]]":
    for block in blocks:
        yield [outcome for outcome in block if outcome.value is not None]


def _check_same_column(source: "RowSource", stored: "VectorIndex", console: Console) -> None:
    """Refuse stored vectors of another column of this source; warn about any other column."""
    column = stored.about.get("text_column")
    if not isinstance(column, str) or source.format == "txt" or column == source.text_column:
        return
    of_another = f"{stored.path}: its vectors were made from column {column!r}, not "
    if all(part in source.columns for part in column.split(",")):
        raise UsageError(
            f"{of_another}{source.text_column!r}; give `text_column` {column}, or embed all rows "
            "again with `force`"
        )
    console.warn(f"{of_another}{source.text_column!r}, as in {source.name}")


def _check_same(embedder: "Embedder", stored: "VectorIndex") -> None:
    """Raise `UsageError` if new vectors would differ from the stored ones in how they are made."""
    for name, value in embedder.about().items():
        setting = "normalize" if name == "normalized" else name
        if stored.about.get(name) != value:
            raise UsageError(
                f"{stored.path}: its vectors have `{setting}` {stored.about.get(name)}, not "
                f"{value}; leave it out, or embed all rows again with `force`"
            )


def remove_duplicates(
    making: Making,
    common: FileOptions,
    finding: Finding,
    threshold: float,
    *,
    text_column: str | None,
) -> int:
    """Write rows without those that are nearly the same as others; return the exit code."""
    from distilcli.rows import check_destination, open_writer

    index, dropped = finding.index, finding.dropped
    if dropped is not None:
        check_destination(dropped, force=common.out.force)
    check_index(common, index, dropped=dropped)
    source = _opened(common, text_column)
    from distilcli.vectors.duplicates import DroppedColumns, Duplicates, KeptColumns
    from distilcli.vectors.index import open_index

    stored = None
    if index is not None:
        stored = open_index(index)
        making, common = making.like(stored, common, as_rows=True)
    embedder = making.embedder(common)
    if stored is not None:
        warn_of_another_model(embedder, stored, common.report.console)
    run = _run(making, common, source, embedder, layout="array")
    if common.report.dry_run:
        return run.run()
    columns = DroppedColumns(stored=stored)
    with ExitStack() as files:
        writer = None
        if dropped is not None:
            writer = files.enter_context(
                open_writer(
                    dropped,
                    columns=source.columns,
                    new_columns=columns.names,
                    input_format=source.format,
                    delimiter=source.delimiter,
                    types=source.types,
                    prefix=common.out.prefix,
                    force=common.out.force,
                )
            )
        duplicates = files.enter_context(
            Duplicates(threshold, width=embedder.width, stored=stored, sink=writer, columns=columns)
        )
        code = replace(
            run,
            select=duplicates.without,
            columns=KeptColumns(),
            facts=duplicates.facts,
            can_go_on=False,
        ).run()
    found = duplicates.facts
    common.report.console.note(
        f"kept {count(found['kept'], 'row')}, dropped {count(found['dropped'], 'near duplicate')}"
    )
    return code


def _check_suffix(out: RowsOut) -> None:
    """Raise `UsageError` for a file whose suffix contradicts --format."""
    from distilcli.rows.formats import split_suffixes
    from distilcli.vectors.writer import HEADERS

    suffix = split_suffixes(out.output or "")[0]
    if suffix in HEADERS and suffix != out.written_format:
        raise UsageError(
            f"{out.output}: is named .{suffix} and would be {out.written_format}; "
            "leave out `output_format` or rename the file"
        )


def _run(
    making: Making,
    common: FileOptions,
    source: "RowSource",
    embedder: "Embedder",
    *,
    layout: "Layout",
) -> FileRun[Any, Any]:
    from distilcli.tasks.embed import EmbeddingColumns, TokenEmbeddingColumns
    from distilcli.tasks.files import text_from

    text_of, on_error = text_from(source.text_column), common.rows.on_error
    run = partial(
        FileRun,
        options=common,
        source=source,
        predictor=embedder,
        text_columns=[source.text_column],
    )
    if making.tokens:
        engine = embedder.tokens_engine(text_of, on_error=on_error)
        return run(engine=engine, columns=TokenEmbeddingColumns(layout))
    return run(engine=embedder.engine(text_of, on_error=on_error), columns=EmbeddingColumns(layout))
