"""A teacher's outputs cached on disk, so that a second run needs no teacher pass.

One pass over all examples writes them (`teacher_pass`), and every later run reads them. The cache
has a folder for each combination of teacher, data and length, named by its digest. It contains a
folder for each epoch (if examples vary) and precision; a run takes another precision if its own is
missing. If several processes or machines share a pass, that folder contains one for each shard,
such as 2-of-8; what is missing of them is made by the run that needs it.

Only one run at a time makes a pass or a shard of it: it holds a lock, which ends with its process.
"""

import math
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]
from torch import Tensor

from distilcli.errors import ResourceError
from distilcli.rows.shard import Shard
from distilcli.training import distributed
from distilcli.training.distill.teacher import Targets, Teacher
from distilcli.training.distill.teacher_pass import (
    FP16,
    HIDDEN,
    INDEX,
    OUTPUTS,
    Array,
    OnPass,
    make_pass,
    trimmed,
)
from distilcli.training.objectives.base import Example

_LOCK, _LOCK_SECONDS = ".lock", 0.1
_GIGABYTE = 1_000_000_000
_SAMPLE = 16  # examples whose size is measured


class CachedTeacher:
    """A teacher's outputs by example and epoch; the pass over an epoch is made when it is due.

    If examples vary, each of the run's `epochs` has its own pass. `on_pass` is called with the
    number of examples done, and of all.
    """

    def __init__(
        self,
        teacher: Teacher,
        folder: Path,
        *,
        device: torch.device,
        epochs: int = 1,
        on_pass: OnPass = lambda _done, _all: None,
    ) -> None:
        """Raise `ResourceError` if the disk has no room for the outputs."""
        self.dim = teacher.dim
        self.objective = teacher.objective
        self._teacher = teacher
        self._folder = folder
        self._device = device
        self._on_pass = on_pass
        self._cached: tuple[int, _Outputs] | None = None
        self.bytes_to_keep = self._check_room(epochs if teacher.objective.varies else 1)

    def targets(self, indices: Sequence[int], *, epoch: int) -> Targets:
        """Return the targets for the examples at these indices in an epoch.

        Raises `ResourceError` if they cannot be written to the disk.
        """
        epoch = epoch if self._teacher.objective.varies else 0
        if self._cached is None or self._cached[0] != epoch:
            self._cached = epoch, self._of_epoch(epoch)
        examples = self._teacher.objective.examples(indices, epoch=epoch)
        return self._cached[1].of_batch(indices, examples, device=self._device)

    def _check_room(self, epochs: int) -> int:
        """Return about how many bytes the missing outputs will take."""
        missing = [epoch for epoch in range(epochs) if not self._all_finished(epoch)]
        each = _expected_bytes(self._teacher) if missing else 0
        begun = sum(
            path.stat().st_size
            for epoch in missing
            for path in self._folder.glob(f"epoch-{epoch}-*/**/*.bin")
        )
        total = max(0, each * len(missing) - begun)
        existing = next(path for path in (self._folder, *self._folder.parents) if path.is_dir())
        free = shutil.disk_usage(existing).free
        if total > free:
            passes = f" ({_size(each)} for each of {len(missing)} epochs)" if epochs > 1 else ""
            raise ResourceError(
                f"{self._folder.parent}: the teacher's outputs would take about "
                f"{_size(total)}{passes}, and {_size(free)} are free; use a `teacher_cache` with "
                "more room, or none"
            )
        return total

    def fill(self, epoch: int, shard: Shard | None = None) -> None:
        """Make the pass over an epoch, or a shard of it, if it is not there; see `targets`."""
        folder = self._folder_of(epoch)
        if shard is None:
            self._of_epoch(epoch)
        elif not _finished(folder):
            self._make(folder, epoch, shard)

    def _all_finished(self, epoch: int) -> list[list[Path]]:
        """Return the folders of each finished pass over an epoch."""
        passes = map(_finished, sorted(self._folder.glob(f"epoch-{epoch}-*")))
        return [folders for folders in passes if folders]

    def _folder_of(self, epoch: int) -> Path:
        precision = "bf16" if torch.is_autocast_enabled(self._device.type) else "fp32"
        return self._folder / f"epoch-{epoch}-{precision}"

    def _of_epoch(self, epoch: int) -> "_Outputs":
        folder = self._folder_of(epoch)
        # A pass in another precision gives nearly the same.
        found = _finished(folder) or next(iter(self._all_finished(epoch)), [])
        if not distributed.of_first(found):
            shards = distributed.of_first(_unfinished(folder))
            for shard in distributed.share(shards):
                self._make(folder, epoch, shard)
            distributed.wait_for_all()
        found = found or _finished(folder)
        if not found:
            raise ResourceError(
                f"{folder}: another process has written the teacher's outputs elsewhere; use a "
                "`teacher_cache` that all processes see"
            )
        return _Outputs(found, dim=self.dim, n_layers=len(self._teacher.layers))

    def _make(self, folder: Path, epoch: int, shard: Shard) -> None:
        """Make a shard of the pass over an epoch while holding its lock."""
        part = _part(folder, shard)
        rows = range(*shard.bounds(len(self._teacher.objective.sizes)))
        try:
            part.mkdir(parents=True, exist_ok=True)
            with ExitStack() as held:
                try:
                    held.enter_context(WeakFileLock(part / _LOCK, timeout=_LOCK_SECONDS))
                except TimeoutError:
                    raise ResourceError(
                        f"{self._folder.parent}: another run is writing there; wait for it, or use "
                        "another `teacher_cache`"
                    ) from None
                if (part / INDEX).is_file():
                    return  # another run has just finished it
                try:
                    make_pass(part, self._teacher, rows, epoch=epoch, on_pass=self._on_pass)
                except OSError:
                    shutil.rmtree(part, ignore_errors=True)
                    raise
        except OSError as error:
            raise ResourceError(
                f"{part}: the teacher's outputs could not be written: {error}; use a "
                "`teacher_cache` with more room, or none"
            ) from None


