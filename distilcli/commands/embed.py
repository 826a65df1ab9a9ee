"""`distil embed`: texts to vectors, and exact search in those that were stored."""

from collections.abc import Mapping, Set
from typing import Annotated, Literal

import typer

from distilcli.commands import _options as options
from distilcli.commands._embed_modes import (
    Vectors,
    embed_rows,
    near_duplicates,
    search,
    store,
)
from distilcli.commands._option_groups import RunOptions, over_files
from distilcli.errors import UsageError

_MAKING = {
    "--pooling", "--normalize", "--dims", "--layer", "--prompt", "--prompt-name",
    "--window-pooling",
}  # fmt: skip


@over_files(formats=("npy", "safetensors"), model=None)
def embed(
    run: RunOptions,
    text_column: options.TextColumnOption = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            "--pooling",
            help="How tokens become one vector: mean, cls, max, mean-sqrt, weighted, last-token, "
            "or last-4 (the mean over 4 layers). Left out: as the model says, else mean.",
        ),
    ] = None,
    normalize: Annotated[
        bool | None,
        typer.Option("--normalize/--no-normalize", help="Vectors of length 1, or as they come."),
    ] = None,
    dims: Annotated[
        int | None,
        typer.Option("--dims", min=1, help="Only the first so many dimensions (Matryoshka)."),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option("--layer", help="The layer to pool: 1 to the last, 0 the embeddings, -1 …"),
    ] = None,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="A vector for every token of a text.")
    ] = False,
    dtype: Annotated[
        Literal["float32", "float16", "int8", "binary"],
        typer.Option("--dtype", help="The numbers of a vector; binary: signs, eight to a byte."),
    ] = "float32",
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="A text put before every text ('query: ').")
    ] = None,
    prompt_name: Annotated[
        str | None, typer.Option("--prompt-name", help="The same, by its name in the model.")
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id-column",
            metavar="NAME",
            help="What names a row beside stored vectors; left out, its number.",
        ),
    ] = None,
    queries: Annotated[
        list[str] | None,
        typer.Option(
            "--search", metavar="QUERY", help="Find the nearest of the stored vectors to a text."
        ),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option("--index", metavar="FILE", help="Stored vectors: .npy or .safetensors."),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", "-k", min=1, help="With --search: how many (10).")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--near-duplicates",
            metavar="COSINE",
            min=-1,
            max=1,
            help="Pairs of rows at least so near, of files or of an --index.",
        ),
    ] = None,
    window_pooling: options.WindowPoolingOption = None,
) -> int:
    """Turn texts into vectors, and find the nearest to a query.

    A pipe gets the rows with a column embedding (a JSON list). -o vectors.npy (or .safetensors)
    stores the vectors as they come, with ids and texts in vectors.npy.rows.jsonl beside them;
    --search looks through such a file without reading it into memory.

    Examples: distil embed reviews.csv -o reviews.npy ·
    distil embed --search "battery died" --index reviews.npy -k 5 ·
    distil embed reviews.csv --near-duplicates 0.95
    """
    vectors = Vectors(
        run=run,
        pooling=pooling,
        normalize=normalize,
        dims=dims,
        layer=layer,
        dtype=dtype,
        prompt=prompt,
        prompt_name=prompt_name,
        window_pooling=window_pooling,
    )
    _check(
        run,
        {
            "--search": queries,
            "--near-duplicates": threshold,
            "--index": index,
            "--top-k": top_k,
            "--tokens": tokens or None,
            "--id-column": id_column,
            "--text-column": text_column,
            "--window-pooling": window_pooling,
            "--pooling": pooling,
            "--normalize": normalize,
            "--dims": dims,
            "--layer": layer,
            "--prompt": prompt,
            "--prompt-name": prompt_name,
        },
    )
    if queries:
        return search(vectors, queries, index=index, k=top_k or 10)
    if threshold is not None:
        return near_duplicates(
            vectors, threshold, index=index, text_column=text_column, identity=id_column
        )
    if run.vector_format is not None:
        code, _ = store(vectors, text_column=text_column, identity=id_column, of_tokens=tokens)
        return code
    if id_column is not None:
        raise UsageError("--id-column is for stored vectors (-o FILE.npy); rows keep all columns")
    return embed_rows(vectors, text_column=text_column, of_tokens=tokens)


def _check(run: RunOptions, own: Mapping[str, object]) -> None:
    """Raise `UsageError` for options that belong to what is not done."""
    given = {name for name, value in own.items() if value is not None}
    searches = given & {"--search", "--near-duplicates"}
    if len(searches) > 1:
        raise UsageError("--search and --near-duplicates are two things; give one of them")
    if "--tokens" in given:
        _check_tokens(own, given)
    if "--index" in given and not searches:
        raise UsageError("--index is for --search and --near-duplicates; add one of them")
    if "--top-k" in given and "--search" not in given:
        raise UsageError("--top-k is for --search; add a query")
    if run.prefix and (searches or run.vector_format):
        raise UsageError("--prefix names the new columns of rows; here are none")
    for mode in searches:
        if run.vector_format is not None:
            raise UsageError(f"{mode} gives rows; a {run.vector_format} file holds vectors only")
        if "--index" in given:
            _check_index(mode, run, given)


def _check_index(mode: str, run: RunOptions, given: Set[str]) -> None:
    if run.files or run.texts:
        raise UsageError(f"{mode} looks through --index; leave out the files, or embed them")
    reading = given & {"--text-column", "--id-column"}
    reading |= {"--dry-run"} if run.dry_run else set()
    reading |= {"--limit"} if run.limit is not None else set()
    if reading:
        raise UsageError(f"{min(reading)} is for files that are embedded, not for an --index")
    computing = {
        "--model": run.model is not None,
        "--device": run.device != "auto",
        "--precision": run.precision != "fp32",
        "--min-agreement": run.min_agreement is not None,
        "--batch": run.batch is not None,
        "--max-tokens": run.max_tokens is not None,
        "--threads": run.threads is not None,
    }
    making = given & _MAKING | {name for name, is_given in computing.items() if is_given}
    if making and mode == "--near-duplicates":
        raise UsageError(f"{min(making)} is for making vectors; those of an --index are made")


def _check_tokens(own: Mapping[str, object], given: Set[str]) -> None:
    if given & {"--search", "--near-duplicates"}:
        raise UsageError("--tokens gives a vector for each token; searching goes by whole texts")
    pooling = own["--pooling"]
    if (pooling is not None and not str(pooling).startswith("last-")) or pooling == "last-token":
        raise UsageError(f"--tokens pools nothing; leave out --pooling {pooling}")
    if "--window-pooling" in given:
        raise UsageError("--tokens pools nothing; leave out --window-pooling")
