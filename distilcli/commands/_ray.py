"""`--engine ray`: parts of the rows as tasks of workers on a Ray cluster, merged at the end.

Ray gets whole units of work: which part, and the file for it. A worker holds the model and runs the
usual reader, engine and writer over each. If a worker or its machine dies, its part runs again
elsewhere; if this process dies, the next run of the same command keeps the parts that are there.
"""

import os
import signal
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from types import ModuleType
from typing import TYPE_CHECKING, Any

from distilcli import errors
from distilcli.errors import DistilError, ResourceError, UsageError, tell
from distilcli.rows.manifest import Manifest, find_parts
from distilcli.rows.remote import exists, fetch_all, is_remote, remove, send_all
from distilcli.wording import count

if TYPE_CHECKING:
    from distilcli.commands._file_run import FileOptions
    from distilcli.rows import RowSource
    from distilcli.stats import RunStats

PARTS = ".parts"
"""The folder with the parts of an unfinished run, hidden beside its output."""

_FEW_UNITS, _UNIT_BYTES, _MOST_UNITS = 32, 4 << 20, 10_000
_SECONDS_TO_ANSWER = 10.0
_SECONDS_TO_START = 180.0
_SECONDS_WITHOUT_PROGRESS = 600.0
_POLL_SECONDS = 0.5
_MOST_DEATHS = 3
_OBJECT_STORE = 100 << 20  # rows never go through it


def check_ray(options: "FileOptions", source: "RowSource") -> None:
    """Raise `UsageError` for what Ray cannot do, and if it is not installed."""
    given, out = options.given, options.out
    given.at_most_one("engine", "shard")
    given.at_most_one("engine", "retry_errors")
    given.at_most_one("engine", "dry_run")
    given.at_most_one("engine", "limit")
    if out.output is None:
        raise UsageError("`engine` ray needs a file for the rows; add `output` FILE")
    if is_remote(out.output) and not out.force and exists(out.output):
        raise UsageError(f"{out.output}: already exists; use `force` to replace it")
    if source.is_stream or not source.paths:
        raise UsageError(f"`engine` ray needs files that can be read in part, not {source.name}")
    require_ray()


