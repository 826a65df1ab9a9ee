"""Writers of safetensors files for tests: a real header over a sparse body."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distilcli.checkpoint.safetensors_header import DTYPE_BITS

Tensors = Mapping[str, tuple[str, tuple[int, ...]]]


def entries(tensors: Tensors) -> dict[str, Any]:
    """Header entries for tensors laid out one after the other."""
    found: dict[str, Any] = {}
    begin = 0
    for name, (dtype, shape) in tensors.items():
        end = begin + DTYPE_BITS[dtype] // 8
        for size in shape:
            end = begin + (end - begin) * size
        found[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
        begin = end
    return found


def write_raw(path: Path, header: bytes, data_size: int) -> Path:
    """A length, these header bytes, and a body of zeros that takes no room on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + data_size)
    return path


def write_safetensors(path: Path, tensors: Tensors, metadata: dict[str, str] | None = None) -> Path:
    """A well-formed safetensors file of zeros."""
    header = entries(tensors)
    size = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if metadata is not None:
        header = {"__metadata__": metadata, **header}
    return write_raw(path, json.dumps(header).encode(), size)


def write_model(folder: Path, tensors: Tensors, config: Mapping[str, Any] | None = None) -> Path:
    """A model folder: config.json and model.safetensors."""
    write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "distilbert"}))
    return folder


def distilbert(
    *, layers: int = 6, dim: int = 768, hidden: int = 3072, vocab: int = 30522, dtype: str = "F32"
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return the tensors of DistilBERT's body; by default the base model's."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (vocab, dim),
        "embeddings.position_embeddings.weight": (512, dim),
        "embeddings.LayerNorm.weight": (dim,),
        "embeddings.LayerNorm.bias": (dim,),
    }
    for layer in range(layers):
        prefix = f"transformer.layer.{layer}."
        linears = {
            f"attention.{part}": (dim, dim) for part in ("q_lin", "k_lin", "v_lin", "out_lin")
        }
        linears |= {"ffn.lin1": (hidden, dim), "ffn.lin2": (dim, hidden)}
        for name, shape in linears.items():
            shapes[f"{prefix}{name}.weight"] = shape
            shapes[f"{prefix}{name}.bias"] = shape[:1]
        for norm in ("sa_layer_norm", "output_layer_norm"):
            shapes[f"{prefix}{norm}.weight"] = shapes[f"{prefix}{norm}.bias"] = (dim,)
    return {f"distilbert.{name}": (dtype, shape) for name, shape in shapes.items()}


def sequence_classifier(labels: int = 2, **sizes: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
    """DistilBERT with the head that labels sequences."""
    body = distilbert(**sizes)
    dtype, (_, dim) = body["distilbert.embeddings.position_embeddings.weight"]
    head = {
        "pre_classifier.weight": (dim, dim), "pre_classifier.bias": (dim,),
        "classifier.weight": (labels, dim), "classifier.bias": (labels,),
    }  # fmt: skip
    return body | {name: (dtype, shape) for name, shape in head.items()}
