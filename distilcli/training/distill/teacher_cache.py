"""A teacher's outputs cached on disk, so that a second run needs no teacher pass.

One pass over all examples writes them, and every later run reads them. The cache has a folder for
each combination of teacher, data and length, named by its digest. It contains a folder for each
epoch (if examples vary) and precision; a run takes another precision if its own is missing:

    outputs.bin   the outputs of each example without padding, fp32
    hidden.bin    its hidden states without padding, layer by layer, fp16
    index.npy     where they begin for each example, and their sizes; written last

An interrupted pass leaves an unfinished.npz, and continues from there. Only one run at a time makes
a pass: it holds a lock, which ends with its process.
"""

import math
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from operator import ge
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]
from torch import Tensor

from distilcli.engine.batching import cut_batches
from distilcli.errors import ResourceError
from distilcli.interrupt import stop_if_asked
from distilcli.training.distill.teacher import Targets, Teacher
from distilcli.training.objectives.base import Example
from distilcli.training.run_files import flush_to_disk, replace_file

_PASS_BUDGET = 2_048  # tokens in a batch of the pass; no gradients are kept
_OUTPUTS, _HIDDEN, _INDEX = "outputs.bin", "hidden.bin", "index.npy"
_UNFINISHED = "unfinished.npz"
_LOCK, _LOCK_SECONDS = ".lock", 0.1
_FP32, _FP16 = 4, 2  # bytes
_GIGABYTE = 1_000_000_000
_SAMPLE = 16  # examples whose size is measured