def require_ray() -> ModuleType:
    """Return `ray`; raise `UsageError` with the command that installs it."""
    from distilcli.rows.extras import require

    # Read when it is imported. Ray would run workers behind all other programs of the machine.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # its spelling
    return require("ray", "`engine` ray needs", "ray")


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is complete: its statistics, the rows by label, and what the report says of it."""

    stats: "RunStats"
    counts: Counter[str]
    written: int
    counted: str
    about: dict[str, Any]


def run_on_ray(options: "FileOptions", source: "RowSource") -> Finished:
    """Run all rows on a cluster and write them to the output.

    Raises `ResourceError` for a cluster that cannot be used, or whose workers die again and again,
    and what else a run of the command raises.
    """
    from distilcli.console.progress import live_bar, watched
    from distilcli.interrupt import deferred_interrupt

    console = options.report.console
    started = time.monotonic()
    units = _Units(options, source)
    with deferred_interrupt(patience=None), ExitStack() as stack:
        ray = stack.enter_context(_cluster(options.scale.ray_address))
        units.open()
        pool = _Pool(ray, options, units)
        stack.callback(pool.close)
        console.note(
            f"Ray: {count(units.count, 'part')} of {source.name} on {count(pool.size, 'worker')}"
        )
        bar = live_bar(units.text, units.done, name=source.name, shown=watched(console))
        try:
            with bar:
                pool.run()
        except BaseException as error:
            _tell_what_is_left(options, units, error)
            raise
    source.close()
    ready = pool.ready or time.monotonic()
    return _finished(options, units, pool.about, started, ready)


@dataclass
class _Units:
    """The parts of a run: which are to do, and where they are written."""

    options: "FileOptions"
    source: "RowSource"
    finished: set[int] = field(default_factory=set)
    deaths: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        from distilcli.rows.part import beside

        output = str(self.options.out.output)
        self.is_remote = is_remote(output)
        parent, _, name = output.rpartition("/")
        self.folder = f"{parent}/.{name}{PARTS}" if self.is_remote else str(beside(output, PARTS))
        kind = self.options.out.written_format
        self._suffix = "db" if kind == "sqlite" else kind
        blocks = max(1, self.source.blocks)
        by_size = (self.source.bytes_total or 0) // _UNIT_BYTES
        self.count = min(blocks, max(_FEW_UNITS, by_size), _MOST_UNITS)
        self.to_do = deque(range(self.count))

    def path(self, index: int) -> str:
        """Return the file of a part."""
        return f"{self.folder}/{index:05}.{self._suffix}"

    def done(self) -> float:
        """Return the share of the parts that are done, 0 to 1."""
        return len(self.finished) / self.count

    def text(self) -> str:
        """Say how many are done."""
        return f"{len(self.finished)} of {count(self.count, 'part')}"

    @property
    def example(self) -> str:
        """The name of some part, as its worker writes it."""
        name = self.path(0)
        return str(Path(gettempdir(), Path(name).name)) if self.is_remote else name

    def open(self) -> None:
        """Make the folder; object stores have none."""
        if not self.is_remote:
            Path(self.folder).mkdir(exist_ok=True)

    def close(self) -> None:
        """Remove the folder if there is nothing in it."""
        if not self.is_remote:
            with suppress(OSError):
                Path(self.folder).rmdir()

    def has(self, index: int) -> bool:
        """Return whether a part that was written can be seen from here."""
        return self.is_remote or Path(self.path(index)).exists()

    def here(self, folder: str) -> list[Manifest]:
        """Return what describes the parts; those in an object store are copied to a folder."""
        paths = [self.path(index) for index in range(self.count)]
        if self.is_remote:
            urls, paths = paths, [f"{folder}/{Path(path).name}" for path in paths]
            for url, path in zip(urls, paths, strict=True):
                fetch_all(url, Path(path))
        return find_parts(paths)

    def remove(self) -> None:
        """Remove the folder of a run whose output is complete."""
        from shutil import rmtree

        if self.is_remote:
            remove(self.folder)
        else:
            rmtree(self.folder, ignore_errors=True)


@dataclass(eq=False)
class _Pool:
    """Workers, each with the part that it runs."""

    ray: Any
    options: "FileOptions"
    units: _Units

    def __post_init__(self) -> None:
        self.about: dict[str, Any] = {}
        self.ready: float | None = None  # since when the first worker runs parts
        self._told: set[str] = set()
        self._tasks: dict[Any, tuple[Any, int | None]] = {}
        self._moved = time.monotonic()
        self._seen: dict[Any, int] = {}
        scale, resources = self.options.scale, self.ray.cluster_resources()
        self._cores = self.options.compute.threads or 1
        self._gpus = scale.gpus_per_worker or 0
        room = int(resources.get("CPU", 0) // self._cores)
        if self._gpus:
            room = min(room, int(resources.get("GPU", 0) / self._gpus))
        if not room or (scale.workers or 0) > room:
            raise ResourceError(
                f"the cluster has {resources.get('CPU', 0):g} cores and "
                f"{resources.get('GPU', 0):g} GPUs, room for {count(room, 'worker')}; give fewer "
                "`workers`, `threads` or `gpus_per_worker`"
            )
        self.size = min(scale.workers or room, self.units.count)
        for _ in range(self.size):
            self._add()

    def _add(self) -> None:
        """Start a worker."""
        from distilcli.commands._ray_worker import Worker

        values = {
            **self.options.values,
            "output": self.units.example,
            "force": True,
            "resume": False,
            "quiet": True,
            "json_summary": False,
            "stats_file": None,
            "engine": "local",
            "workers": None,
            "gpus_per_worker": None,
            "ray_address": None,
            "threads": self._cores,
        }
        names = {"output", "force", "resume", "quiet", "json_summary", "stats_file", "engine"}
        given = sorted(self.options.given - names - {"workers", "gpus_per_worker", "ray_address"})
        make = self.ray.remote(
            num_cpus=self._cores, num_gpus=self._gpus, max_concurrency=2, max_restarts=0
        )(Worker)
        worker = make.remote(self.options.command, values, given, str(Path.cwd()))
        self._tasks[worker.start.remote()] = worker, None

    def run(self) -> None:
        """Run all parts; raise what a worker found wrong, and `ResourceError` where they die."""
        from distilcli.interrupt import stop_if_asked

        while len(self.units.finished) < self.units.count:
            stop_if_asked()
            ready, _ = self.ray.wait([*self._tasks], timeout=_POLL_SECONDS)
            for task in ready:
                worker, index = self._tasks.pop(task)
                self._take(task, worker, index)
                self._moved = time.monotonic()
            if not ready:
                self._check_progress()

    def _take(self, task: Any, worker: Any, index: int | None) -> None:
        """Take what a worker returns and give it the next part; replace one that has died."""
        try:
            found = self.ray.get(task)
        except self.ray.exceptions.RayError as error:
            self._replace(worker, index, error)
            return
        if isinstance(found, tuple):
            kind, message = found
            raise getattr(errors, kind, DistilError)(message)
        if index is None:
            if not self.about:
                self.options.report.console.note(found.pop("described"))
                self.about, self.ready = found, time.monotonic()
        else:
            for line in found:
                if line not in self._told:
                    self._told.add(line)
                    tell(line)
            self._check_there(index)
            self.units.finished.add(index)
        if self.units.to_do:
            following = self.units.to_do.popleft()
            path = self.units.path(following)
            again = worker.run.remote(following, self.units.count, path)
            self._tasks[again] = worker, following

    def _replace(self, worker: Any, index: int | None, error: Exception) -> None:
        where = -1 if index is None else index
        self.units.deaths[where] += 1
        if self.units.deaths[where] > _MOST_DEATHS:
            what = "while it started" if index is None else f"in part {index}"
            reason = str(error).strip().splitlines()[0]
            raise ResourceError(
                f"a worker died {count(self.units.deaths[where], 'time')} {what} ({reason}); free "
                "memory, or give fewer `workers`"
            ) from error
        what = "" if index is None else f" in part {index}, which runs again"
        self.options.report.console.warn(f"a worker died{what}")
        self.ray.kill(worker)
        if index is not None:
            self.units.to_do.appendleft(index)
        self._add()

    def _check_there(self, index: int) -> None:
        if not self.units.has(index):
            raise ResourceError(
                f"{self.units.path(index)}: was written on another machine and is not here; give "
                "an `output` in a folder that all machines share"
            )

    def _check_progress(self) -> None:
        """Raise `ResourceError` if no worker starts, or none has run a token for a long time."""
        waited = time.monotonic() - self._moved
        running = [worker for worker, index in self._tasks.values() if index is not None]
        if not running and waited > _SECONDS_TO_START:
            raise ResourceError(
                f"Ray: no worker has started within {_SECONDS_TO_START:.0f} s; is the cluster busy?"
            )
        if waited < _SECONDS_WITHOUT_PROGRESS / 2:
            return
        asked = {worker.progress.remote(): worker for worker in running}
        ready, _ = self.ray.wait([*asked], num_returns=len(asked), timeout=_SECONDS_TO_ANSWER)
        for task in ready:
            tokens = self.ray.get(task)
            if tokens != self._seen.get(asked[task]):
                self._seen[asked[task]] = tokens
                self._moved = time.monotonic() - _SECONDS_WITHOUT_PROGRESS / 2
        if time.monotonic() - self._moved > _SECONDS_WITHOUT_PROGRESS:
            raise ResourceError(
                f"Ray: no progress for {_SECONDS_WITHOUT_PROGRESS:.0f} s; run the same command "
                "again to go on"
            )

    def close(self) -> None:
        """End all workers."""
        for worker, _ in self._tasks.values():
            self.ray.kill(worker)


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Connect to a cluster, or start Ray on this machine; stop or leave it at the end."""
    from distilcli.model.hardware import available_cores

    ray = require_ray()
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    if address not in {"local", "auto"}:
        _check_answers(address)
    local = {"num_cpus": available_cores(), "include_dashboard": False}
    local |= {"object_store_memory": _OBJECT_STORE}
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level="CRITICAL",
            **(local if address == "local" else {}),
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ResourceError(f"Ray at {address} cannot be used: {reason}") from error
    finally:
        signal.signal(signal.SIGTERM, terminate)  # Ray sets its own
    # Ray prints there what its own processes say, and our rows go to a file.
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        try:
            yield ray
        finally:
            ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise `ResourceError` if nothing answers, for which Ray itself would wait for minutes."""
    host, colon, port = address.rpartition("//")[2].rpartition(":")
    if not colon or not port.isdecimal():
        raise UsageError(f"`ray_address` {address!r} is not HOST:PORT or auto")
    try:
        with socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER):
            pass
    except OSError as error:
        raise ResourceError(
            f"Ray at {address} does not answer ({error}); check `ray_address`"
        ) from error


def _tell_what_is_left(options: "FileOptions", units: _Units, error: BaseException) -> None:
    if not units.finished:
        units.close()
        return
    what = "interrupted" if isinstance(error, KeyboardInterrupt) else "not complete"
    options.report.console.warn(
        f"{what}; {len(units.finished)} of {count(units.count, 'part')} of {options.out.output} "
        "saved; run the same command again to go on"
    )


def _finished(
    options: "FileOptions",
    units: _Units,
    about: dict[str, Any],
    started: float,
    ready: float,
) -> Finished:
    """Merge the parts and add up what they counted; the run was `ready` once a worker was."""
    from distilcli.interrupt import scratch_folder
    from distilcli.stats import RunStats

    stats = RunStats(device=str(about.pop("device")), load_seconds=ready - started)
    counts: Counter[str] = Counter()
    with scratch_folder() as folder:
        parts = units.here(folder)
        for part in parts:
            stats.absorb(part.stats)
            counts.update(part.counts)
        written = _merge(options, parts, folder)
    stats.took(time.monotonic() - ready)
    units.remove()
    return Finished(stats, counts, written, str(about.pop("counted")), about)


def _merge(options: "FileOptions", parts: list[Manifest], folder: str) -> int:
    """Merge parts into the output, which goes to its object store from a folder here."""
    from distilcli.rows.merge import merge_rows
    from distilcli.vectors.merge import merge_vectors

    output = whole = str(options.out.output)
    if is_remote(output):
        Path(folder, "whole").mkdir()
        whole = f"{folder}/whole/{output.rpartition('/')[2]}"
    merge = merge_vectors if parts[0].format in {"npy", "safetensors"} else merge_rows
    merge(whole, parts, force=options.out.force)
    if whole != output:
        send_all(Path(whole), output)
    return sum(part.rows for part in parts)
