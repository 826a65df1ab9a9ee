"""What `distil embed` does: vectors beside rows, vectors stored, and search in stored ones."""

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from distilcli.commands._file_run import (
    FileOptions,
    FileRun,
    noted_agreement,
    open_sink,
    write_report,
)
from distilcli.commands._option_groups import RowsOut, check_outputs
from distilcli.errors import InputError, UsageError

if TYPE_CHECKING:
    from distilcli.predictors.embedder import Embedder
    from distilcli.rows import RowSource
    from distilcli.tasks.embed import Dtype, Layout
    from distilcli.vectors.writer import VectorWriter

_BLOCK_ROWS = 1000
_KINDS = {
    "pooling": (str, NoneType),
    "normalize": (bool, NoneType),
    "dims": (int, NoneType),
    "layer": (int, NoneType),
}


def vector_format(out: RowsOut) -> str | None:
    """Return the format of the file of vectors that is asked for; None if rows are written."""
    from distilcli.vectors.writer import HEADERS

    return out.written_format if out.written_format in HEADERS else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Vectors:
    """How texts become vectors, as the options say; None leaves it to the model."""

    common: FileOptions
    pooling: str | None
    normalize: bool | None
    dims: int | None
    layer: int | None
    dtype: "Dtype"
    prompt: str | None
    prompt_name: str | None

    @property
    def options(self) -> dict[str, Any]:
        """The options that a query shares with the vectors it is compared with."""
        return {name: getattr(self, name) for name in _KINDS}

    def embedder(self) -> "Embedder":
        """Load the embedder that the options ask for."""
        from distilcli.predictors.embedder import Embedder

        return Embedder(
            self.common.compute.model or "embed",
            **self.options,
            dtype=self.dtype,
            prompt=self.prompt,
            prompt_name=self.prompt_name,
            **self.common.predictor_settings(),
        )

    def like(self, about: Mapping[str, Any], index: str) -> "Vectors":
        """Return the same, with the options of the stored vectors where none are given."""
        stored = about.get("options", {})
        if not isinstance(stored, dict) or not all(
            isinstance(stored.get(name), kind) for name, kind in _KINDS.items()
        ):
            raise InputError(
                f"{index}.json (metadata of the index) is damaged; re-create the index"
            )
        options = {
            name: stored.get(name) if value is None else value
            for name, value in self.options.items()
        }
        model = self.common.compute.model or str(about.get("model") or "")
        if not model:
            raise UsageError(f"{index}: its model is unknown; give `model`")
        compute = replace(self.common.compute, model=model)
        # A query is compared in full precision: the stored numbers may be coarser.
        return replace(
            self, common=replace(self.common, compute=compute), dtype="float32", **options
        )


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


def _check_files(common: FileOptions, index: str | None) -> None:
    """Raise `UsageError` if results or the report would replace an input."""
    from distilcli.rows.inputs import find_inputs
    from distilcli.vectors.writer import ABOUT_SUFFIX, ROWS_SUFFIX

    out, report = common.out, common.report
    out.check()
    report.check(output=out.output)
    if index is None:
        found = find_inputs(common.rows.files or (), common.rows.input_format)
        report.check([each.path for each in found if each.path is not None])
        return
    stored = [index + suffix for suffix in ("", ROWS_SUFFIX, ABOUT_SUFFIX)]
    check_outputs({"output": out.output, "stats_file": report.stats_file}, stored)


def embed_rows(vectors: Vectors, *, text_column: str | None, of_tokens: bool) -> int:
    """Write rows with their vectors in a column; return the exit code."""
    out = vectors.common.out
    _check_suffix(out)
    source = vectors.common.open_rows(text_column)
    layout: Layout = "glance" if out.is_table else "json"
    if out.written_format == "parquet":
        layout = "array"
    code, _ = _run(vectors, source, of_tokens=of_tokens, layout=layout)
    return code


def store(
    vectors: Vectors, *, text_column: str | None, identity: str | None, of_tokens: bool
) -> "tuple[int, Embedder]":
    """Write a file of vectors and its metadata beside it; return exit code and model."""
    common = vectors.common
    if common.out.output is None:
        raise UsageError(
            f"`output_format` {common.out.output_format} needs a file; add `output` FILE"
        )
    _check_suffix(common.out)
    from distilcli.vectors.writer import check_vector_files

    for name in check_vector_files(common.out.output, force=common.out.force):
        common.report.check(output=name)
    source = common.open_rows(text_column)
    if identity is not None:
        identity = source.find_column(identity)
    return _run(vectors, source, of_tokens=of_tokens, layout="array", stored_by=identity or "")


