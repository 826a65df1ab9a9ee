"""The file `PART.run.json` beside a finished part of a sharded run: which run and which shard.

With it, parts can be checked and put together without the inputs or the model.
"""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from distilcli.errors import InputError, tell
from distilcli.rows.formats import split_part
from distilcli.rows.identity import RunIdentity
from distilcli.rows.output import write_text
from distilcli.rows.shard import Shard
from distilcli.wording import count, listing

SUFFIX = ".run.json"

_FORMAT = 1
_OF_A_MACHINE = ("shard", "device")
"""Options that may differ between the parts of a run."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A finished part: its file, its run, its shard, and how its rows are laid out.

    `bytes` is the size of its file, None for a database, which may have other tables.
    `begin` and `end` are blocks: the index of a file and the number of its block. `format` and
    `delimiter` are those of the part, `rows` is the number of rows in it, and `added` the names of
    the columns that follow those of the input. `stats` and `counts` (rows by label) are those of
    the run, as its journal has them.
    """

    path: str
    run: RunIdentity
    shard: Shard
    begin: Sequence[int]
    end: Sequence[int]
    rows: int
    bytes: int | None
    format: str
    delimiter: str | None
    added: Sequence[str]
    stats: Mapping[str, Any]
    counts: Mapping[str, int]

    def write(self) -> None:
        """Write it beside the part, whole or not at all."""
        about = asdict(self)
        del about["path"]
        write_text(self.path + SUFFIX, json.dumps({"version": _FORMAT, **about}, indent=2) + "\n")


def remove_manifest(path: str) -> None:
    """Remove what describes an earlier part of that name, which a run is about to replace."""
    Path(path + SUFFIX).unlink(missing_ok=True)


def has_manifest(path: str) -> bool:
    """Return whether a part was finished."""
    return Path(path + SUFFIX).is_file()


def read_manifest(path: str) -> Manifest:
    """Return what lies beside a part; raise `InputError` if that is missing or damaged."""
    file = Path(path + SUFFIX)
    try:
        about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if about.pop("version") != _FORMAT:
            raise InputError(f"{file}: another version of distil wrote it; run its shard again")
        run, shard = RunIdentity(**about.pop("run")), Shard(**about.pop("shard"))
        return _checked(Manifest(path, run, shard, **about))
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: has no {file.name} beside it, so it is not a finished part of a "
            "sharded run; run its shard again"
        ) from error
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{file}: is damaged; run its shard again") from error


def _checked(part: Manifest) -> Manifest:
    """Return what was read; raise `ValueError` if a value that a merge needs is of another type."""
    numbers = (part.shard.index, part.shard.count, part.rows, part.bytes or 0)
    is_sound = (
        all(type(number) is int and number >= 0 for number in numbers)
        and part.shard.index < part.shard.count
        and isinstance(part.run.options, dict)
        and isinstance(part.run.inputs, dict)
        and isinstance(part.format, str)
        and isinstance(part.delimiter, str | None)
        and isinstance(part.added, list)
        and bool(part.added)
        and all(isinstance(name, str) for name in part.added)
    )
    if not is_sound:
        raise ValueError(part.path)
    return part


def find_parts(paths: Sequence[str], *, finished: bool = True) -> list[Manifest]:
    """Return the manifests of the parts among these files, in the order of their shards.

    What lies beside parts may be named too, as by a pattern. Parts that are not `finished` are an
    `InputError`, or are left out. Raises `InputError` for files of different runs and for a part
    of another size than it had and for a shard that is there twice. Warns once if parts were made
    on different kinds of device.
    """
    parts = {path: None for path in paths if not path.endswith(SUFFIX)}
    found: dict[int, Manifest] = {}
    first: Manifest | None = None
    for path in parts:
        file = Path(split_part(path)[0])
        is_there = file.is_file()
        is_finished = is_there and has_manifest(path)
        if not is_finished and (not finished or _belongs_to_another(path, parts)):
            continue
        if not is_there:
            raise InputError(f"{path}: no such file")
        part = read_manifest(path)
        first = first or part
        _check_same_run(first, part)
        if part.bytes not in (None, size := file.stat().st_size):
            raise InputError(
                f"{path}: has {size:,} bytes, and its .run.json says {part.bytes:,}; run shard "
                f"{part.shard} again"
            )
        if part.shard.index in found:
            raise InputError(
                f"{found[part.shard.index].path} and {path} are both shard {part.shard}; "
                "leave one out"
            )
        found[part.shard.index] = part
    if first is None:
        raise InputError("none of the files is a finished part, with a .run.json beside it")
    ordered = [found[index] for index in sorted(found)]
    _tell_of_devices(ordered)
    return ordered


def _belongs_to_another(path: str, parts: Container[str]) -> bool:
    """Return whether it lies beside a part: `0.npy.rows.jsonl` beside `0.npy`."""
    dots = (at for at, character in enumerate(path) if character == ".")
    return any(path[:at] in parts and has_manifest(path[:at]) for at in dots)


def _check_same_run(first: Manifest, part: Manifest) -> None:
    another = f"{part.path}: belongs to another run than {first.path}"
    if part.shard.count != first.shard.count:
        raise InputError(f"{another}: it is shard {part.shard}, the other {first.shard}")
    error = _comparable(first.run).difference(_comparable(part.run))
    if error is not None:
        said = error.args[0].replace("`", "")  # settings of another command
        raise InputError(f"{another}: {said}; run its shard again, or leave it out")
    if part.format != first.format:
        raise InputError(f"{another}: it is {part.format}, the other {first.format}")
    if part.delimiter != first.delimiter:
        raise InputError(
            f"{another}: its delimiter is {part.delimiter!r}, that of the other {first.delimiter!r}"
        )


def _comparable(run: RunIdentity) -> RunIdentity:
    options: Mapping[str, Any] = {
        name: value for name, value in run.options.items() if name not in _OF_A_MACHINE
    }
    return replace(run, options=options)


def _tell_of_devices(parts: Sequence[Manifest]) -> None:
    first = parts[0]
    others = [part for part in parts if _device(part) != _device(first)]
    if others:
        tell(
            f"{others[0].path} was made on {_device(others[0])} and {first.path} on "
            f"{_device(first)}; the last digits of scores may differ"
        )


def _device(part: Manifest) -> str:
    return str(part.run.options.get("device")).partition(":")[0]


def missing_shards(parts: Sequence[Manifest]) -> list[int]:
    """Return the indices of the shards that none of the parts is."""
    there = {part.shard.index for part in parts}
    return [index for index in range(parts[0].shard.count) if index not in there]


def as_array(indices: Sequence[int]) -> str:
    """Return indices as Slurm's `--array` and others take them: `3,7-9`."""
    ranges: list[list[int]] = []
    for index in indices:
        if ranges and ranges[-1][-1] == index - 1:
            ranges[-1][1:] = [index]
        else:
            ranges.append([index])
    return ",".join("-".join(map(str, each)) for each in ranges)


def check_complete(parts: Sequence[Manifest]) -> None:
    """Raise `InputError` that lists the shards that are missing."""
    if missing := missing_shards(parts):
        shards = count(parts[0].shard.count, "shard")
        some = listing(map(str, missing), most=20)
        raise InputError(
            f"{len(missing):,} of {shards} missing: {some}; run them again (`missing` prints their "
            "indices for an array of jobs)"
        )
