"""The options of `distil finetune`; those that change what is learned are in `training.options`."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from distilcli.commands import _option_groups as shared
from distilcli.commands._declare import argument, option


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRows:
    """Which rows are read, and which of their columns."""

    topic: ClassVar[str] = "Input"

    files: Annotated[
        list[str], argument("Training rows, in any format that classify reads.", "FILES...")
    ]
    valid: list[str] | None = option(None, "Validation rows.", metavar="FILE")
    valid_split: float | None = option(
        None, "Without --valid: share of the rows set aside (default: 0.1).", min=0.001, max=0.9
    )
    text_column: shared.TextColumnOption = None
    pair_column: shared.PairColumnOption = None
    label_column: str | None = option(
        None,
        "Column with the label, number or answer; for embed, with the similarity (without "
        "one, pairs are texts that belong together).",
        metavar="NAME",
    )
    label_separator: str | None = option(
        None,
        "Separator of the labels in a cell, for multilabel (default: a comma).",
        metavar="CHAR",
    )
    options_column: shared.OptionsColumnOption = None
    option_columns: shared.OptionColumnsOption = None
    input_format: shared.InputFormatOption = None
    encoding: shared.EncodingOption = "utf-8"
    delimiter: shared.DelimiterOption = None
    no_header: shared.NoHeaderOption = False
    limit: int | None = option(
        None, "Read only the first N rows, and the first N of --valid.", min=0
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class InitialModel:
    """The model to start from, and how its architecture is changed first."""

    topic: ClassVar[str] = "Model"

    model: str | None = option(
        None,
        "Initial model: a folder, hub id or built-in (default: the built-in mini, or half of "
        "the teacher's layers).",
        "--model",
        "-m",
        metavar="MODEL",
    )
    fold: bool = option(False, "Turn a BERT into a DistilBERT, without token types and pooler.")
    student_layers: str | None = option(
        None, "Keep only these layers of the model or teacher: 0,2,4,7,9,11.", metavar="LAYERS"
    )
    student: str | None = option(
        None, "Start from random weights of these sizes: dim=256,n_layers=4.", metavar="SIZES"
    )
    positions: int | None = option(
        None, "Resize the model to this maximum number of tokens.", min=8
    )
    position_growth: Literal["copy", "interpolate"] | None = option(
        None, "How to fill new positions: copy the learned ones (default) or interpolate."
    )
    prune_heads: list[str] | None = option(
        None, "Attention heads to remove, such as 0:1,3.", metavar="LAYER:HEADS"
    )
    max_length: shared.MaxLengthOption = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Learning:
    """How the model learns; the defaults are those of `training.options`."""

    topic: ClassVar[str] = "Training"

    epochs: int = option(3, "Passes over the training rows.", min=1)
    learning_rate: float | None = option(
        None,
        "Peak learning rate (default: 5e-5 for a model 768 wide, 2e-4 for 384).",
        "--learning-rate",
        "--lr",
        min=0,
    )
    schedule: Literal["linear", "cosine"] = option(
        "linear", "Decay of the learning rate after the warm-up."
    )
    warmup: float = option(0.06, "Share of the steps that warm up.", min=0, max=1)
    weight_decay: float = option(0.01, "Weight decay, except for norms and biases.", min=0)
    layer_decay: float = option(
        1.0, "Learning-rate factor per layer, from top to bottom.", min=0.1, max=1
    )
    clip: float = option(1.0, "Maximum norm of the gradients.", min=0.001)
    token_budget: int = option(
        1_024,
        "Maximum tokens per batch, padding included.",
        "--max-tokens",
        topic="Speed",
        min=8,
        also=("--token-budget",),
    )
    accumulate: int = option(1, "Batches per optimizer step.", min=1)
    gradient_checkpointing: bool = option(
        False, "Save memory by recomputing each block in the backward pass."
    )
    freeze: str = option(
        "nothing",
        "Part not to train: nothing, embeddings (the token table), N (the lowest N layers) or "
        "encoder, which leaves the head.",
        metavar="WHAT",
    )
    dropout: float | None = option(
        None, "Dropout rate (default: the model's own; 0 suits short runs).", min=0, max=0.9
    )
    class_weights: Literal["balanced"] | None = option(None, "Weight labels by their rarity.")
    label_smoothing: float = option(
        0.0, "Share of a label that is spread over all labels.", min=0, max=0.9
    )
    augment: float = option(
        0.0, "Probability to drop each word, and to swap it with the next.", min=0, max=0.9
    )
    average: float = option(
        0.0, "Decay of a moving average of the weights; 0: off.", min=0, max=0.99999
    )
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto", "auto: bf16 autocast where it is faster."
    )
    evaluate_every: int | None = option(
        None, "Steps between evaluations (default: one per epoch).", "--eval-every", min=1
    )
    early_stopping: int | None = option(
        None, "Stop after N evaluations without improvement.", min=1
    )
    seed: int = option(0, "Random seed.", min=0, max=2**32 - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Teacher:
    """The model that the student learns from beside the rows, and the weights of the loss."""

    topic: ClassVar[str] = "Distillation"

    teacher: str | None = option(
        None,
        "Also learn from a bigger BERT or DistilBERT trained for the task; rows then need no "
        "labels.",
        metavar="MODEL",
    )
    teacher_cache: str | None = option(
        None, "Keep the teacher's outputs in DIR for further runs.", metavar="DIR"
    )
    temperature: float | None = option(
        None, "Temperature of the teacher's soft labels (default: 2)."
    )
    alpha_ce: float | None = option(None, "Weight of the teacher's soft labels (default: 5).")
    alpha_task: float | None = option(None, "Weight of the rows' own labels (default: 2).")
    alpha_cos: float | None = option(
        None, "Weight of the cosine of the last hidden states (default: 1)."
    )
    alpha_hidden: float | None = option(
        None, "Weight of the error of all hidden states (default: 0)."
    )
    alpha_attention: float | None = option(
        None, "Weight of the error of the attention (default: 0)."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOutput:
    """Where the run goes, where it computes, and what is reported."""

    topic: ClassVar[str] = "Output"

    output: str = option(MISSING, "The folder of the run.", "--output", "-o", metavar="DIR")
    plot: str | None = option(
        None,
        "Draw loss, scores, confusion and reliability, as .png or .svg (extra: plot).",
        metavar="FILE",
    )
    resume: bool = option(False, "Continue an interrupted run.")
    force: shared.ForceOption = False
    device: shared.DeviceOption = "auto"
    offline: shared.OfflineOption = False
    threads: shared.ThreadsOption = None

    def check(self, report: shared.Report) -> None:
        """Raise `UsageError` for files or folders that may not be written."""
        from distilcli.tokenizer.plot import check_plot
        from distilcli.training.run_files import check_folder

        if not report.dry_run:
            check_folder(Path(self.output), resume=self.resume, force=self.force)
        if self.plot is not None:
            check_plot(self.plot, force=self.force or self.resume, made=self.output)


def changed(*groups: object) -> Mapping[str, Any]:
    """Return the options that differ from their defaults."""
    return {
        field.name: value
        for group in groups
        for field in fields(group)  # type: ignore[arg-type]
        if (value := getattr(group, field.name)) != field.default and value != []
    }
