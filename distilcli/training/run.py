"""From a lesson and a model's files to a trained model in a run folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from distilcli.errors import UsageError
from distilcli.model.device import place
from distilcli.model.heads import FirstTokenModel
from distilcli.model.loading import check_tokenizer
from distilcli.model.saving import tokenizer_files
from distilcli.tasks.settings import usable_length
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.training.config_toml import config_toml
from distilcli.training.distill.setup import Student, TeachingPlan, teach
from distilcli.training.distill.teacher import Teaching
from distilcli.training.dry_run import TrainingEstimate, estimate
from distilcli.training.environment import read_environment
from distilcli.training.faults import find_faults
from distilcli.training.findings import Finding
from distilcli.training.frozen_features import remember_features
from distilcli.training.init_model import StartingPoint, start_model
from distilcli.training.lesson_rows import rows_of
from distilcli.training.loop import Progress, Trainer
from distilcli.training.objectives.base import Lesson, Objective
from distilcli.training.options import TrainingOptions
from distilcli.training.report.outcome import RunFacts, card_of, draw, measure_best, public_id
from distilcli.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedRun:
    """A run that can begin: everything is loaded and checked, and nothing is written.

    `findings` are what is wrong with the rows, though not so wrong that nothing can be learned.
    `bytes_to_keep` is about what the teacher's answers will take on the disk, `asked_once` the
    teacher whose answers are to be kept. If the encoder `reads_once`, its features are kept.
    """

    lesson: Lesson
    findings: list[Finding]
    trainer: Trainer
    folder: RunFolder
    settings: dict[str, Any]
    base_model: str
    base_model_id: str | None
    teacher: str | None
    max_length: int
    device: str
    bytes_to_keep: int
    reads_once: bool
    asked_once: Teaching | None

    def estimate(self) -> TrainingEstimate:
        """Expect what the run would take; it cannot begin afterwards."""
        train, valid = (
            len(rows_of(part, "").texts) for part in (self.lesson.train, self.lesson.valid)
        )
        return estimate(
            self.trainer,
            valid_share=valid / train,
            reads_once=self.reads_once,
            asked_once=self.asked_once,
        )

    def train(
        self,
        *,
        resume: bool = False,
        force: bool = False,
        plot: str | None = None,
        command: Sequence[str] = (),
        files: tuple[Sequence[str], Sequence[str]] = ((), ()),
        read: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Train and leave the best model in the folder; return the summary of the run.

        The best is the one with the best score on the rows to validate on. `command` and `files`
        (those to learn from, those to validate on) are for its card, `read`, how the rows were
        read, for the settings that it keeps. Raises `UsageError` for a folder that is taken or a
        run that cannot be resumed.
        """
        if resume:
            self.trainer.resume(self.folder.load_state())
        else:
            self.folder.create(force=force)
        settings = {"read": read, **self.settings} if read else self.settings
        self.folder.save_config(config_toml(settings, command=command))
        summary = self.trainer.train()
        facts = RunFacts(
            folder=self.folder.path,
            base_model=self.base_model,
            base_model_id=self.base_model_id,
            teacher=self.teacher,
            model_type=self.trainer.model.config.model_type,
            parameters=sum(weight.numel() for weight in self.trainer.model.parameters()),
            max_length=self.max_length,
            command=command,
            files=files,
        )
        best = measure_best(self.lesson, facts, device=self.device)
        environment = read_environment(
            torch.device(summary["device"]),
            precision=summary["precision"],
            seconds=self.trainer.seconds,
        )
        self.folder.finish(summary, card=card_of(self.lesson, facts, summary, best, environment))
        if plot is not None:
            draw(plot, facts, self.trainer.history, best)
        return summary


def prepare(
    start: StartingPoint,
    lesson: Lesson,
    *,
    options: TrainingOptions,
    folder: Path,
    teaching: TeachingPlan | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_pass: Callable[[str, int, int], None] = lambda _who, _done, _all: None,
    rehearsal: bool = False,
) -> PreparedRun:
    """Load what a run needs, and touch nothing.

    With `teaching` the model learns from a teacher as well. A `rehearsal` is for an estimate alone:
    what a run reads once, ahead of its steps, is left out. `on_pass` is told who reads the rows
    once, ahead of all steps, how many it has read, and of how many. `threads` are the CPU's, all
    cores if None, or those that a run which is resumed began with. Raises `ModelError` for a model
    that cannot be started from, `InputError` for examples that cannot be learned, `UsageError` or
    `ResourceError` for settings that cannot be had.
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
    options = options.for_width(model.config.dim)
    tokenizer = load_tokenizer(start.files)
    check_tokenizer(tokenizer, model.config, source=start.files.name)
    max_length = usable_length(
        start.max_length,
        # The tokenizer's files know nothing of positions that were added.
        start.positions or tokenizer.max_length,
        model.config.max_position_embeddings,
    )
    placement = place(model, device, vocab_size=model.config.vocab_size)
    build = {
        **start.fingerprint(),
        "max_length": max_length,
        "positions": model.config.max_position_embeddings,
        "pruned_heads": [[layer, *heads] for layer, heads in model.config.pruned_heads.items()],
    }
    taught = teaching.fingerprint() if teaching else {}
    rows = {"task": lesson.task, **lesson.digests()}
    run = RunFolder(
        folder,
        fingerprint={**build, **rows, **asdict(options), **taught},
        tokenizer_files=tokenizer_files(start.files),
        max_length=start.positions,
        companions=lesson.companions(dim=model.config.dim, max_length=max_length),
    )
    findings = find_faults(lesson, tokenizer, max_length=max_length)
    teachable = lesson.objective(model, tokenizer, max_length=max_length)
    objective: Objective = teachable
    projection, bytes_to_keep = None, 0
    asked_once: Teaching | None = None
    if teaching is not None:
        student = Student(model, tokenizer, teachable, max_length)
        objective = distillation = teach(
            teaching,
            lesson,
            student,
            seed=options.seed,
            epochs=options.epochs,
            device=placement.device,
            on_pass=partial(on_pass, "the teacher"),
            rehearsal=rehearsal,
        )
        projection, bytes_to_keep = distillation.projection, distillation.teacher.bytes_to_keep
        if rehearsal and bytes_to_keep and not teachable.varies:
            asked_once = distillation.teacher
    # A teacher compares layers, and examples that vary are other sequences in every epoch.
    is_fixed = teaching is None and not teachable.varies
    reads_once = options.freeze == "encoder" and is_fixed and isinstance(model, FirstTokenModel)
    if isinstance(model, FirstTokenModel) and reads_once and not rehearsal:
        reading = partial(on_pass, "the encoder")
        remember_features(model, teachable, placement.device, on_pass=reading)
    trainer = Trainer(
        model,
        objective,
        options=options,
        device=placement.device,
        run=run,
        projection=projection,
        keeps_threads=threads is None,
        on_progress=on_progress,
    )
    return PreparedRun(
        lesson=lesson,
        findings=findings,
        trainer=trainer,
        folder=run,
        settings={
            "rows": {name.replace(" ", "_"): told for name, told in rows.items()},
            "run": {
                "model": start.files.name,
                "teacher": teaching.files.name if teaching else None,
                "device": str(placement.device),
                "threads": torch.get_num_threads(),
            },
            "start": build,
            "learning": asdict(options),
            "teacher": taught,
        },
        base_model=start.files.name,
        base_model_id=public_id(start.files),
        teacher=teaching.files.name if teaching else None,
        max_length=max_length,
        device=device,
        bytes_to_keep=bytes_to_keep,
        reads_once=reads_once,
        asked_once=asked_once,
    )
