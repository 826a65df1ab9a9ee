"""`distil embed`: texts to vectors, and exact search in those that were stored."""

from typing import Annotated, Literal

from distilcli.commands._declare import GivenOptions, opt, options
from distilcli.commands._embed_modes import (
    Vectors,
    embed_rows,
    near_duplicates,
    search,
    store,
    vector_format,
)
from distilcli.commands._file_run import FileOptions
from distilcli.commands._option_groups import TextColumnOption, rows_format_option
from distilcli.errors import UsageError

_READING = ("text_column", "id_column", "dry_run", "limit")
_MAKING = (
    "pooling", "normalize", "dims", "layer", "prompt", "prompt_name", "window_pooling",
    "model", "device", "precision", "min_agreement", "batch", "max_tokens", "threads", "keep_empty",
)  # fmt: skip


@options(
    topic="Vectors",
    types={"output_format": rows_format_option("npy", "safetensors")},
    formats=("npy", "safetensors"),
    model="",
)
def embed(
    common: FileOptions,
    text_column: TextColumnOption = None,
    pooling: Annotated[
        str | None,
        opt(
            "How tokens become one vector: mean, cls, max, mean-sqrt, weighted, last-token, or "
            "last-4 (mean over 4 layers) (default: the model's own, else mean)."
        ),
    ] = None,
    normalize: Annotated[
        bool | None, opt("Scale vectors to length 1, or not.", "--normalize/--no-normalize")
    ] = None,
    dims: Annotated[
        int | None, opt("Keep only the first N dimensions (Matryoshka).", min=1)
    ] = None,
    layer: Annotated[
        int | None, opt("Layer to pool: 1 to the last, 0 for the embeddings, -1 …")
    ] = None,
    tokens: Annotated[bool, opt("One vector per token instead of one per text.")] = False,
    dtype: Annotated[
        Literal["float32", "float16", "int8", "binary"],
        opt("Number format of the vectors; binary packs eight signs into a byte."),
    ] = "float32",
    prompt: Annotated[str | None, opt("Prefix for every text, such as 'query: '.")] = None,
    prompt_name: Annotated[
        str | None, opt("The prefix that the model has under this name.", metavar="NAME")
    ] = None,
    queries: Annotated[
        list[str] | None,
        opt(
            "Find the stored vectors nearest to QUERY.", "--search", topic="Search", metavar="QUERY"
        ),
    ] = None,
    index: Annotated[
        str | None,
        opt("Stored vectors: .npy or .safetensors.", topic="Search", metavar="FILE"),
    ] = None,
    top_k: Annotated[
        int | None,
        opt("Hits per query (default: 10).", "--top-k", "-k", topic="Search", min=1),
    ] = None,
    threshold: Annotated[
        float | None,
        opt(
            "Find pairs of rows at least this similar, in files or an --index.",
            "--near-duplicates",
            topic="Search",
            metavar="COSINE",
            min=-1,
            max=1,
        ),
    ] = None,
    id_column: Annotated[
        str | None,
        opt(
            "Column that identifies rows in stored vectors (default: the row number).",
            topic="Input",
            metavar="NAME",
        ),
    ] = None,
) -> int:
    """Turn texts into vectors, store them and search them.

    A pipe gets rows with a column embedding (a JSON list). -o vectors.npy (or .safetensors)
    stores the vectors, with ids and texts in vectors.npy.rows.jsonl; --search reads such a file
    without loading it into memory.

    Examples:
      distil embed reviews.csv -o reviews.npy
      distil embed --search "battery died" --index reviews.npy -k 5
      distil embed reviews.csv --near-duplicates 0.95
    """
    _check(common, pooling)
    vectors = Vectors(
        common=common,
        pooling=pooling,
        normalize=normalize,
        dims=dims,
        layer=layer,
        dtype=dtype,
        prompt=prompt,
        prompt_name=prompt_name,
    )
    if queries:
        return search(vectors, queries, index=index, k=top_k or 10)
    if threshold is not None:
        return near_duplicates(
            vectors, threshold, index=index, text_column=text_column, identity=id_column
        )
    if vector_format(common.out) is not None:
        code, _ = store(vectors, text_column=text_column, identity=id_column, of_tokens=tokens)
        return code
    common.given.refuse(["id_column"], "is for stored vectors (`output` FILE.npy); leave it out")
    return embed_rows(vectors, text_column=text_column, of_tokens=tokens)


def _check(common: FileOptions, pooling: str | None) -> None:
    """Raise `UsageError` for options that do not go together."""
    given = common.given
    given.at_most_one("queries", "threshold")
    mode = next((name for name in ("queries", "threshold") if name in given), None)
    stored_as = vector_format(common.out)
    if "tokens" in given:
        _check_tokens(given, pooling, mode)
    if mode is None:
        given.refuse(["index"], "is for `queries` and `threshold`; add one of them")
    if mode != "queries":
        given.refuse(["top_k"], "is for `queries`; add one")
    if mode or stored_as:
        given.refuse(["prefix"], "names new columns of rows, and none are written; leave it out")
    if mode and stored_as:
        raise UsageError(f"`{mode}` gives rows; a {stored_as} file holds vectors only")
    if mode and "index" in given:
        if common.rows.files or common.rows.texts:
            raise UsageError(f"`{mode}` searches `index`; leave out the files, or embed them")
        given.refuse(_READING, "is for files to embed, not for an `index`; leave it out")
        if mode == "threshold":
            given.refuse(_MAKING, "is for making vectors; those of `index` exist; leave it out")


def _check_tokens(given: GivenOptions, pooling: str | None, mode: str | None) -> None:
    if mode is not None:
        raise UsageError(f"`tokens` gives a vector per token; `{mode}` compares whole texts")
    given.refuse(["window_pooling"], "has no effect with `tokens`; leave it out")
    if pooling is not None and (pooling == "last-token" or not pooling.startswith("last-")):
        raise UsageError(f"`pooling` {pooling} has no effect with `tokens`; leave it out")
