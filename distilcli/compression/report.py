"""What a compression changed: size, parameters, speed, agreement and quality, before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distilcli.checkpoint.config import ModelConfig
from distilcli.checkpoint.folder import ModelFiles
from distilcli.compression.attention_heads import Heads, relative_importance
from distilcli.compression.importance import Importance
from distilcli.compression.speed import Speed

Record = dict[str, object]

_SIZES = ("n_layers", "hidden_dim", "vocab_size", "max_position_embeddings")


@dataclass(frozen=True, slots=True)
class Size:
    """The bytes of a model's files, its parameters, and its architecture."""

    bytes: int
    parameters: int
    config: ModelConfig


@dataclass(frozen=True, slots=True)
class RankedHeads:
    """The importance of the heads of one layer, by their indices, and which were removed."""

    layer: int
    importance: Mapping[int, float]
    pruned: tuple[int, ...]


@dataclass(kw_only=True, slots=True)
class CompressionReport:
    """Both sides of every measurement; None or empty for what was not measured.

    `agreement` is the share on which both models agree, over `rows`. `before` and `after` are
    metrics on the gold labels; `notes` say what was not done, and why.
    """

    output: Path
    old: Size
    new: Size
    agreement: float | None = None
    rows: int = 0
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    speed: Speed | None = None
    heads: Sequence[RankedHeads] = ()
    notes: list[str] = field(default_factory=list)

    def records(self) -> list[Record]:
        """Return a record for each measurement: before, after, and after / before."""
        found = [
            _record("bytes on disk", self.old.bytes, self.new.bytes),
            _record("parameters", self.old.parameters, self.new.parameters),
        ]
        old, new = self.old.config, self.new.config
        sizes = {name: (getattr(old, name), getattr(new, name)) for name in _SIZES}
        sizes["heads"] = _count_heads(old), _count_heads(new)
        found += [_record(name, *both) for name, both in sizes.items() if both[0] != both[1]]
        if self.speed is not None:
            speed = self.speed
            name = f"sequences/s of {speed.tokens} tokens"
            found.append(_record(name, round(speed.before, 1), round(speed.after, 1), speed.ratio))
        if self.agreement is not None:
            found.append({"measure": f"agreement on {self.rows:,} rows", "before": None,
                          "after": self.agreement, "ratio": None})  # fmt: skip
        found += [_record(name, self.before[name], self.after[name]) for name in self.before]
        return found

    def head_records(self) -> list[Record]:
        """Return a record for each layer: what was removed, and every head's importance."""
        return [
            {
                "layer": each.layer,
                "pruned": ",".join(map(str, each.pruned)),
                "importance": " ".join(
                    f"{head}:{score:.2f}" for head, score in each.importance.items()
                ),
            }
            for each in self.heads
        ]

    def as_dict(self) -> Record:
        """Return everything as plain JSON values."""
        speed = self.speed
        return {
            "output": str(self.output),
            "bytes": [self.old.bytes, self.new.bytes],
            "parameters": [self.old.parameters, self.new.parameters],
            "rate_ratio": None if speed is None else speed.ratio,
            "rate_ratio_interval": None if speed is None else list(speed.interval),
            "agreement": self.agreement,
            "agreement_rows": self.rows,
            "metrics": {name: [self.before[name], self.after[name]] for name in self.before},
            "heads": [
                {"layer": each.layer, "pruned": list(each.pruned),
                 "importance": {str(head): score for head, score in each.importance.items()}}
                for each in self.heads
            ],
            "notes": self.notes,
        }  # fmt: skip


def size_of(files: ModelFiles, parameters: int, config: ModelConfig) -> Size:
    """Return the size of a model in files: weights, tokenizer and config.json."""
    paths = (*files.weight_files, *files.tokenizer_files, files.config_path)
    return Size(sum(path.stat().st_size for path in paths), parameters, config)


def ranked_heads(
    importance: Importance, heads: Sequence[tuple[int, ...]], pruned: Heads
) -> list[RankedHeads]:
    """Return the importance of the `heads` of each layer, relative to the norm of the layer."""
    return [
        RankedHeads(
            layer,
            dict(zip(here, relative_importance(scores).tolist(), strict=True)),
            tuple(sorted(pruned.get(layer, ()))),
        )
        for layer, (here, scores) in enumerate(zip(heads, importance.heads, strict=True))
    ]


def _record(name: str, before: float, after: float, ratio: float | None = None) -> Record:
    if ratio is None and before:
        ratio = after / before
    return {"measure": name, "before": before, "after": after, "ratio": ratio}


def _count_heads(config: ModelConfig) -> int:
    return sum(len(config.heads_of(layer)) for layer in range(config.n_layers))
