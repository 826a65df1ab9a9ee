"""What the bytes of an output depend on, so that only the same run may continue it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distilcli.errors import DistilError, InputError, UsageError

_READ = 64 << 20
_NAMED = 100
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """A command with the digest of its model, its options, and a fingerprint of each input."""

    command: str
    version: str
    model: str
    options: Mapping[str, Any]
    inputs: Mapping[str, str]

    def difference(self, now: "RunIdentity") -> DistilError | None:
        """Return an error that names what differs from another run; None if nothing does."""
        if self.command != now.command:
            return UsageError(f"it was a run of distil {self.command}")
        if self.version != now.version:
            return UsageError(f"version {self.version} ran it, and this is version {now.version}")
        for name in sorted({*self.options, *now.options}):
            before, after = self.options.get(name), now.options.get(name)
            if before != after:
                return UsageError(f"`{name}` was {_shown(before)} and is {_shown(after)}")
        if self.model != now.model:
            return UsageError("the model has changed")
        if (changed := _changed(self.inputs, now.inputs)) is not None:
            return InputError(changed)
        return None


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    for name, fingerprint in now.items():
        if name not in before:
            return f"{name} was not among the inputs"
        if before[name] != fingerprint:
            return f"{name} has changed"
    missing = [name for name in before if name not in now]
    if missing:
        return f"{missing[0]} is no longer among the inputs"
    return None if [*before] == [*now] else "the inputs are in a different order"


def _shown(value: object) -> str:
    return (
        "not given"
        if value is None or value is False
        else "given"
        if value is True
        else repr(value)
    )


def fingerprints(inputs: Sequence[tuple[str, Path]]) -> dict[str, str]:
    """Return a fingerprint of each input by its name, or a single one if there are very many.

    Inputs that are small in total are known by their content, larger ones by size and time. The
    write-ahead log of a SQLite database is part of it.
    """
    unwritten = [(name, path.with_name(f"{path.name}-wal")) for name, path in inputs]
    inputs = [*inputs, *((name, wal) for name, wal in unwritten if wal.is_file())]
    sizes = [path.stat().st_size for _, path in inputs]
    read = sum(sizes) <= _READ
    found: dict[str, str] = {}
    for name, path in inputs:
        fingerprint = _content(path) if read else _stamp(path)
        found[name] = f"{found[name]} {fingerprint}" if name in found else fingerprint
    if len(found) <= _NAMED:
        return found
    whole = hashlib.sha256(
        "\0".join(f"{name}\0{each}" for name, each in found.items()).encode(
            "utf-8", "surrogateescape"
        )
    )
    return {f"one of {len(inputs):,} files": whole.hexdigest()}


def _content(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _stamp(path: Path) -> str:
    about = path.stat()
    return f"{about.st_size} bytes of {about.st_mtime_ns}"
