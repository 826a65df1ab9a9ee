"""`distil finetune`: a model of your own from rows with labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distilcli.commands import _options as options
from distilcli.commands._file_run import ReportOptions, write_report
from distilcli.console import Console
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.rows import RowSource


def finetune(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...", help="Rows to learn from, in any format that classify reads."
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="The folder of the run.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="What to start from: a folder, hub id or built-in; left out, the built-in mini, "
            "or with --teacher half of the teacher's layers.",
        ),
    ] = None,
    task: Annotated[
        Literal["classify", "multilabel", "regress", "tag", "qa", "mlm", "embed", "choose"],
        typer.Option("--task", help="What the model learns to do."),
    ] = "classify",
    valid: Annotated[
        list[str] | None,
        typer.Option("--valid", metavar="FILE", help="Rows to validate on (several times: more)."),
    ] = None,
    valid_split: Annotated[
        float | None,
        typer.Option(
            "--valid-split",
            min=0.001,
            max=0.9,
            help="Without --valid: the share of each label's rows set aside (0.1).",
        ),
    ] = None,
    text_column: options.TextColumnOption = None,
    pair_column: options.PairColumnOption = None,
    label_column: Annotated[
        str | None,
        typer.Option(
            "--label-column",
            metavar="NAME",
            help="The column with the label, number or answer; embed without one takes all pairs "
            "for texts that belong together.",
        ),
    ] = None,
    label_separator: Annotated[
        str | None,
        typer.Option(
            "--label-separator",
            metavar="SIGN",
            help="What stands between the labels of a cell in multilabel (a comma).",
        ),
    ] = None,
    options_column: Annotated[
        str | None,
        typer.Option(
            "--options-column",
            metavar="NAME",
            help="For choose: the column with a list of options, in CSV as JSON (options).",
        ),
    ] = None,
    option_columns: Annotated[
        str | None,
        typer.Option(
            "--option-columns",
            metavar="NAMES",
            help="For choose: the columns with an option each, with commas between them.",
        ),
    ] = None,
    class_weights: Annotated[
        Literal["balanced"] | None,
        typer.Option(
            "--class-weights", help="balanced: rows of rare labels count more, in proportion."
        ),
    ] = None,
    label_smoothing: Annotated[
        float,
        typer.Option(
            "--label-smoothing", min=0, max=0.9, help="The share of a label spread over all."
        ),
    ] = 0.0,
    augment: Annotated[
        float,
        typer.Option(
            "--augment",
            min=0,
            max=0.9,
            help="In each epoch each word of a text is left out with this probability (one stays), "
            "and each then changes places with the next one with it.",
        ),
    ] = 0.0,
    input_format: options.InputFormatOption = None,
    encoding: options.EncodingOption = "utf-8",
    delimiter: options.DelimiterOption = None,
    no_header: options.NoHeaderOption = False,
    limit: options.LimitOption = None,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the rows.")] = 3,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", "--lr", min=0, help="The peak rate of AdamW.")
    ] = 5e-5,
    schedule: Annotated[
        Literal["linear", "cosine"],
        typer.Option("--schedule", help="How the rate falls after the warm-up."),
    ] = "linear",
    warmup: Annotated[
        float, typer.Option("--warmup", min=0, max=1, help="The share of steps that warm up.")
    ] = 0.06,
    weight_decay: Annotated[
        float, typer.Option("--weight-decay", min=0, help="Not on norms and biases.")
    ] = 0.01,
    layer_decay: Annotated[
        float,
        typer.Option(
            "--layer-decay", min=0.1, max=1, help="Each block learns at this times the one above."
        ),
    ] = 1.0,
    clip: Annotated[
        float, typer.Option("--clip", min=0.001, help="The largest norm of the gradients.")
    ] = 1.0,
    token_budget: Annotated[
        int, typer.Option("--token-budget", min=8, help="Tokens in a batch, padding included.")
    ] = 1_024,
    accumulate: Annotated[
        int, typer.Option("--accumulate", min=1, help="Batches whose gradients make one step.")
    ] = 1,
    max_length: options.MaxLengthOption = None,
    gradient_checkpointing: Annotated[
        bool,
        typer.Option(
            "--gradient-checkpointing", help="Less memory for a second forward pass of each block."
        ),
    ] = False,
    freeze: Annotated[
        str,
        typer.Option(
            "--freeze",
            metavar="WHAT",
            help="What does not learn: nothing, embeddings (the token table), a number of layers "
            "from below, or encoder (all but the head).",
        ),
    ] = "nothing",
    dropout: Annotated[
        float | None,
        typer.Option(
            "--dropout",
            min=0,
            max=0.9,
            help="The rate while it learns, instead of the model's own; 0 suits a short run.",
        ),
    ] = None,
    average: Annotated[
        float,
        typer.Option(
            "--average",
            min=0,
            max=0.99999,
            help="Decay of a moving average of the weights; 0: off.",
        ),
    ] = 0.0,
    fold: Annotated[
        bool,
        typer.Option(
            "--fold", help="Turn a BERT to start from into a DistilBERT: no token types, no pooler."
        ),
    ] = False,
    positions: Annotated[
        int | None,
        typer.Option(
            "--positions", min=8, help="How many tokens the model is to read: more or fewer."
        ),
    ] = None,
    growth: Annotated[
        Literal["copy", "interpolate"] | None,
        typer.Option(
            "--position-growth",
            help="How more --positions are made: old ones again, or the table stretched (copy).",
        ),
    ] = None,
    pruned: Annotated[
        list[str] | None,
        typer.Option(
            "--prune-heads",
            metavar="LAYER:HEADS",
            help="Attention heads to remove, such as 0:1,3; may be given several times.",
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher",
            metavar="MODEL",
            help="A trained BERT or DistilBERT of the task to learn from as well; rows without a "
            "label are then welcome.",
        ),
    ] = None,
    teacher_cache: Annotated[
        str | None,
        typer.Option(
            "--teacher-cache",
            metavar="DIR",
            help="Keep the teacher's answers here: a second run costs no teacher pass.",
        ),
    ] = None,
    student_layers: Annotated[
        str | None,
        typer.Option(
            "--student-layers",
            metavar="LAYERS",
            help="Start from these layers of --model, or of the teacher, such as 0,2,4,7,9,11.",
        ),
    ] = None,
    student: Annotated[
        str | None,
        typer.Option(
            "--student",
            metavar="SIZES",
            help="Start from random weights of these sizes, such as dim=256,n_layers=4.",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", help="How much softer the teacher's labels are made (2)."),
    ] = None,
    alpha_ce: Annotated[
        float | None, typer.Option("--alpha-ce", help="Weight of the teacher's soft labels (5).")
    ] = None,
    alpha_task: Annotated[
        float | None, typer.Option("--alpha-task", help="Weight of the rows' own labels (2).")
    ] = None,
    alpha_cos: Annotated[
        float | None,
        typer.Option("--alpha-cos", help="Weight of the cosine of last hidden states (1)."),
    ] = None,
    alpha_hidden: Annotated[
        float | None,
        typer.Option("--alpha-hidden", help="Weight of the error of all hidden states (0)."),
    ] = None,
    alpha_attention: Annotated[
        float | None,
        typer.Option("--alpha-attention", help="Weight of the error of attention (0)."),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        typer.Option("--precision", help="auto: bf16 autocast where the hardware has it."),
    ] = "auto",
    evaluate_every: Annotated[
        int | None,
        typer.Option("--eval-every", min=1, help="Steps between evaluations; else each epoch."),
    ] = None,
    early_stopping: Annotated[
        int | None,
        typer.Option(
            "--early-stopping", min=1, help="Stop after so many evaluations without a better one."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**32 - 1, help="Of all that is random.")
    ] = 0,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run, as if unbroken.")
    ] = False,
    force: options.ForceOption = False,
    stats_file: options.StatsOption = None,
    json_summary: options.JsonOption = False,
    offline: options.OfflineOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Train a model on rows of your own, and keep the best on the rows to validate on.

    The folder holds the model, ready for the command of the task (classify, tag, qa, fill, embed,
    choose) and for transformers, and what was measured: metrics.jsonl, summary.json. Ctrl-C saves
    first; --resume goes on to the same weights as an unbroken run. --freeze encoder reads each
    text once, for tasks of whole texts, and learns the head in seconds.

    Examples: distil finetune reviews.csv -o my-model · distil finetune train.conll -o my-tagger
    --task tag · distil finetune pairs.csv -o my-embedder --task embed --label-column score
    """
    from distilcli.rows import open_rows
    from distilcli.training.data.columns import Columns
    from distilcli.training.settings import LessonOptions, refuse_without_effect

    report = ReportOptions(stats_file=stats_file, as_json=json_summary)
    rules = {
        "--resume goes on with a run, --force replaces it; give one of them": resume and force,
        "--valid gives rows to validate on, --valid-split sets some aside; take one": (
            valid and valid_split is not None
        ),
        "--position-growth says how --positions are made; add --positions": (
            growth is not None and positions is None
        ),
        "--student makes a model of random weights; leave out what changes a model's build": (
            student is not None and (student_layers or fold or positions or pruned)
        ),
    }
    for message, is_broken in rules.items():
        if is_broken:
            raise UsageError(message)
    columns = Columns(
        text=text_column,
        pair=pair_column,
        label=label_column,
        options=options_column,
        option_list=tuple(options.listed(option_columns or "")),
        separator=label_separator,
    )
    lesson_options = LessonOptions(
        class_weights=class_weights, label_smoothing=label_smoothing, augment=augment, seed=seed
    )
    refuse_without_effect(task, columns, lesson_options)
    report.check()
    weights = {
        "temperature": temperature,
        "alpha_ce": alpha_ce,
        "alpha_task": alpha_task,
        "alpha_cos": alpha_cos,
        "alpha_hidden": alpha_hidden,
        "alpha_attention": alpha_attention,
    }
    chosen_weights = {name: value for name, value in weights.items() if value is not None}
    if teacher is None:
        for name, value in {**chosen_weights, "teacher_cache": teacher_cache}.items():
            if value is not None:
                raise UsageError(f"--{name.replace('_', '-')} is for a --teacher; name one")

    def rows(paths: list[str]) -> "RowSource":
        return open_rows(
            paths,
            input_format=input_format,
            text_column=text_column,
            encoding=encoding,
            delimiter=delimiter,
            no_header=no_header,
            limit=limit,
        )

    train_rows, valid_rows = rows(files), rows(valid) if valid else None
    report.spare([*train_rows.paths, *(valid_rows.paths if valid_rows else [])])
    # A wrong name is told before torch is loaded.
    finds_its_own = task in {"tag", "qa", "embed", "choose"}
    column = "" if finds_its_own else f"; text column {train_rows.text_column!r}"

    from distilcli.checkpoint.locate import locate
    from distilcli.console.live import training_view
    from distilcli.console.results import show_interrupted, show_training
    from distilcli.model.structure import parse_heads
    from distilcli.training.distillation import DistillationOptions
    from distilcli.training.finetune import finetune as train_model
    from distilcli.training.lessons import read_lesson
    from distilcli.training.options import TrainingOptions
    from distilcli.training.run_folder import STATE_FILE
    from distilcli.training.start import parse_sizes, starting_point
    from distilcli.training.teaching import TeachingPlan

    console = Console(quiet=quiet)
    teaching = None
    if teacher is not None:
        teaching = TeachingPlan(
            files=locate(teacher, offline=offline),
            options=DistillationOptions(**chosen_weights),
            cache=None if teacher_cache is None else Path(teacher_cache),
        )
    start = starting_point(
        model,
        teacher=teaching.files if teaching else None,
        student_layers=student_layers,
        sizes=None if student is None else parse_sizes(student),
        offline=offline,
        fold=fold,
        max_length=max_length,
        positions=positions,
        growth=growth or "copy",
        pruned_heads=parse_heads(pruned or ()),
    )
    lesson = read_lesson(
        task,
        train_rows,
        valid_rows,
        columns=columns,
        options=lesson_options,
        share=valid_split or 0.1,
        known=(teaching or start).labels(),
        taught=teaching is not None,
        files=start.files,
    )
    console.note(f"model {start.files.name} learns {lesson.described()}{column}")
    try:
        with training_view(console) as view:
            summary = train_model(
                start,
                lesson,
                options=TrainingOptions(
                    epochs=epochs,
                    learning_rate=learning_rate,
                    schedule=schedule,
                    warmup=warmup,
                    weight_decay=weight_decay,
                    layer_decay=layer_decay,
                    clip=clip,
                    token_budget=token_budget,
                    accumulate=accumulate,
                    gradient_checkpointing=gradient_checkpointing,
                    freeze=freeze,
                    dropout=dropout,
                    average=average,
                    precision=precision,
                    evaluate_every=evaluate_every,
                    early_stopping=early_stopping,
                    seed=seed,
                ),
                device=device,
                threads=threads,
                teaching=teaching,
                folder=Path(output),
                resume=resume,
                force=force,
                on_progress=view.on_progress,
                on_teacher_pass=view.on_teacher_pass,
            )
    except KeyboardInterrupt:
        show_interrupted(console, output, can_resume=(Path(output) / STATE_FILE).is_file())
        raise
    show_training(console, summary, output, command=lesson.command)
    write_report({"command": "finetune", "task": task, "model": model, **summary}, report)
