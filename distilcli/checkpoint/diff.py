"""Where two checkpoints differ: tensors of only one, and those of another shape or type."""

from dataclasses import dataclass

from distilcli.checkpoint.parameter_table import Part, without_prefix
from distilcli.checkpoint.safetensors_header import CheckpointHeader, TensorInfo


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """A tensor that differs; None on the side that lacks it."""

    name: str
    here: TensorInfo | None
    there: TensorInfo | None

    @property
    def kind(self) -> str:
        """What differs: `only here`, `only there`, `shape`, `dtype` or `shape and dtype`."""
        if self.here is None:
            return "only there"
        if self.there is None:
            return "only here"
        differs = {
            "shape": self.here.shape != self.there.shape,
            "dtype": self.here.dtype != self.there.dtype,
        }
        return " and ".join(name for name, is_so in differs.items() if is_so)

    def record(self) -> dict[str, object]:
        """Return its cells by column."""
        return {
            "name": self.name,
            "difference": self.kind,
            "here": _in_words(self.here),
            "there": _in_words(self.there),
        }


def compare(here: CheckpointHeader, there: CheckpointHeader) -> tuple[TensorDifference, ...]:
    """Return the tensors in which two checkpoints differ, sorted by name.

    Names are compared without the model's own prefix, so a bare encoder and the same encoder under
    a head differ only in the head. Values are not compared.
    """
    ours, theirs = (
        {without_prefix(name): info for name, info in header.tensors.items()}
        for header in (here, there)
    )
    pairs = [(name, ours.get(name), theirs.get(name)) for name in sorted(ours.keys() | theirs)]
    differences = [TensorDifference(*pair) for pair in pairs]
    return tuple(difference for difference in differences if difference.kind)


def total_records(here: Part, there: Part) -> list[dict[str, object]]:
    """Return the lines of the totals: parameters and bytes on both sides, and their ratio."""
    totals = {
        "parameters": (here.parameters, there.parameters),
        "bytes": (here.bytes, there.bytes),
    }
    return [
        {
            "name": f"total {name}",
            "difference": f"ratio {ours / theirs:.4f}" if theirs else "",
            "here": ours,
            "there": theirs,
        }
        for name, (ours, theirs) in totals.items()
    ]


def _in_words(info: TensorInfo | None) -> str:
    return "" if info is None else f"{info.dtype} {list(info.shape)}"
