"""A pass of a teacher over examples: their outputs go to files.

    outputs.bin   the outputs of each example without padding, fp32
    hidden.bin    its hidden states without padding, layer by layer, fp16
    index.npy     where they begin for each example, and their sizes; written last

An interrupted pass leaves an unfinished.npz, and continues from there.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from operator import ge
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from distilcli.engine.batching import cut_batches
from distilcli.interrupt import stop_if_asked
from distilcli.training.distill.teacher import Teacher
from distilcli.training.run_files import flush_to_disk, replace_file

OUTPUTS, HIDDEN, INDEX = "outputs.bin", "hidden.bin", "index.npy"
_PASS_BUDGET = 2_048  # tokens in a batch of the pass; no gradients are kept
_UNFINISHED = "unfinished.npz"
_FP32, FP16 = 4, 2  # bytes

Array = np.ndarray[Any, Any]
OnPass = Callable[[int, int], None]


def make_pass(folder: Path, teacher: Teacher, rows: range, *, epoch: int, on_pass: OnPass) -> None:
    """Run the teacher on the examples in `rows`; an interrupted pass continues the next time."""
    sizes = teacher.objective.sizes[rows.start : rows.stop]
    batches = list(cut_batches(sizes, max_tokens=_PASS_BUDGET, max_rows=None))
    position = _begun(folder, len(sizes))
    done = sum(map(len, batches[: position.batches]))
    try:
        with (folder / OUTPUTS).open("ab") as outputs, (folder / HIDDEN).open("ab") as hidden:
            for file, end in zip((outputs, hidden), position.ends, strict=True):
                file.truncate(end)
                file.seek(end)
            for indices in batches[position.batches :]:
                stop_if_asked()
                _write(indices, rows, teacher, epoch, position.index, outputs, hidden)
                position.batches += 1
                position.ends = outputs.tell(), hidden.tell()
                done += len(indices)
                on_pass(done, len(sizes))
            for file in (outputs, hidden):
                flush_to_disk(file)
    except KeyboardInterrupt:
        replace_file(folder / _UNFINISHED, lambda file: np.savez(file, **asdict(position)))
        raise
    replace_file(folder / INDEX, lambda file: np.save(file, position.index))


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
    paths = [folder / name for name in (OUTPUTS, HIDDEN)]
    lengths = [path.stat().st_size if path.is_file() else 0 for path in paths]
    return begun if all(map(ge, lengths, begun.ends)) else fresh


def _write(
    indices: Sequence[int],
    rows: range,
    teacher: Teacher,
    epoch: int,
    index: Array,
    outputs: IO[bytes],
    hidden: IO[bytes],
) -> None:
    """Write the teacher's outputs for a batch of `rows`, and where they are into `index`."""
    batch = [rows[position] for position in indices]
    examples = teacher.objective.examples(batch, epoch=epoch)
    targets = teacher.targets(batch, epoch=epoch)
    before = row = 0
    for position, example in zip(indices, examples, strict=True):
        units = teacher.objective.units(example)
        part = trimmed(targets.outputs[before : before + units])
        index[position] = (outputs.tell() // _FP32, *part.shape, hidden.tell() // FP16)
        outputs.write(part.tobytes())
        for piece in example.pieces:
            if layers := [layer[row, : len(piece)] for layer in targets.hidden_states]:
                hidden.write(torch.stack(layers).half().cpu().numpy().tobytes())
            row += 1
        before += units


def trimmed(outputs: Tensor) -> Array:
    """Return outputs without the impossible columns at the end, which are padding."""
    array: Array = outputs.float().cpu().numpy()
    possible = np.flatnonzero((array > np.finfo(np.float32).min).any(axis=0))
    return np.ascontiguousarray(array[:, : int(possible[-1]) + 1 if len(possible) else 1])
