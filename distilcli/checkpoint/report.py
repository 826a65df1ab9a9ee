"""What `distil params` reports, from a model's configuration and the headers of its weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distilcli.checkpoint.diff import compare, total_records
from distilcli.checkpoint.locate import ModelFiles, locate
from distilcli.checkpoint.parameter_table import Grouping, ParameterTable, parameter_table
from distilcli.checkpoint.safetensors_header import CheckpointHeader, read_checkpoint_header
from distilcli.errors import ModelError

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Description:
    """A model's files, configuration and headers; no weight is read."""

    files: ModelFiles
    config: Mapping[str, Any]
    header: CheckpointHeader

    def table(self, by: Grouping = "module") -> ParameterTable:
        """Group its tensors."""
        return parameter_table(self.header, self.config, by=by)


@dataclass(frozen=True, slots=True)
class Report:
    """Lines under one set of columns, the whole as one JSON document, and notes.

    A narrow terminal does without the columns that are `optional`.
    """

    title: str
    records: Sequence[Record]
    document: Record
    notes: Sequence[str]
    optional: Sequence[str] = ()


def describe(model: str, *, offline: bool = False) -> Description:
    """Find `model` and read what describes it.

    Raises `ModelError` if it cannot be found or one of its files is damaged.
    """
    files = locate(model, offline=offline)
    try:
        config = json.loads(files.config_path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{files.config_path}: not a readable JSON file ({error}); download it again"
        ) from error
    if not isinstance(config, dict):
        raise ModelError(f"{files.config_path}: not a JSON object; download it again")
    return Description(files, config, read_checkpoint_header(files.weight_files))


def parameter_report(model: Description, *, by: Grouping) -> Report:
    """Report a model's parameters by module, layer or tensor, with BERT-base's beside them."""
    table = model.table(by)
    parts, total = [part.record() for part in table.parts], table.total.record()
    return Report(
        title=f"{model.files.name}: parameters by {by}",
        records=[*parts, total],
        document={
            "model": model.files.name,
            "files": [str(path) for path in model.files.weight_files],
            "by": by,
            "parts": parts,
            "total": total,
            "notes": table.notes,
        },
        notes=table.notes,
        optional=("trainable", "dtype"),
    )


def difference_report(here: Description, there: Description) -> Report:
    """Report the totals of two models side by side, then the tensors in which they differ."""
    differences = [difference.record() for difference in compare(here.header, there.header)]
    totals = total_records(here.table().total, there.table().total)
    return Report(
        title=f"{here.files.name} (here) and {there.files.name} (there)",
        records=[*totals, *differences],
        document={
            "here": here.files.name,
            "there": there.files.name,
            "differences": differences,
            "totals": totals,
        },
        notes=() if differences else ("no tensor differs in shape or type",),
    )
