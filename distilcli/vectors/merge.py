"""Parts of stored vectors, put together: vectors, the rows beside them, and their metadata."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from distilcli.errors import InputError
from distilcli.rows.file_output import FileOutput
from distilcli.rows.jsonl import DECODER, object_text
from distilcli.rows.manifest import Manifest
from distilcli.vectors.index import open_index
from distilcli.vectors.writer import HEADERS, ROWS_SUFFIX, check_vector_files

_AT_ONCE = 1 << 20


def merge_vectors(output: str, parts: Sequence[Manifest], *, force: bool) -> int:
    """Write the vectors of all parts to one file, with what lies beside them; return the number.

    Ids that are numbers of rows go on from part to part. Raises `UsageError` for a file that cannot
    be written, and `InputError` for a part that is not as it was written.
    """
    names = check_vector_files(output, force=force)
    numbered = parts[0].run.options.get("id_column") is None
    numbered = numbered and not parts[0].run.options.get("whole_files")
    parts = [part for part in parts if part.rows] or parts[:1]
    indices = [open_index(part.path) for part in parts]
    count = sum(index.count for index in indices)
    with ExitStack() as unless_done:
        files = []
        for name in names:
            files.append(FileOutput(name, None))
            unless_done.callback(files[-1].discard)
        vectors, rows, metadata = files
        header = HEADERS[parts[0].format](count, indices[0].columns, indices[0].dtype.str)
        vectors.write_bytes(header)
        before = 0
        for part, index in zip(parts, indices, strict=True):
            with Path(part.path).open("rb") as data, vectors.explained():
                data.seek(len(header))
                copyfileobj(data, vectors.file, _AT_ONCE)
            lines = _copy_rows(part, rows, before if numbered else None)
            if lines != index.count:
                raise InputError(
                    f"{part.path}{ROWS_SUFFIX}: has {lines:,} lines for {index.count:,} vectors; "
                    f"run shard {part.shard} again"
                )
            before += part.rows
        about = {**indices[0].about, "vectors": count}
        metadata.write(json.dumps(about, indent=2, ensure_ascii=False) + "\n")
        for file in (metadata, rows, vectors):  # as when they are written: the vectors last
            file.finish()
        for file in (metadata, rows, vectors):
            file.commit()
        unless_done.pop_all()
    return count


def _copy_rows(part: Manifest, rows: FileOutput, before: int | None) -> int:
    """Copy the lines beside the vectors of a part, and add `before` to ids; return their number."""
    path, found = part.path + ROWS_SUFFIX, 0
    try:
        with Path(path).open("rb") as lines:
            for line in lines:
                rows.write_bytes(line if before is None else _renumbered(line, before))
                found += 1
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run shard {part.shard} again") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: line {found + 1} is damaged; run shard {part.shard} again"
        ) from error
    return found


def _renumbered(line: bytes, before: int) -> bytes:
    named: dict[str, Any] = DECODER.decode(line.decode())
    return (object_text({**named, "id": int(named["id"]) + before}) + "\n").encode()
