"""What `distil embed` finds: the stored vectors nearest to queries, and pairs of similar ones."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from distilcli.commands._embed_modes import check_index, store, warn_of_another_model
from distilcli.commands._embed_options import Making
from distilcli.commands._file_run import FileOptions, noted_agreement, open_sink, write_report
from distilcli.errors import UsageError
from distilcli.wording import count

if TYPE_CHECKING:
    from distilcli.rows.row_writer import Block

_BLOCK_ROWS = 1000


def search(
    making: Making, common: FileOptions, queries: Sequence[str], *, index: str | None, k: int
) -> int:
    """Show the stored vectors nearest to each query; return the exit code."""
    if index is None:
        raise UsageError("`queries` searches stored vectors; name them with `index` FILE")
    from distilcli.vectors.index import open_index
    from distilcli.vectors.search import nearest

    console = common.report.console
    check_index(common, index)
    stored = open_index(index)
    names = stored.names()
    making, common = making.like(stored, common)
    embedder = making.embedder(common)
    warn_of_another_model(embedder, stored, console)
    console.note(f"{embedder.described()}, {stored.count:,} vectors in {index}")
    found = nearest(stored, embedder(queries), k)
    query_column = ["query"] if len(queries) > 1 else []

    def records() -> Iterator[list[object]]:
        for query, hits in zip(queries, found, strict=True):
            for rank, hit in enumerate(hits, start=1):
                which = [query] if query_column else []
                yield [*which, rank, hit.score, *map(names[hit.index].get, names.columns)]

    _write(common, (*query_column, "rank", "score", *names.columns), records())
    about = {"command": "embed", "model": embedder.name, "index": index, "vectors": stored.count}
    about |= {"queries": len(queries), "precision": embedder.precision}
    write_report({**about, **noted_agreement(console, embedder.agreement)}, common.report)
    return 0


def near_duplicates(
    making: Making,
    common: FileOptions,
    threshold: float,
    *,
    index: str | None,
    text_column: str | None,
    id_column: str | None,
) -> int:
    """Show pairs of similar rows, or of similar stored vectors; return the exit code."""
    from distilcli.interrupt import scratch_folder
    from distilcli.vectors.index import open_index
    from distilcli.vectors.search import near_duplicates as pairs_of

    report = common.report
    code = pairs = 0
    computed: dict[str, object] = {}
    check_index(common, index)
    with scratch_folder() as folder:
        if index is None:
            index = str(Path(folder) / "vectors.npy")
            if not report.dry_run:  # the report is about the pairs
                quiet = report.quiet or report.json_summary
                report = replace(report, stats_file=None, json_summary=False, quiet=quiet)
            out = replace(common.out, output=index, output_format="auto")
            code, embedder = store(
                making,
                replace(common, out=out, report=report),
                text_column=text_column,
                id_column=id_column,
            )
            if report.dry_run:
                return code
            computed = {"precision": embedder.precision, **embedder.agreement.as_dict()}
        stored = open_index(index)
        names = stored.names()

        def records() -> Iterator[list[object]]:
            nonlocal pairs
            for pair in pairs_of(stored, threshold):
                pairs += 1
                one, other = names[pair.first], names[pair.second]
                yield [pair.score, *map(one.get, names.columns), *map(other.get, names.columns)]

        others = (f"other_{name}" for name in names.columns)
        _write(common, ("score", *names.columns, *others), records())
        found = f"{count(pairs, 'pair')} of {count(stored.count, 'row')}"
        common.report.console.note(f"{found} at {threshold} or nearer")
        about = {"command": "embed", "vectors": stored.count, "pairs": pairs}
        write_report({**about, **computed}, common.report)
    return code


def _write(
    common: FileOptions, columns: tuple[str, ...], records: Iterable[Sequence[object]]
) -> None:
    """Write records to where rows go."""
    from distilcli.rows import Given, Row, open_rows

    # A table gives room to texts that are columns of the input; a file types new columns.
    there, new = (columns, ()) if common.out.is_table else ((), columns)
    source = open_rows(given=Given("", there, ()))
    texts = [name for name in columns if name.endswith("text")]
    lines = enumerate(records, start=1)
    with open_sink(common.report.console, source, new, common.out, text_columns=texts) as sink:
        while chunk := list(itertools.islice(lines, _BLOCK_ROWS)):
            block: Block = [
                (
                    Row(there, cells if there else (), "", line),
                    {} if there else dict(zip(new, cells, strict=True)),
                )
                for line, cells in chunk
            ]
            sink.write_rows(block)
