"""Read weights from a model's files, as fp32.

The files are `model.safetensors`, its shards, or `pytorch_model.bin` (a pickle that would run code
is refused), in any floating-point type or packed (`int8_storage.py`).
"""

import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from distilcli.checkpoint.folder import ModelFiles
from distilcli.checkpoint.json_file import read_object
from distilcli.checkpoint.parameter_table import wrapper_of
from distilcli.checkpoint.safetensors_header import read_header
from distilcli.errors import ModelError
from distilcli.memory import is_allocation_failure
from distilcli.model.int8_storage import unpack
from distilcli.model.keys import BERT_BIAS, BERT_UNTIED_BIAS, to_ours
from distilcli.model.threads import single_threaded

_ASKED = re.compile(r"tried to allocate (\d+) bytes")


def read_weights(files: ModelFiles) -> tuple[dict[str, Tensor], str]:
    """Read every weight of a located model, by this package's names, as fp32 on the CPU.

    Also returns what a wrapper of the model put before their names, such as `module.`.
    """
    weights: dict[str, Tensor] = {}
    for path in files.weight_files:
        part = read_file(path)
        if twice := sorted(weights.keys() & part.keys()):
            raise ModelError(
                f"{path}: has weights that another file of {files.name} has too "
                f"({listed(twice)}); download every shard again"
            )
        weights.update(part)
    try:
        with single_threaded():
            unpacked = unpack(weights)
    except ModelError as error:
        raise ModelError(f"{files.name}: {error}") from None
    wrapper = max(map(wrapper_of, unpacked), default="")
    named = {key.removeprefix(wrapper): weight for key, weight in unpacked.items()}
    if read_object(files.config_path).get("tie_word_embeddings") is False:
        # An untied BERT of transformers 5 has a second bias, which it does not use.
        named.pop(BERT_BIAS if BERT_UNTIED_BIAS in named else "", None)
    renamed: dict[str, Tensor] = {}
    for key, weight in named.items():
        ours = to_ours(key)
        if ours in renamed and not torch.equal(weight, renamed[ours]):
            raise ModelError(
                f"{files.name}: has the weight {key} twice, under two names and with different "
                "values; remove one of them"
            )
        if ours is not None:
            renamed[ours] = weight
    if whole := sorted(key for key, weight in renamed.items() if not weight.is_floating_point()):
        raise ModelError(
            f"{files.name}: has integer weights without scales ({listed(whole)}); "
            "use the checkpoint from before quantization"
        )
    return {key: weight.float() for key, weight in renamed.items()}, wrapper


def read_file(path: Path) -> dict[str, Tensor]:
    """Read the tensors of one file, with the names and types they have there."""
    return _read_pickle(path) if path.suffix == ".bin" else _read_safetensors(path)


def listed(keys: list[str], most: int = 6) -> str:
    """Join the first `most` of the names of weights for a message."""
    rest = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + rest


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    read_header(path)  # its errors say more than the loader's
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read: {error}; download it again") from None


def _read_pickle(path: Path) -> dict[str, Tensor]:
    _refuse_other_files(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle's protocol
            weights = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ModelError(
            f"{path}: refused, because it has more than weights and could run code; "
            "ask its author for model.safetensors"
        ) from None
    except Exception as error:
        # A damaged pickle fails in whatever way its bytes ask for.
        asked = _bytes_asked(error)
        if is_allocation_failure(error) and asked <= path.stat().st_size:
            raise
        reason = next(iter(str(error).splitlines()), "it ends too early")
        if asked:
            reason = f"it names a tensor of {asked:,} bytes, more than it has"
        raise ModelError(f"{path}: cannot be read: {reason}; download it again") from None
    if not isinstance(weights, dict) or not all(isinstance(key, str) for key in weights):
        raise ModelError(f"{path}: not a state dict (names to tensors)")
    for key, weight in weights.items():
        if not isinstance(weight, Tensor):
            raise ModelError(f"{path}: not a state dict (names to tensors)")
        if not _is_plain(weight):
            raise ModelError(
                f"{path}: the weight {key} is not stored as plain numbers; "
                "ask its author for model.safetensors"
            )
    return weights


def _bytes_asked(error: BaseException) -> int:
    """Return how many bytes a failed allocation asked for; 0 if that is unknown."""
    found = _ASKED.search(str(error))
    return int(found[1]) if found else 0


def _refuse_other_files(path: Path) -> None:
    """Refuse a file that is not PyTorch's, and an archive that is compressed."""
    try:
        with path.open("rb") as file:
            opening = file.read(2)
            entries = _archived(file) if opening == b"PK" else []
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read: {error.strerror or error}; download it again"
        ) from None
    if opening and not opening.startswith((b"PK", b"\x80")):  # a zip archive, or a bare pickle
        raise ModelError(
            f"{path}: not a PyTorch file, perhaps a web page or a pointer saved in its place; "
            "download it again"
        )
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ModelError(
            f"{path}: refused, because it is compressed, which PyTorch never does; "
            "ask its author for model.safetensors"
        )


def _archived(file: BinaryIO) -> list[zipfile.ZipInfo]:
    """Return what an archive holds; nothing if it is broken, since torch's error says more."""
    try:
        return zipfile.ZipFile(file).filelist
    except Exception:  # noqa: BLE001 - damaged bytes fail in many ways
        return []


def _is_plain(weight: Tensor) -> bool:
    """Return whether the file holds all data of a tensor, and its numbers are real."""
    return (
        weight.layout is torch.strided
        and weight.device.type == "cpu"
        and not (weight.is_quantized or weight.is_complex())
        and weight.nbytes <= weight.untyped_storage().nbytes()
    )