def _run(
    vectors: Vectors,
    source: "RowSource",
    *,
    of_tokens: bool,
    layout: "Layout",
    stored_by: str | None = None,
) -> "tuple[int, Embedder]":
    """Run the rows; `stored_by` is the id column of a file of vectors, None if rows go out."""
    from distilcli.tasks.embed import EmbeddingColumns, TokenEmbeddingColumns
    from distilcli.tasks.files import text_from
    from distilcli.vectors.writer import VectorColumns, VectorWriter

    common, text_column = vectors.common, source.text_column
    embedder = vectors.embedder()
    engine_of: Any = embedder.tokens_engine if of_tokens else embedder.engine
    columns: Any = TokenEmbeddingColumns(layout) if of_tokens else EmbeddingColumns(layout)

    def open_vectors() -> "VectorWriter":
        return VectorWriter(
            common.out.output or "",
            vector_format(common.out) or "",
            VectorColumns(
                vector=columns.names[-1],
                of_tokens=of_tokens,
                identity=stored_by or None,
                text=text_column,
            ),
            blank=embedder.blank(of_tokens=of_tokens),
            about={**embedder.about(of_tokens=of_tokens), "options": vectors.options},
            force=common.out.force,
        )

    code = FileRun[Any](
        command="embed",
        options=common,
        source=source,
        predictor=embedder,
        engine=engine_of(text_from(text_column), on_error=common.rows.on_error),
        columns=columns,
        text_columns=[text_column],
        open_vectors=None if stored_by is None else open_vectors,
    ).run()
    return code, embedder


def search(vectors: Vectors, queries: Sequence[str], *, index: str | None, k: int) -> int:
    """Show the stored vectors nearest to each query; return the exit code."""
    if index is None:
        raise UsageError("`queries` searches stored vectors; name them with `index` FILE")
    from distilcli.vectors.index import open_index
    from distilcli.vectors.search import nearest

    common, console = vectors.common, vectors.common.report.console
    _check_files(common, index)
    stored = open_index(index)
    names = stored.names()
    embedder = vectors.like(stored.about, index).embedder()
    maker = stored.about.get("model")
    if maker not in {None, embedder.about()["model"]}:
        console.warn(f"{index}: made with the model {maker}; scores of another mean nothing")
    console.note(f"{embedder.described()}, {stored.count:,} vectors in {index}")
    found = nearest(stored, embedder(queries), k)
    named = names.columns
    query_column = ["query"] if len(queries) > 1 else []

    def records() -> Iterator[list[object]]:
        for query, hits in zip(queries, found, strict=True):
            for rank, hit in enumerate(hits, start=1):
                which = [query] if query_column else []
                yield [*which, rank, hit.score, *map(names[hit.number].get, named)]

    _write(common, (*query_column, "rank", "score", *named), records())
    about = {"command": "embed", "model": embedder.name, "index": index, "vectors": stored.count}
    computed = {
        "precision": embedder.precision,
        **noted_agreement(console, embedder.agreement),
    }
    write_report({**about, "queries": len(queries), **computed}, common.report)
    return 0


def near_duplicates(
    vectors: Vectors,
    threshold: float,
    *,
    index: str | None,
    text_column: str | None,
    identity: str | None,
) -> int:
    """Show pairs of similar rows, or of similar stored vectors; return the exit code."""
    from distilcli.vectors.index import open_index
    from distilcli.vectors.search import near_duplicates as pairs_of

    common, report = vectors.common, vectors.common.report
    _check_files(common, index)
    with tempfile.TemporaryDirectory() as folder:
        code = 0
        computed: dict[str, Any] = {}
        if index is None:
            index = str(Path(folder) / "vectors.npy")
            if not report.dry_run:  # the report is about the pairs
                quiet = report.quiet or report.json_summary
                report = replace(report, stats_file=None, json_summary=False, quiet=quiet)
            out = replace(common.out, output=index, output_format="auto")
            code, embedder = store(
                replace(vectors, common=replace(common, out=out, report=report)),
                text_column=text_column,
                identity=identity,
                of_tokens=False,
            )
            if report.dry_run:
                return code
            computed = {"precision": embedder.precision, **embedder.agreement.as_dict()}
        stored = open_index(index)
        names = stored.names()
        count = 0

        def records() -> Iterator[list[object]]:
            nonlocal count
            for pair in pairs_of(stored, threshold):
                count += 1
                one, other = names[pair.first], names[pair.second]
                yield [pair.score, *map(one.get, named), *map(other.get, named)]

        named = names.columns
        _write(common, ("score", *named, *(f"other_{name}" for name in named)), records())
        report = common.report
        report.console.note(f"{count:,} pairs of {stored.count:,} rows at {threshold} or nearer")
        about = {"command": "embed", "vectors": stored.count, "pairs": count}
        write_report({**about, **computed}, report)
    return code


@dataclass(frozen=True, slots=True)
class _Made:
    """Rows that no file holds: what a sink asks of a source."""

    columns: tuple[str, ...]
    format: str = "txt"
    delimiter: str | None = None
    is_stream: bool = False


def _write(
    common: FileOptions, columns: tuple[str, ...], records: Iterable[Sequence[object]]
) -> None:
    """Write records to where rows go."""
    from distilcli.rows import Row

    # A table gives room to texts that are columns of the input; a file types new columns.
    there, new = (columns, ()) if common.out.is_table else ((), columns)

    def placed(line: int, cells: Sequence[object]) -> tuple[Row, dict[str, object]]:
        if there:
            return Row(there, list(cells), "", line), {}
        return Row((), [], "", line), dict(zip(new, cells, strict=True))

    source: Any = _Made(there)
    texts = [name for name in columns if name.endswith("text")]
    rows = itertools.starmap(placed, enumerate(records, start=1))
    console = common.report.console
    with open_sink(console, source, new, common.out, text_columns=texts) as sink:
        while block := list(itertools.islice(rows, _BLOCK_ROWS)):
            sink.write_rows(block)
