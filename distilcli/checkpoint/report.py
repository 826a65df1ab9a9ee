"""What `distil params` says: a model's files opened as far as their headers, and put in lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distilcli.checkpoint.diff import compare, total_records
from distilcli.checkpoint.json_file import JsonObject, read_object
from distilcli.checkpoint.locate import ModelFiles, locate
from distilcli.checkpoint.parameter_table import Anatomy, Grouping, dissect
from distilcli.checkpoint.safetensors_header import CheckpointHeader, read_checkpoint_header

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Description:
    """A model known by its configuration and the headers of its weights."""

    files: ModelFiles
    config: JsonObject
    header: CheckpointHeader

    def anatomy(self, by: Grouping = "module") -> Anatomy:
        """Group its tensors."""
        return dissect(self.header, self.config, by=by)


@dataclass(frozen=True, slots=True)
class Report:
    """Lines under one set of columns, the closing lines, and the whole as one JSON document."""

    title: str
    records: Sequence[Record]
    footer: Sequence[Record]
    document: Record
    notes: Sequence[str]


def describe(model: str, *, offline: bool = False) -> Description:
    """Find `model` and read what describes it; no weight is read.

    Raises ModelError when it cannot be had, or a file of it is not as it should be.
    """
    files = locate(model, offline=offline)
    config = read_object(files.config_path)
    return Description(files, config, read_checkpoint_header(files.weight_files))


def parameter_report(model: Description, *, by: Grouping) -> Report:
    """Report the parameters of a model by module, layer or tensor, BERT-base's beside them."""
    anatomy = model.anatomy(by)
    records = [part.record() for part in anatomy.parts]
    return Report(
        title=f"{model.files.name}: parameters by {by}",
        records=records,
        footer=[anatomy.total.record()],
        document={
            "model": model.files.name,
            "files": [str(path) for path in model.files.weight_files],
            "by": by,
            "parts": records,
            "total": anatomy.total.record(),
            "notes": anatomy.notes,
        },
        notes=anatomy.notes,
    )


def difference_report(here: Description, there: Description) -> Report:
    """Report the tensors in which two models differ, and their totals side by side."""
    records = [difference.record() for difference in compare(here.header, there.header)]
    totals = total_records(here.anatomy().total, there.anatomy().total)
    return Report(
        title=f"{here.files.name} (here) and {there.files.name} (there)",
        records=records,
        footer=totals,
        document={
            "here": here.files.name,
            "there": there.files.name,
            "differences": records,
            "totals": totals,
        },
        notes=() if records else ("no tensor differs in shape or type",),
    )
