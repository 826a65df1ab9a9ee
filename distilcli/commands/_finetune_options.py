"""The options of `distil finetune`; those that change what is learned are in `training.options`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from distilcli.commands import _option_groups as shared
from distilcli.commands._declare import Also, argument, opt


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRows:
    """Which rows are read, and which of their columns."""

    topic: ClassVar[str] = "Input"

    files: Annotated[
        list[str], argument("Training rows, in any format that classify reads.", "FILES...")
    ]
    valid: Annotated[list[str] | None, opt("Validation rows.", metavar="FILE")] = None
    valid_split: Annotated[
        float | None,
        opt("Without --valid: share of the rows set aside (default: 0.1).", min=0.001, max=0.9),
    ] = None
    text_column: shared.TextColumnOption = None
    pair_column: shared.PairColumnOption = None
    label_column: Annotated[
        str | None,
        opt(
            "Column with the label, number or answer; for embed, with the similarity (without "
            "one, pairs are texts that belong together).",
            metavar="NAME",
        ),
    ] = None
    label_separator: Annotated[
        str | None,
        opt(
            "Separator of the labels in a cell, for multilabel (default: a comma).", metavar="CHAR"
        ),
    ] = None
    label_columns: shared.LabelColumnsOption = None
    labels: shared.LabelsOption = None
    options_column: shared.OptionsColumnOption = None
    option_columns: shared.OptionColumnsOption = None
    input_format: shared.InputFormatOption = None
    encoding: shared.EncodingOption = "utf-8"
    delimiter: shared.DelimiterOption = None
    no_header: shared.NoHeaderOption = False
    word_column: shared.WordColumnOption = None
    keep_empty: Annotated[bool, opt("Also learn from rows with an empty text.")] = False
    limit: Annotated[
        int | None, opt("Read only the first N rows, and the first N of --valid.", min=0)
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InitialModel:
    """The model to start from, and how its architecture is changed first."""

    topic: ClassVar[str] = "Model"

    model: Annotated[
        str | None,
        opt(
            "Initial model: a folder, hub id or built-in (default: the built-in mini, or half of "
            "the teacher's layers).",
            "--model",
            "-m",
            metavar="MODEL",
        ),
    ] = None
    fold: Annotated[bool, opt("Turn a BERT into a DistilBERT, without token types and pooler.")] = (
        False
    )
    student_layers: Annotated[
        str | None,
        opt("Keep only these layers of the model or teacher: 0,2,4,7,9,11.", metavar="LAYERS"),
    ] = None
    student: Annotated[
        str | None,
        opt("Start from random weights of these sizes: dim=256,n_layers=4.", metavar="SIZES"),
    ] = None
    positions: Annotated[
        int | None, opt("Resize the model to this maximum number of tokens.", min=8)
    ] = None
    position_growth: Annotated[
        Literal["copy", "interpolate"] | None,
        opt("How to fill new positions: copy the learned ones (default) or interpolate."),
    ] = None
    prune_heads: Annotated[
        list[str] | None,
        opt("Attention heads to remove, such as 0:1,3.", metavar="LAYER:HEADS"),
    ] = None
    max_length: shared.MaxLengthOption = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Learning:
    """How the model learns; the defaults are those of `training.options`."""

    topic: ClassVar[str] = "Training"

    epochs: Annotated[int, opt("Passes over the training rows.", min=1)] = 3
    learning_rate: Annotated[
        float | None,
        opt(
            "Peak learning rate (default: 5e-5 for a model 768 wide, 2e-4 for 384).",
            "--learning-rate",
            "--lr",
            min=0,
        ),
    ] = None
    schedule: Annotated[
        Literal["linear", "cosine"], opt("Decay of the learning rate after the warm-up.")
    ] = "linear"
    warmup: Annotated[float, opt("Share of the steps that warm up.", min=0, max=1)] = 0.06
    weight_decay: Annotated[float, opt("Weight decay, except for norms and biases.", min=0)] = 0.01
    layer_decay: Annotated[
        float, opt("Learning-rate factor per layer, from top to bottom.", min=0.1, max=1)
    ] = 1.0
    clip: Annotated[float, opt("Maximum norm of the gradients.", min=0.001)] = 1.0
    token_budget: Annotated[
        int,
        opt("Maximum tokens per batch, padding included.", "--max-tokens", topic="Speed", min=8),
        Also("--token-budget"),
    ] = 1_024
    accumulate: Annotated[int, opt("Batches per optimizer step.", min=1)] = 1
    gradient_checkpointing: Annotated[
        bool, opt("Save memory by recomputing each block in the backward pass.")
    ] = False
    freeze: Annotated[
        str,
        opt(
            "Part not to train: nothing, embeddings (the token table), N (the lowest N layers) or "
            "encoder, which leaves the head.",
            metavar="WHAT",
        ),
    ] = "nothing"
    dropout: Annotated[
        float | None,
        opt("Dropout rate (default: the model's own; 0 suits short runs).", min=0, max=0.9),
    ] = None
    class_weights: Annotated[Literal["balanced"] | None, opt("Weight labels by their rarity.")] = (
        None
    )
    label_smoothing: Annotated[
        float, opt("Share of a label that is spread over all labels.", min=0, max=0.9)
    ] = 0.0
    augment: Annotated[
        float,
        opt("Probability to drop each word, and to swap it with the next.", min=0, max=0.9),
    ] = 0.0
    average: Annotated[
        float,
        opt("Decay of a moving average of the weights; 0: off.", min=0, max=0.99999),
    ] = 0.0
    precision: Annotated[
        Literal["auto", "fp32", "bf16"], opt("auto: bf16 autocast where it is faster.")
    ] = "auto"
    evaluate_every: Annotated[
        int | None,
        opt("Steps between evaluations (default: one per epoch).", "--eval-every", min=1),
    ] = None
    early_stopping: Annotated[
        int | None, opt("Stop after N evaluations without improvement.", min=1)
    ] = None
    seed: Annotated[int, opt("Random seed.", min=0, max=2**32 - 1)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Teacher:
    """The model that the student learns from beside the rows, and the weights of the loss."""

    topic: ClassVar[str] = "Distillation"

    teacher: Annotated[
        str | None,
        opt(
            "Also learn from a bigger BERT or DistilBERT trained for the task; rows then need no "
            "labels.",
            metavar="MODEL",
        ),
    ] = None
    teacher_cache: Annotated[
        str | None,
        opt("Keep the teacher's outputs in DIR for further runs.", metavar="DIR"),
    ] = None
    temperature: Annotated[
        float | None, opt("Temperature of the teacher's soft labels (default: 2).")
    ] = None
    alpha_ce: Annotated[float | None, opt("Weight of the teacher's soft labels (default: 5).")] = (
        None
    )
    alpha_task: Annotated[float | None, opt("Weight of the rows' own labels (default: 2).")] = None
    alpha_cos: Annotated[
        float | None, opt("Weight of the cosine of the last hidden states (default: 1).")
    ] = None
    alpha_hidden: Annotated[
        float | None, opt("Weight of the error of all hidden states (default: 0).")
    ] = None
    alpha_attention: Annotated[
        float | None, opt("Weight of the error of the attention (default: 0).")
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOutput:
    """Where the run goes, where it computes, and what is reported."""

    topic: ClassVar[str] = "Output"

    output: Annotated[str, opt("The folder of the run.", "--output", "-o", metavar="DIR")]
    plot: Annotated[
        str | None,
        opt(
            "Draw loss, scores, confusion and reliability, as .png or .svg (extra: plot).",
            metavar="FILE",
        ),
    ] = None
    resume: Annotated[bool, opt("Continue an interrupted run.")] = False
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
