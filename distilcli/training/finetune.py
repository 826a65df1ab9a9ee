"""From a lesson and a model's files to a trained model in a run folder."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from distilcli.errors import UsageError
from distilcli.model.device import place
from distilcli.model.loading import check_tokenizer
from distilcli.model.precision import choose_training_dtype
from distilcli.model.saving import tokenizer_files
from distilcli.tasks.settings import usable_length
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.training.lessons.embed import EmbedLesson
from distilcli.training.lessons.lesson import Lesson, Objective
from distilcli.training.loop import Progress, Trainer
from distilcli.training.options import TrainingOptions
from distilcli.training.run_folder import RunFolder
from distilcli.training.start import StartingPoint, start_model
from distilcli.training.teaching import Student, TeachingPlan, teach


def finetune(
    start: StartingPoint,
    lesson: Lesson,
    *,
    options: TrainingOptions,
    folder: Path,
    teaching: TeachingPlan | None = None,
    device: str = "auto",
    threads: int | None = None,
    resume: bool = False,
    force: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_teacher_pass: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, Any]:
    """Train a model on a lesson and leave the best one in `folder`; return the run's summary.

    The best is the one with the best score on the rows to validate on. With `teaching` it learns
    from a teacher as well; `on_teacher_pass` is told how many examples it has answered.
    `threads` are the CPU's, all cores if None. Raises `ModelError` for a model that
    cannot be started from, `InputError` for examples that cannot be learned, `UsageError` for a
    folder that is taken or a run that cannot be resumed.
    """
    read_from = {"model to start from": start.files}
    if teaching is not None:
        read_from["teacher"] = teaching.files
    for role, files in read_from.items():
        if folder.resolve() == files.folder.resolve():
            raise UsageError(
                f"{folder}: is the {role}, which the run would overwrite; "
                "give --output another folder"
            )
    if threads is not None:
        torch.set_num_threads(threads)
    # Seeded before the head is drawn: a run is a function of its options and its data.
    torch.manual_seed(options.seed)
    model = start_model(start, lesson)
    tokenizer = load_tokenizer(start.files)
    check_tokenizer(tokenizer, model.config, source=start.files.name)
    max_length = usable_length(
        start.max_length,
        # The tokenizer's files know nothing of positions that were added.
        start.positions or tokenizer.max_length,
        model.config.max_position_embeddings,
    )
    # Before the folder is touched: a device or precision that cannot be had costs nothing.
    placement = place(model, device, vocab_size=model.config.vocab_size)
    choose_training_dtype(options.precision, placement.device)
    fingerprint = {
        **start.fingerprint(),
        "max_length": max_length,
        "positions": model.config.max_position_embeddings,
        "pruned_heads": [[layer, *heads] for layer, heads in model.config.pruned_heads.items()],
        "task": lesson.task,
        **lesson.digests(),
        **asdict(options),
        **(teaching.fingerprint() if teaching else {}),
    }
    companions = None
    if isinstance(lesson, EmbedLesson):
        companions = lesson.companions(dim=model.config.dim, max_length=max_length)
    run = RunFolder(
        folder,
        fingerprint=fingerprint,
        tokenizer_files=tokenizer_files(start.files),
        max_length=start.positions,
        companions=companions,
    )
    teachable = lesson.objective(model, tokenizer, max_length=max_length)
    objective: Objective = teachable
    projection = None
    if teaching is not None:
        student = Student(model, tokenizer, teachable, max_length)
        objective = distillation = teach(
            teaching, lesson, student, device=placement.device, on_pass=on_teacher_pass
        )
        projection = distillation.projection
    state = run.load_state() if resume else None
    if state is None:
        run.create(force=force)
    trainer = Trainer(
        model,
        objective,
        options=options,
        device=placement.device,
        run=run,
        projection=projection,
        on_progress=on_progress,
    )
    if state is not None:
        trainer.resume(state)
    return trainer.train()
