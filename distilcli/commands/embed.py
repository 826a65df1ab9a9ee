"""`distil embed`: texts to vectors, and exact search in those that were stored."""

from typing import Annotated

from distilcli.commands._declare import GivenOptions, opt, options
from distilcli.commands._embed_modes import embed_rows, remove_duplicates, store, vector_format
from distilcli.commands._embed_options import Finding, Making
from distilcli.commands._embed_search import near_duplicates, search
from distilcli.commands._file_run import FileOptions
from distilcli.commands._option_groups import TextColumnOption, rows_format_option
from distilcli.errors import UsageError

_MODES = ("queries", "threshold", "dedupe")
_READING = ("text_column", "id_column", "dry_run", "limit", "whole_files", "file_column")
_MAKING = (
    "pooling", "normalize", "dims", "layer", "prompt", "prompt_name", "window_pooling",
    "model", "device", "precision", "min_agreement", "batch", "max_tokens", "threads", "keep_empty",
    "deterministic",
)  # fmt: skip


@options(
    topic="Vectors",
    types={"output_format": rows_format_option("npy", "safetensors")},
    formats=("npy", "safetensors"),
    model="",
)
def embed(
    making: Making,
    finding: Finding,
    common: FileOptions,
    text_column: TextColumnOption = None,
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
      distil embed reviews.csv --dedupe 0.95 -o kept.csv --dropped dropped.csv
    """
    _check(common, making, finding)
    if finding.queries:
        return search(making, common, finding.queries, index=finding.index, k=finding.top_k or 10)
    if finding.threshold is not None:
        return near_duplicates(
            making,
            common,
            finding.threshold,
            index=finding.index,
            text_column=text_column,
            id_column=id_column,
        )
    if finding.dedupe is not None:
        return remove_duplicates(making, common, finding, finding.dedupe, text_column=text_column)
    if vector_format(common.out) is not None:
        return store(making, common, text_column=text_column, id_column=id_column)[0]
    return embed_rows(making, common, text_column=text_column)


def _check(common: FileOptions, making: Making, finding: Finding) -> None:
    """Raise `UsageError` for options that do not go together."""
    given = common.given
    mode = _mode(given)
    stored_as = vector_format(common.out)
    if making.tokens:
        _check_tokens(common, making, mode)
    if mode is None:
        given.refuse(["index"], "is for `queries`, `threshold` and `dedupe`; add one of them")
    elif stored_as:
        raise UsageError(f"`{mode}` gives rows; a {stored_as} file holds vectors only")
    if mode != "queries":
        given.refuse(["top_k"], "is for `queries`; add one")
    if mode == "dedupe":
        given.refuse(["dtype"], "is for vectors that are stored, and none are; leave it out")
    else:
        given.refuse(["dropped"], "is for the rows that `dedupe` drops; add it")
    if mode in {"queries", "threshold"}:
        _check_search(common, mode, finding.index)
    elif stored_as is None:
        given.refuse(["id_column"], "is for stored vectors (`output` FILE.npy); leave it out")
    if mode in {"queries", "threshold"} or stored_as:
        given.refuse(["prefix"], "names new columns of rows, and none are written; leave it out")
    if stored_as is None:
        given.refuse(["update"], "is for stored vectors; add `output` FILE.npy")


def _mode(given: GivenOptions) -> str | None:
    given.at_most_one("update", "force")
    given.at_most_one(*_MODES)
    for once in (*_MODES, "update"):
        given.at_most_one(once, "resume", "retry_errors")
        given.at_most_one(once, "shard")
    return next((name for name in _MODES if name in given), None)


def _check_search(common: FileOptions, mode: str, index: str | None) -> None:
    common.given.refuse(["provenance"], "needs rows to mark, and a search has none; leave it out")
    if index is None:
        return
    if common.rows.files or common.rows.texts:
        raise UsageError(f"`{mode}` searches `index`; leave out the files, or embed them")
    common.given.refuse(_READING, "is for files to embed, not for an `index`; leave it out")
    if mode == "threshold":
        common.given.refuse(_MAKING, "is for making vectors; those of `index` exist; leave it out")


def _check_tokens(common: FileOptions, making: Making, mode: str | None) -> None:
    if mode is not None:
        raise UsageError(f"`tokens` gives a vector per token; `{mode}` compares whole texts")
    if making.update:
        raise UsageError("`update` compares whole texts; leave out `tokens`")
    common.given.refuse(["window_pooling"], "has no effect with `tokens`; leave it out")
    pooling = making.pooling
    if pooling is not None and (pooling == "last-token" or not pooling.startswith("last-")):
        raise UsageError(f"`pooling` {pooling} has no effect with `tokens`; leave it out")
