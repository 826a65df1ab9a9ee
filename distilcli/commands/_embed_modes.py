"""What `distil embed` does: vectors beside rows, vectors stored, and search in stored ones."""

import dataclasses
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from distilcli.commands._file_run import open_sink, told_agreement, write_report
from distilcli.commands._option_groups import RunOptions
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.predictors.embedder import Embedder
    from distilcli.rows import RowSource
    from distilcli.tasks.embed import Dtype, Layout
    from distilcli.vectors.index import VectorIndex
    from distilcli.vectors.writer import VectorWriter

_BLOCK_ROWS = 1000
_KINDS = {
    "pooling": (str, NoneType),
    "normalize": (bool, NoneType),
    "dims": (int, NoneType),
    "layer": (int, NoneType),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Vectors:
    """How texts become vectors, as the options say; what is None is as the model says."""

    run: RunOptions
    pooling: str | None
    normalize: bool | None
    dims: int | None
    layer: int | None
    dtype: "Dtype"
    prompt: str | None
    prompt_name: str | None
    window_pooling: str | None

    @property
    def options(self) -> dict[str, Any]:
        """The options that a query's vector must share with those that it is compared with."""
        return {
            "pooling": self.pooling,
            "normalize": self.normalize,
            "dims": self.dims,
            "layer": self.layer,
        }

    def embedder(self) -> "Embedder":
        """Load the embedder that the options ask for."""
        from distilcli.predictors.embedder import Embedder

        return Embedder(
            self.run.model or "embed",
            **self.options,
            dtype=self.dtype,
            prompt=self.prompt,
            prompt_name=self.prompt_name,
            **self.run.computing,
            long_texts=self.run.long_texts(self.window_pooling),
        )

    def like(self, index: "VectorIndex") -> "Vectors":
        """Return these options, with those of the index in place of what was not given."""
        stored = index.about.get("options", {})
        if not isinstance(stored, dict) or not all(
            isinstance(stored.get(name), kind) for name, kind in _KINDS.items()
        ):
            raise index.damaged()
        options = {
            name: stored.get(name) if value is None else value
            for name, value in self.options.items()
        }
        model = self.run.model or str(index.about.get("model") or "")
        if not model:
            raise UsageError(f"{index.path}: does not say which model made it; give `model`")
        run = dataclasses.replace(self.run, model=model)
        # A query is compared in full: the numbers that were stored may be coarser.
        return dataclasses.replace(self, run=run, dtype="float32", **options)


def _check_suffix(run: RunOptions) -> None:
    """Raise `UsageError` for a file whose name says another format than --format."""
    from distilcli.rows.formats import split_suffixes
    from distilcli.vectors.writer import HEADERS

    suffix = split_suffixes(run.output or "")[0]
    if suffix in HEADERS and suffix != run.written_format:
        raise UsageError(
            f"{run.output}: is named .{suffix} and would be {run.written_format}; "
            "leave out --format or rename the file"
        )


def _check_files(run: RunOptions, index: str | None) -> None:
    """Raise `UsageError` where results or the report would replace what is read."""
    from distilcli.rows import is_same_file
    from distilcli.rows.inputs import find_inputs
    from distilcli.vectors.writer import METADATA_SUFFIX, ROWS_SUFFIX

    run.destination.check()
    run.report.check(output=run.output)
    if index is None:
        found = find_inputs(run.files or (), run.input_format)
        run.report.spare([each.path for each in found if each.path is not None])
        return
    stored = [Path(index + suffix) for suffix in ("", ROWS_SUFFIX, METADATA_SUFFIX)]
    run.report.spare(stored)
    for path in stored:
        if run.output is not None and is_same_file(run.output, path):
            raise UsageError(f"{path}: belongs to the --index; name another file to write")


def embed_rows(vectors: Vectors, *, text_column: str | None, of_tokens: bool) -> int:
    """Write rows with their vectors in a column; return the exit code."""
    run = vectors.run
    _check_suffix(run)
    source = run.open_rows(text_column)
    layout: Layout = "glance" if run.destination.is_table else "json"
    if run.written_format == "parquet":
        layout = "array"
    code, _ = _carry(vectors, source, of_tokens=of_tokens, layout=layout)
    return code


def store(
    vectors: Vectors, *, text_column: str | None, identity: str | None, of_tokens: bool
) -> "tuple[int, Embedder]":
    """Write a file of vectors, and what names them beside it; return exit code and model."""
    run = vectors.run
    if run.output is None:
        raise UsageError(f"--format {run.output_format} needs a file; add -o FILE")
    _check_suffix(run)
    from distilcli.vectors.writer import check_vector_files

    for name in check_vector_files(run.output, force=run.force):
        run.report.check(output=name)
    source = run.open_rows(text_column)
    if identity is not None:
        identity = source.find_column(identity)
    return _carry(vectors, source, of_tokens=of_tokens, layout="array", stored_by=identity or "")


def _carry(
    vectors: Vectors,
    source: "RowSource",
    *,
    of_tokens: bool,
    layout: "Layout",
    stored_by: str | None = None,
) -> "tuple[int, Embedder]":
    """Run the rows; `stored_by` is the id column of a file of vectors, None where rows go out."""
    from distilcli.tasks.embed import EmbeddingColumns, TokenEmbeddingColumns
    from distilcli.tasks.files import text_from

    run = vectors.run
    text_column = source.text_column
    embedder = vectors.embedder()
    text_of = text_from(text_column)
    engine: Any
    columns: Any
    if of_tokens:
        engine = embedder.tokens_engine(text_of, on_error=run.on_error)
        columns = TokenEmbeddingColumns(layout)
    else:
        engine = embedder.engine(text_of, on_error=run.on_error)
        columns = EmbeddingColumns(layout)

    def open_vectors() -> "VectorWriter":
        from distilcli.vectors.writer import VectorColumns, VectorWriter

        return VectorWriter(
            run.output or "",
            run.vector_format or "",
            VectorColumns(
                vector=columns.names[-1],
                of_tokens=of_tokens,
                identity=stored_by or None,
                text=text_column,
            ),
            blank=embedder.blank(of_tokens=of_tokens),
            about={**embedder.about(of_tokens=of_tokens), "options": vectors.options},
            force=run.force,
        )

    code = run.carry(
        "embed",
        source,
        embedder,
        engine,
        columns,
        text_columns=[text_column],
        open_vectors=None if stored_by is None else open_vectors,
    )
    return code, embedder


def search(vectors: Vectors, queries: Sequence[str], *, index: str | None, k: int) -> int:
    """Show the stored vectors nearest to each query; return the exit code."""
    if index is None:
        raise UsageError("--search looks through stored vectors; name them with --index FILE")
    from distilcli.vectors.index import open_index
    from distilcli.vectors.search import nearest

    run = vectors.run
    _check_files(run, index)
    stored = open_index(index)
    names = stored.names()
    embedder = vectors.like(stored).embedder()
    maker = stored.about.get("model")
    if maker not in {None, embedder.about()["model"]}:
        run.console.warn(f"{index}: was made with the model {maker}; another one's scores mislead")
    run.console.note(f"{embedder.described()}, {stored.count:,} vectors in {index}")
    found = nearest(stored, embedder(queries), k)
    named = names.columns
    query_column = ["query"] if len(queries) > 1 else []

    def records() -> Iterator[list[object]]:
        for query, hits in zip(queries, found, strict=True):
            for rank, hit in enumerate(hits, start=1):
                which = [query] if query_column else []
                yield [*which, rank, hit.score, *map(names[hit.index].get, named)]

    _write(run, (*query_column, "rank", "score", *named), records())
    about = {"command": "embed", "model": embedder.name, "index": index, "vectors": stored.count}
    computed = {
        "precision": embedder.precision,
        **told_agreement(run.console, embedder.agreement),
    }
    write_report({**about, "queries": len(queries), **computed}, run.report)
    return 0


def near_duplicates(
    vectors: Vectors,
    threshold: float,
    *,
    index: str | None,
    text_column: str | None,
    identity: str | None,
) -> int:
    """Show pairs of rows, or of stored vectors, that are nearly the same; give the exit code."""
    from distilcli.vectors.index import open_index
    from distilcli.vectors.search import near_duplicates as pairs_of

    run = vectors.run
    _check_files(run, index)
    with tempfile.TemporaryDirectory() as folder:
        code = 0
        computed: dict[str, Any] = {}
        if index is None:
            index = str(Path(folder) / "vectors.npy")
            storing = dataclasses.replace(run, output=index, output_format="auto")
            if not run.dry_run:  # the report is of the pairs
                quiet = run.quiet or run.json_summary
                storing = dataclasses.replace(
                    storing, stats_file=None, json_summary=False, quiet=quiet
                )
            code, embedder = store(
                dataclasses.replace(vectors, run=storing),
                text_column=text_column,
                identity=identity,
                of_tokens=False,
            )
            if run.dry_run:
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
        _write(run, ("score", *named, *(f"other_{name}" for name in named)), records())
        run.console.note(f"{count:,} pairs of {stored.count:,} rows at {threshold} or nearer")
        about = {"command": "embed", "vectors": stored.count, "pairs": count}
        write_report({**about, **computed}, run.report)
    return code


@dataclass(frozen=True, slots=True)
class _Made:
    """Rows that were read nowhere: what a sink asks of where rows come from."""

    columns: tuple[str, ...]
    format: str = "txt"
    delimiter: str | None = None
    is_stream: bool = False


def _write(run: RunOptions, columns: tuple[str, ...], records: Iterable[Sequence[object]]) -> None:
    """Write records to where rows go."""
    from distilcli.rows import Row

    # A table gives texts room where they are columns of the input; a file types what is new.
    there, new = (columns, ()) if run.destination.is_table else ((), columns)

    def placed(line: int, cells: Sequence[object]) -> tuple[Row, dict[str, object]]:
        if there:
            return Row(there, list(cells), "", line), {}
        return Row((), [], "", line), dict(zip(new, cells, strict=True))

    source: Any = _Made(there)
    texts = [name for name in columns if name.endswith("text")]
    rows = itertools.starmap(placed, enumerate(records, start=1))
    with open_sink(run.console, source, new, run.destination, texts) as sink:
        while block := list(itertools.islice(rows, _BLOCK_ROWS)):
            sink.write_rows(block)
