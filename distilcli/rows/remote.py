"""Files of object stores (`s3://`, `gs://`, `hf://` and others that fsspec knows), read in place.

Inputs are read in ranges, as local files are. An output is made here and sent when it is complete.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from distilcli.errors import DistilError, ResourceError, UsageError

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://")
_NOT_STORES = ("http", "https", "ftp", "file")
_PACKAGES = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gcs"), "gcs": ("gcsfs", "gcs")}
"""The package that fsspec needs for a scheme, and the extra that installs it."""
_BLOCK = 1 << 20


def is_remote(path: str) -> bool:
    """Return whether a path is in an object store."""
    found = _SCHEME.match(path)
    return found is not None and found[1] not in _NOT_STORES and not os.path.lexists(path)


def remote_files(pattern: str) -> list[str]:
    """Return the files that match a pattern, in order."""
    scheme = pattern.partition("://")[0]
    with _explained(pattern):
        store, path = _store(pattern)
        return sorted(f"{scheme}://{name}" for name in store.glob(path))


class RemotePath:
    """A file of an object store, as far as readers ask a `Path`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._about: dict[str, Any] | None = None

    def __fspath__(self) -> str:
        return self._url

    def __str__(self) -> str:
        return self._url

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self._url.rpartition("/")[2]

    def as_path(self) -> Path:
        """Return it under the type that readers declare."""
        return cast("Path", self)

    def with_name(self, name: str) -> "RemotePath":
        """Return the file of another name beside it."""
        return RemotePath(f"{self._url.rpartition('/')[0]}/{name}")

    def stat(self) -> os.stat_result:
        """Return its size and when it changed; other versions of it have another time.

        Raises `FileNotFoundError`, and `ResourceError` for a store that cannot be reached.
        """
        about = self._looked_up()
        # Stores know the time to the second or not at all; the tag tells versions apart.
        version = str(about.get("ETag") or about.get("etag") or about.get("mtime") or "")
        changed = sum(byte << 8 * (index % 6) for index, byte in enumerate(version.encode()))
        return os.stat_result((0o100444, 0, 0, 1, 0, 0, int(about["size"]), 0, changed, 0))

    def _looked_up(self) -> dict[str, Any]:
        if self._about is None:
            with _explained(self._url):
                store, path = _store(self._url)
                self._about = store.info(path)
        return self._about

    def is_dir(self) -> bool:
        """Return whether it is a folder."""
        return bool(self._looked_up()["type"] == "directory")

    def is_file(self) -> bool:
        """Return whether it is there, and a file."""
        try:
            return not self.is_dir()
        except FileNotFoundError:
            return False

    exists = is_file

    def open(self, mode: str, buffering: int = 0) -> Any:
        """Open it to read it, in ranges."""
        del buffering
        with _explained(self._url):
            store, path = _store(self._url)
            return store.open(path, mode, block_size=_BLOCK)


def fetch(url: str, path: Path) -> None:
    """Copy a file of a store; raise `FileNotFoundError` if it is not there."""
    with _explained(url):
        store, source = _store(url)
        store.get_file(source, str(path))


def send(path: Path, url: str) -> None:
    """Copy a file into a store, whole or not at all."""
    with _explained(url):
        store, target = _store(url)
        store.put_file(str(path), target)


def send_all(path: Path, url: str) -> None:
    """Copy a file and what lies beside it; what describes it goes last."""
    beside = sorted(path.parent.glob(f"{path.name}.*"), key=lambda each: each.suffixes)
    for each in (path, *(each for each in beside if each.is_file())):
        send(each, url + each.name.removeprefix(path.name))


def fetch_all(url: str, path: Path) -> None:
    """Copy a file and what lies beside it from a store."""
    with _explained(url):
        store, source = _store(url)
        for name in (source, *store.glob(f"{source}.*")):
            store.get_file(name, str(path) + name.removeprefix(source))


def exists(url: str) -> bool:
    """Return whether there is a file of that name."""
    with _explained(url):
        store, path = _store(url)
        return bool(store.exists(path))


def remove(url: str) -> None:
    """Remove a folder of a store."""
    with _explained(url):
        store, target = _store(url)
        if store.exists(target):
            store.rm(target, recursive=True)


def _store(url: str) -> tuple[Any, str]:
    import fsspec  # noqa: PLC0415 (slow to import)

    scheme = url.partition("://")[0]
    try:
        store, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package, extra = _PACKAGES.get(scheme, (str(error.name or scheme), ""))
        name = f"'distilcli[{extra}]'" if extra else package
        raise UsageError(f"{scheme}:// needs the {package} package: pip install {name}") from error
    except ValueError as error:
        raise UsageError(f"{url}: no object store is known by {scheme}://") from error
    store.invalidate_cache()
    return store, path


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn what the library of a store raises into one line."""
    try:
        yield
    except (DistilError, FileNotFoundError):
        raise
    except Exception as error:
        reason = " ".join((str(error).strip() or type(error).__name__).split())
        raise ResourceError(
            f"{url}: the store cannot be used: {reason}; check its address and your credentials"
        ) from error