def _part(folder: Path, shard: Shard) -> Path:
    """Return the folder of a shard of the pass in `folder`."""
    return folder if shard.count == 1 else folder / f"{shard.index}-of-{shard.count}"


def _shards(folder: Path) -> list[list[Shard]]:
    """Return the shards of each way in which a pass was divided, that with fewest first."""
    ends = {int(path.name.rpartition("-")[2]) for path in folder.glob("[0-9]*-of-[0-9]*")}
    counts = sorted(ends | ({1} if (folder / OUTPUTS).is_file() else set()))
    return [[Shard(index, count) for index in range(count)] for count in counts]


def _is_made(folder: Path, shard: Shard) -> bool:
    return (_part(folder, shard) / INDEX).is_file()


def _finished(folder: Path) -> list[Path]:
    """Return the folders of the shards of a finished pass, in order; none if there is none."""
    for shards in _shards(folder):
        if all(_is_made(folder, shard) for shard in shards):
            return [_part(folder, shard) for shard in shards]
    return []


def _unfinished(folder: Path) -> list[Shard]:
    """Return the shards that are missing of the pass that is nearest to its end."""
    n = distributed.count()
    begun = _shards(folder) or [[Shard(index, n) for index in range(n)]]
    missing = [[each for each in shards if not _is_made(folder, each)] for shards in begun]
    left = [len(part) / len(shards) for part, shards in zip(missing, begun, strict=True)]
    return missing[left.index(min(left))]


class _Outputs:
    """The outputs of one pass, mapped into memory, from the folders of its shards."""

    def __init__(self, folders: Sequence[Path], *, dim: int, n_layers: int) -> None:
        indices = [np.load(folder / INDEX) for folder in folders]
        self._index: Array = np.concatenate(indices)
        self._shard: Array = np.repeat(np.arange(len(folders)), list(map(len, indices)))
        self._outputs = [_mapped(folder / OUTPUTS, np.float32) for folder in folders]
        self._hidden = [_mapped(folder / HIDDEN, np.float16) for folder in folders]
        self._dim, self._n_layers = dim, n_layers

    def of_batch(
        self, indices: Sequence[int], examples: Sequence[Example], *, device: torch.device
    ) -> Targets:
        """Return the targets for a batch as the teacher itself would give them.

        Columns at the end that are impossible for the whole batch are dropped.
        """
        outputs = [self._outputs_of(index) for index in indices]
        columns = max(part.shape[1] for part in outputs)
        padded = np.full((sum(map(len, outputs)), columns), np.finfo(np.float32).min, np.float32)
        before = 0
        for part in outputs:
            padded[before : before + len(part), : part.shape[1]] = part
            before += len(part)
        return Targets(
            torch.from_numpy(padded).to(device), self._hidden_states(indices, examples, device), []
        )

    def _outputs_of(self, index: int) -> Array:
        start, units, columns, _ = self._index[index].tolist()
        outputs = self._outputs[self._shard[index]]
        part: Array = outputs[start : start + units * columns].reshape(units, columns)
        return part

    def _hidden_states(
        self, indices: Sequence[int], examples: Sequence[Example], device: torch.device
    ) -> list[Tensor]:
        if not self._n_layers:
            return []
        longest = max(len(piece) for example in examples for piece in example.pieces)
        count = sum(len(example.pieces) for example in examples)
        padded = np.zeros((self._n_layers, count, longest, self._dim), np.float32)
        row = 0
        for index, example in zip(indices, examples, strict=True):
            start, hidden = int(self._index[index, 3]), self._hidden[self._shard[index]]
            for piece in example.pieces:
                stop = start + self._n_layers * len(piece) * self._dim
                states = hidden[start:stop].reshape(self._n_layers, len(piece), self._dim)
                padded[:, row, : len(piece)] = states
                start, row = stop, row + 1
        return list(torch.from_numpy(padded).to(device).unbind(0))


def _expected_bytes(teacher: Teacher) -> int:
    """Estimate the bytes of a pass from a sample of examples, in proportion to tokens."""
    sizes = teacher.objective.sizes
    count = min(_SAMPLE, len(sizes))
    tokens = found = 0
    for index in (len(sizes) * part // count for part in range(count)):
        (example,) = teacher.objective.examples([index], epoch=0)
        outputs = trimmed(teacher.targets([index], epoch=0).outputs)
        states = sum(map(len, example.pieces)) * len(teacher.layers) * teacher.dim
        found += outputs.nbytes + states * FP16
        tokens += sizes[index]
    return math.ceil(found / max(1, tokens) * sum(sizes))


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= _GIGABYTE else f"{count / 1e6:,.1f} MB"


def _mapped(path: Path, dtype: type[np.floating[Any]]) -> Array:
    if not path.stat().st_size:
        return np.zeros(0, dtype)
    return np.memmap(path, dtype, mode="r")
