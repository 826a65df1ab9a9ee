"""What is wrong with the weights of a model: bad values, and missing or unused tensors.

Safetensors files are read a few MB at a time, without torch; a pickle is read whole, with torch.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from distilcli.checkpoint.config import ModelConfig, read_config
from distilcli.checkpoint.finite import NotFinite, count_not_finite
from distilcli.checkpoint.folder import ModelFiles
from distilcli.checkpoint.parameter_table import SCALE_SUFFIX, wrapper_of
from distilcli.checkpoint.report import Report
from distilcli.checkpoint.safetensors_header import CheckpointHeader, read_checkpoint_header
from distilcli.errors import ModelError
from distilcli.model.expected import Shape, encoder_shapes, head_shapes
from distilcli.model.keys import OUTPUT_TABLE, PREFIX, to_checkpoint, to_ours
from distilcli.wording import count, listing

_MOST_EXPECTED = 100_000
_HARMLESS = ("unused",)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a tensor; `fault` is a word for it."""

    name: str
    fault: str
    detail: str

    def record(self) -> dict[str, object]:
        """Return its cells by column."""
        return {"name": self.name, "fault": self.fault, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class _Stored:
    """A tensor of a checkpoint: its shape, whether it holds plain numbers, and its values."""

    shape: Shape
    is_float: bool
    values: NotFinite


def check_model(files: ModelFiles) -> list[Fault]:
    """Return the faults of a located model, bad values first.

    Tensors are compared with what its config.json asks for; if that has no `architectures`, with
    the encoder alone. Raises `ModelError` for files that cannot be read.
    """
    config = read_config(files.config_path)
    if any(path.suffix == ".bin" for path in files.weight_files):
        stored = _stored_in_pickles(files)
    else:
        stored = _stored(read_checkpoint_header(files.weight_files))
    return [*_values(stored), *_structure(config, stored)]


def check_report(name: str, faults: list[Fault]) -> Report:
    """Report the faults of a model, a line each."""
    records = [fault.record() for fault in faults]
    return Report(
        title=f"{name}: what is wrong with its weights",
        records=records,
        document={"model": name, "sound": not _grave(faults), "faults": records},
        notes=() if faults else ("every weight is finite, and none is missing or unused",),
    )


def require_sound(name: str, faults: list[Fault]) -> None:
    """Raise `ModelError` if one of the faults keeps the model from loading or from working."""
    if grave := _grave(faults):
        kinds = dict.fromkeys(fault.fault for fault in grave)
        found = (
            f"{kind} ({listing([each.name for each in grave if each.fault == kind], most=3)})"
            for kind in kinds
        )
        raise ModelError(
            f"{name}: {count(len(grave), 'fault')} in its weights: {', '.join(found)}; "
            "download it again, or use another checkpoint"
        )


def _grave(faults: list[Fault]) -> list[Fault]:
    return [fault for fault in faults if fault.fault not in _HARMLESS]


def _stored(header: CheckpointHeader) -> dict[str, _Stored]:
    return {
        name: _Stored(
            info.shape,
            info.dtype.startswith(("F", "BF")) or name + SCALE_SUFFIX in header.tensors,
            count_not_finite(info),
        )
        for name, info in header.tensors.items()
    }


def _stored_in_pickles(files: ModelFiles) -> dict[str, _Stored]:
    from distilcli.model.weights import read_file  # noqa: PLC0415 - it loads torch

    stored: dict[str, _Stored] = {}
    for path in files.weight_files:
        for name, weight in read_file(path).items():
            numbers = weight.float()
            values = NotFinite(int(numbers.isnan().sum()), int(numbers.isinf().sum()))
            stored[name] = _Stored(tuple(weight.shape), weight.is_floating_point(), values)
    return stored


def _values(stored: Mapping[str, _Stored]) -> Iterator[Fault]:
    for name, tensor in stored.items():
        for fault, number in (("NaN", tensor.values.nan), ("infinite", tensor.values.infinite)):
            if number:
                yield Fault(name, fault, count(number, "value"))


def _structure(config: ModelConfig, stored: Mapping[str, _Stored]) -> Iterator[Fault]:
    """Compare what is stored with what the configuration asks for, by name and shape."""
    wrapper = max(map(wrapper_of, stored), default="")
    names = {
        ours: name
        for name in stored
        if not (name.endswith(SCALE_SUFFIX) and name.removesuffix(SCALE_SUFFIX) in stored)
        and (ours := to_ours(name.removeprefix(wrapper))) is not None
    }
    if config.tie_word_embeddings:
        names.pop(OUTPUT_TABLE, None)  # a copy of the word embeddings
    architecture = _architecture(config)
    classifier = names.get("classifier.weight")
    outputs = stored[classifier].shape[:1] if classifier else ()
    labels = len(config.labels) or (outputs[0] if outputs else 0)
    wanted = dict(itertools.islice(encoder_shapes(config), _MOST_EXPECTED))
    wanted |= head_shapes(config, architecture, labels=labels)
    for ours, shape in wanted.items():
        if ours not in names:
            yield Fault(to_checkpoint(ours, config.model_type), "missing", _in_words(shape))
        elif stored[names[ours]].shape != shape:
            found = _in_words(stored[names[ours]].shape)
            yield Fault(names[ours], "other shape", f"{found} instead of {_in_words(shape)}")
        elif not stored[names[ours]].is_float:
            yield Fault(names[ours], "integers", "without scales")
    for ours, name in names.items():
        if ours in wanted:
            continue
        if ours.startswith(PREFIX) and ".pooler." not in ours:
            yield Fault(name, "not in this architecture", _in_words(stored[name].shape))
        elif architecture:
            yield Fault(name, "unused", _in_words(stored[name].shape))


def _architecture(config: ModelConfig) -> str:
    named = config.extra.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else ""


def _in_words(shape: Shape) -> str:
    return str(list(shape))
