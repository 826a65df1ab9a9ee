"""`distil finetune`: a model of your own from rows with labels."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from distilcli.commands._declare import options
from distilcli.commands._file_run import write_report
from distilcli.commands._finetune_options import LearningOptions, RowsToLearn, RunPlace
from distilcli.commands._start_options import StartOptions, TeacherOptions
from distilcli.console import Console

# These find their columns by names of their own.
_NAMES_COLUMNS = {"tag", "qa", "embed", "choose"}
_HOW_TO_BEGIN = {"--resume", "--force"}


@options(topic="Task")
def finetune(
    rows: RowsToLearn,
    start: StartOptions,
    learning: LearningOptions,
    teacher: TeacherOptions,
    place: RunPlace,
    *,
    task: Annotated[
        Literal["classify", "multilabel", "regress", "tag", "qa", "mlm", "embed", "choose"],
        typer.Option("--task", help="What the model learns to do."),
    ] = "classify",
) -> None:
    """Train a model on rows of your own, and keep the best on the rows to validate on.

    The folder holds the model, ready for the command of the task (classify, tag, qa, fill, embed,
    choose) and for transformers, with its card, every setting (config.toml) and what was measured
    (metrics.jsonl, summary.json). Ctrl-C saves first; --resume goes on to the same weights as an
    unbroken run. --freeze encoder reads each text once, for tasks of whole texts, and learns the
    head in seconds. With --teacher the model learns from a bigger one as well.

    Examples:
      distil finetune reviews.csv -o my-model
      distil finetune train.conll -o my-tagger --task tag
      distil finetune texts.csv -o small --teacher big-model
    """
    from distilcli.training.run_place import check_place
    from distilcli.training.settings import refuse_without_effect

    for group in (rows, start, teacher, place):
        group.check()
    refuse_without_effect(task, rows.columns, learning.lesson_options())
    if not place.dry_run:
        check_place(Path(place.output), resume=place.resume, force=place.force)
    train_rows, valid_rows = rows.open()
    place.report.check([*train_rows.paths, *(valid_rows.paths if valid_rows else [])])
    # A wrong name is told before torch is loaded.
    column = "" if task in _NAMES_COLUMNS else f"; text column {train_rows.text_column!r}"

    from distilcli.memory import keep_freed_memory

    keep_freed_memory()

    from distilcli.console.training import (
        show_cache,
        show_findings,
        show_interrupted,
        show_training,
        show_training_estimate,
        training_view,
    )
    from distilcli.training.objectives import read_lesson
    from distilcli.training.run import PreparedRun, prepare

    console = Console(quiet=place.quiet)
    teaching = teacher.plan(offline=place.offline)
    starting_point = start.starting_point(teaching, offline=place.offline)
    lesson = read_lesson(
        task,
        train_rows,
        valid_rows,
        columns=rows.columns,
        options=learning.lesson_options(),
        share=rows.valid_split or 0.1,
        known=(teaching or starting_point).labels(),
        taught=teaching is not None,
        files=starting_point.files,
    )
    console.note(f"model {starting_point.files.name} learns {lesson.described()}{column}")
    about = {"command": "finetune", "task": task, "model": starting_point.files.name}
    run: PreparedRun | None = None
    try:
        with training_view(console) as view:
            run = prepare(
                starting_point,
                lesson,
                options=learning.training_options(),
                folder=Path(place.output),
                teaching=teaching,
                device=place.device,
                threads=place.threads,
                on_progress=view.on_progress,
                on_pass=view.on_pass,
                rehearsal=place.dry_run,
            )
            show_findings(console, run.findings)
            show_cache(console, run.bytes_to_keep)
            if place.dry_run:
                estimate = run.estimate()
                show_training_estimate(console, estimate)
                write_report({**about, "dry_run": True, **estimate.as_dict()}, place.report)
                return
            summary = run.train(
                resume=place.resume,
                force=place.force,
                plot=place.plot,
                # The command that makes the model: a run that was resumed ends as an unbroken one.
                command=["distil", *(word for word in sys.argv[1:] if word not in _HOW_TO_BEGIN)],
                files=rows.names,
                read=asdict(rows),
            )
    except KeyboardInterrupt:
        saved = place.resume or (run is not None and run.folder.is_saved)
        show_interrupted(console, place.output, can_resume=saved, forced=place.force)
        raise
    show_training(console, summary, place.output, command=lesson.command)
    write_report({**about, **summary}, place.report)
