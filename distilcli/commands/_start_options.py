"""What `distil finetune` is told of the model it starts from, and of a teacher."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distilcli.commands import _option_groups as options
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.training.distill.setup import TeachingPlan
    from distilcli.training.init_model import StartingPoint


@dataclass(frozen=True, kw_only=True, slots=True)
class StartOptions:
    """What the run starts from, and how its build is changed first."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="What to start from: a folder, hub id or built-in; left out, the built-in mini, "
            "or with --teacher half of the teacher's layers.",
        ),
    ] = None
    fold: Annotated[
        bool,
        typer.Option(
            "--fold", help="Turn a BERT to start from into a DistilBERT: no token types, no pooler."
        ),
    ] = False
    student_layers: Annotated[
        str | None,
        typer.Option(
            "--student-layers",
            metavar="LAYERS",
            help="Start from these layers of --model, or of the teacher, such as 0,2,4,7,9,11.",
        ),
    ] = None
    student: Annotated[
        str | None,
        typer.Option(
            "--student",
            metavar="SIZES",
            help="Start from random weights of these sizes, such as dim=256,n_layers=4.",
        ),
    ] = None
    positions: Annotated[
        int | None,
        typer.Option(
            "--positions", min=8, help="How many tokens the model is to read: more or fewer."
        ),
    ] = None
    growth: Annotated[
        Literal["copy", "interpolate"] | None,
        typer.Option(
            "--position-growth",
            help="How more --positions are made: old ones again, or the table stretched (copy).",
        ),
    ] = None
    pruned: Annotated[
        list[str] | None,
        typer.Option(
            "--prune-heads",
            metavar="LAYER:HEADS",
            help="Attention heads to remove, such as 0:1,3; may be given several times.",
        ),
    ] = None
    max_length: options.MaxLengthOption = None

    def check(self) -> None:
        """Raise `UsageError` for options that do not go together."""
        if self.growth is not None and self.positions is None:
            raise UsageError("--position-growth says how --positions are made; add --positions")
        if self.student and (self.student_layers or self.fold or self.positions or self.pruned):
            raise UsageError(
                "--student makes a model of random weights; leave out what changes a model's build"
            )

    def starting_point(self, teacher: "TeachingPlan | None", *, offline: bool) -> "StartingPoint":
        """Return where the run starts; a teacher may be what the student is made of."""
        from distilcli.model.surgery import parse_heads
        from distilcli.training.init_model import parse_sizes, starting_point

        return starting_point(
            self.model,
            teacher=None if teacher is None else teacher.files,
            student_layers=self.student_layers,
            sizes=None if self.student is None else parse_sizes(self.student),
            offline=offline,
            fold=self.fold,
            max_length=self.max_length,
            positions=self.positions,
            growth=self.growth or "copy",
            pruned_heads=parse_heads(self.pruned or ()),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherOptions:
    """Whom the model learns from beside the rows, and what of it counts how much."""

    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher",
            metavar="MODEL",
            help="A trained BERT or DistilBERT of the task to learn from as well; rows without a "
            "label are then welcome.",
        ),
    ] = None
    teacher_cache: Annotated[
        str | None,
        typer.Option(
            "--teacher-cache",
            metavar="DIR",
            help="Keep the teacher's answers here: a second run costs no teacher pass.",
        ),
    ] = None
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", help="How much softer the teacher's labels are made (2)."),
    ] = None
    alpha_ce: Annotated[
        float | None, typer.Option("--alpha-ce", help="Weight of the teacher's soft labels (5).")
    ] = None
    alpha_task: Annotated[
        float | None, typer.Option("--alpha-task", help="Weight of the rows' own labels (2).")
    ] = None
    alpha_cos: Annotated[
        float | None,
        typer.Option("--alpha-cos", help="Weight of the cosine of last hidden states (1)."),
    ] = None
    alpha_hidden: Annotated[
        float | None,
        typer.Option("--alpha-hidden", help="Weight of the error of all hidden states (0)."),
    ] = None
    alpha_attention: Annotated[
        float | None,
        typer.Option("--alpha-attention", help="Weight of the error of attention (0)."),
    ] = None

    def check(self) -> None:
        """Raise `UsageError` for what says how to learn from a teacher where there is none."""
        if self.teacher is not None:
            return
        for name, value in {**self._weights(), "teacher_cache": self.teacher_cache}.items():
            if value is not None:
                raise UsageError(f"--{name.replace('_', '-')} is for a --teacher; name one")

    def plan(self, *, offline: bool) -> "TeachingPlan | None":
        """Return who teaches and what counts how much; None without a teacher."""
        if self.teacher is None:
            return None
        from distilcli.checkpoint.locate import locate
        from distilcli.training.distill.loss import DistillationOptions
        from distilcli.training.distill.setup import TeachingPlan

        return TeachingPlan(
            files=locate(self.teacher, offline=offline),
            options=DistillationOptions(**self._weights()),
            cache=None if self.teacher_cache is None else Path(self.teacher_cache),
        )

    def _weights(self) -> dict[str, float]:
        names = [field.name for field in fields(self) if field.name[:5] in {"tempe", "alpha"}]
        given = {name: getattr(self, name) for name in names}
        return {name: value for name, value in given.items() if value is not None}