Array = np.ndarray[Any, Any]
OnPass = Callable[[int, int], None]


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
        missing = [epoch for epoch in range(epochs) if not self._finished(epoch)]
        each = _expected_bytes(self._teacher) if missing else 0
        begun = sum(
            path.stat().st_size
            for epoch in missing
            for path in self._folder.glob(f"epoch-{epoch}-*/*.bin")
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

    def _finished(self, epoch: int) -> list[Path]:
        """Return the folders with the outputs of an epoch."""
        return sorted(path.parent for path in self._folder.glob(f"epoch-{epoch}-*/{_INDEX}"))

    def _of_epoch(self, epoch: int) -> "_Outputs":
        precision = "bf16" if torch.is_autocast_enabled(self._device.type) else "fp32"
        folder = self._folder / f"epoch-{epoch}-{precision}"
        if not (folder / _INDEX).is_file():
            # A pass in another precision gives nearly the same.
            folder = next(iter(self._finished(epoch)), folder)
        if not (folder / _INDEX).is_file():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._pass(folder, epoch)
            except OSError as error:
                raise ResourceError(
                    f"{folder}: the teacher's outputs could not be written: {error}; use a "
                    "`teacher_cache` with more room, or none"
                ) from None
        return _Outputs(folder, dim=self.dim, n_layers=len(self._teacher.layers))

    def _pass(self, folder: Path, epoch: int) -> None:
        """Make the pass over an epoch while holding the lock."""
        with ExitStack() as held:
            try:
                held.enter_context(WeakFileLock(folder / _LOCK, timeout=_LOCK_SECONDS))
            except TimeoutError:
                raise ResourceError(
                    f"{self._folder.parent}: another run is writing there; wait for it, or use "
                    "another `teacher_cache`"
                ) from None
            if (folder / _INDEX).is_file():
                return  # another run has just finished it
            try:
                _make(folder, self._teacher, epoch=epoch, on_pass=self._on_pass)
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                raise


class _Outputs:
    """The outputs of one pass, mapped into memory."""

    def __init__(self, folder: Path, *, dim: int, n_layers: int) -> None:
        self._index: Array = np.load(folder / _INDEX)
        self._outputs = _mapped(folder / _OUTPUTS, np.float32)
        self._hidden = _mapped(folder / _HIDDEN, np.float16)
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
        part: Array = self._outputs[start : start + units * columns].reshape(units, columns)
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
            start = int(self._index[index, 3])
            for piece in example.pieces:
                stop = start + self._n_layers * len(piece) * self._dim
                states = self._hidden[start:stop].reshape(self._n_layers, len(piece), self._dim)
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
        outputs = _trimmed(teacher.targets([index], epoch=0).outputs)
        states = sum(map(len, example.pieces)) * len(teacher.layers) * teacher.dim
        found += outputs.nbytes + states * _FP16
        tokens += sizes[index]
    return math.ceil(found / max(1, tokens) * sum(sizes))


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= _GIGABYTE else f"{count / 1e6:,.1f} MB"


def _make(folder: Path, teacher: Teacher, *, epoch: int, on_pass: OnPass) -> None:
    """Run the teacher on all examples; an interrupted pass continues the next time."""
    sizes = teacher.objective.sizes
    batches = list(cut_batches(sizes, max_tokens=_PASS_BUDGET, max_rows=None))
    position = _begun(folder, len(sizes))
    done = sum(map(len, batches[: position.batches]))
    try:
        with (folder / _OUTPUTS).open("ab") as outputs, (folder / _HIDDEN).open("ab") as hidden:
            for file, end in zip((outputs, hidden), position.ends, strict=True):
                file.truncate(end)
                file.seek(end)
            for indices in batches[position.batches :]:
                stop_if_asked()
                _write(indices, teacher, epoch, position.index, outputs, hidden)
                position.batches += 1
                position.ends = outputs.tell(), hidden.tell()
                done += len(indices)
                on_pass(done, len(sizes))
            for file in (outputs, hidden):
                flush_to_disk(file)
    except KeyboardInterrupt:
        replace_file(folder / _UNFINISHED, lambda file: np.savez(file, **asdict(position)))
        raise
    replace_file(folder / _INDEX, lambda file: np.save(file, position.index))


@dataclass(slots=True)
class _Position:
    """How far a pass is: its finished batches, and where they end in the two files, in bytes."""

    index: Array
    batches: int = 0
    ends: tuple[int, int] = (0, 0)


def _begun(folder: Path, count: int) -> _Position:
    """Return the position of an interrupted pass, or the start of a new one."""
    path = folder / _UNFINISHED
    fresh = _Position(np.zeros((count, 4), np.int64))
    if not path.is_file():
        return fresh
    with np.load(path) as saved:
        begun = _Position(saved["index"], int(saved["batches"]), tuple(saved["ends"].tolist()))
    path.unlink()  # it is wrong as soon as something is written
    paths = [folder / name for name in (_OUTPUTS, _HIDDEN)]
    lengths = [path.stat().st_size if path.is_file() else 0 for path in paths]
    return begun if all(map(ge, lengths, begun.ends)) else fresh


def _write(
    indices: Sequence[int],
    teacher: Teacher,
    epoch: int,
    index: Array,
    outputs: IO[bytes],
    hidden: IO[bytes],
) -> None:
    """Write the teacher's outputs for a batch, and where they are into `index`."""
    examples = teacher.objective.examples(indices, epoch=epoch)
    targets = teacher.targets(indices, epoch=epoch)
    before = row = 0
    for position, example in zip(indices, examples, strict=True):
        units = teacher.objective.units(example)
        part = _trimmed(targets.outputs[before : before + units])
        index[position] = (outputs.tell() // _FP32, *part.shape, hidden.tell() // _FP16)
        outputs.write(part.tobytes())
        for piece in example.pieces:
            if layers := [layer[row, : len(piece)] for layer in targets.hidden_states]:
                hidden.write(torch.stack(layers).half().cpu().numpy().tobytes())
            row += 1
        before += units


def _trimmed(outputs: Tensor) -> Array:
    """Return outputs without the impossible columns at the end, which are padding."""
    array: Array = outputs.float().cpu().numpy()
    possible = np.flatnonzero((array > np.finfo(np.float32).min).any(axis=0))
    return np.ascontiguousarray(array[:, : int(possible[-1]) + 1 if len(possible) else 1])


def _mapped(path: Path, dtype: type[np.floating[Any]]) -> Array:
    if not path.stat().st_size:
        return np.zeros(0, dtype)
    return np.memmap(path, dtype, mode="r")
