"""`finetune`: from rows and an initial model to a trained model in a run folder."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from distilcli import processes
from distilcli.checkpoint.sentence_transformers import MODULES_NAME, read_recipe
from distilcli.evaluation.results.classify import ClassifyResults
from distilcli.gold.fingerprints import row_keys
from distilcli.interrupt import deferred_interrupt
from distilcli.model.device import place
from distilcli.model.heads import FirstTokenModel, SequenceClassifier, TaskModel
from distilcli.model.loading import check_tokenizer
from distilcli.model.surgery import grow_vocabulary
from distilcli.pictures import check_plot
from distilcli.rows.data import Data
from distilcli.rows.shard import Shard
from distilcli.tasks.settings import usable_length
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.training import distributed
from distilcli.training.advice import Advice, advise
from distilcli.training.config_toml import config_toml
from distilcli.training.data_checks import check_data
from distilcli.training.distill.loss import Distillation
from distilcli.training.distill.setup import add_teacher
from distilcli.training.distill.teacher import AnyTeacher
from distilcli.training.distill.teacher_cache import CachedTeacher
from distilcli.training.dry_run import TrainingEstimate, estimate
from distilcli.training.fitted_head import FittedHead, fit_head
from distilcli.training.frozen_features import cache_features
from distilcli.training.init_model import StartingPoint, start_model
from distilcli.training.loop import Progress, Summary, Trainer
from distilcli.training.new_tokens import add_tokens
from distilcli.training.objectives.base import AnyTrainable
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.objectives.whole_texts import TextObjective
from distilcli.training.plan import RunPlan, plan_run
from distilcli.training.report.distillation import TeachingRecord, measure_teaching
from distilcli.training.report.model_card import model_card
from distilcli.training.report.outcome import draw, measure_best, record_of
from distilcli.training.run_files import check_folder
from distilcli.training.run_folder import RunFolder
from distilcli.training.run_options import RunOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from distilcli.training.run_options import FinetuneOptions

OnPass = Callable[[str, int, int], None]

_ROWS_TO_BEGIN_WITH = 20_000  # whose head is fitted before training: more would not help


def finetune(
    files: Data,
    output: str | Path,
    *,
    task: str = "classify",
    device: str = "auto",
    threads: int | None = None,
    offline: bool = False,
    resume: bool = False,
    force: bool = False,
    plot: str | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    **options: "Unpack[FinetuneOptions]",
) -> Summary:
    """Train a model on rows and keep the best one in the folder `output`; return a summary.

    `files` and the option `valid` are paths, or rows as mappings from column to value.
    `options` are the settings of `distil finetune` by their names, such as `epochs=1`. The run
    continues an interrupted one with `resume`, and replaces what is in the folder with `force`.
    In a program that `torchrun` has started several times, all processes share the run.

    Raises `UsageError` for settings that make no sense, `InputError` for rows that cannot be
    learned from, `ModelError` for a model that cannot be trained, `ResourceError` if memory, disk
    or device do not suffice.
    """
    run_options = RunOptions.of(task, {**options, "files": files})
    folder = Path(output)
    if processes.is_first():
        check_folder(folder, resume=resume, force=force)
    if plot is not None and processes.is_first():
        check_plot(plot, force=force or resume, made=str(folder))
    plan = plan_run(
        run_options, run_options.data.open(), run_options.locate(offline=offline), folder,
        device=device, threads=threads,
    )  # fmt: skip
    return PreparedRun(plan, on_progress=on_progress).train(resume=resume, force=force, plot=plot)


class PreparedRun:
    """A run that can begin: everything is loaded and checked, and nothing is written.

    `findings` are the faults of the rows. `bytes_to_keep` estimates the disk space for the
    teacher's outputs. In a `dry_run`, passes over the rows ahead of the first step are skipped,
    and only `estimate` makes sense. During such a pass `on_pass` gets its reader ("the teacher"),
    the number of rows done, and the number of all rows.
    """

    def __init__(
        self,
        plan: RunPlan,
        *,
        on_progress: Callable[[Progress], None] = lambda _: None,
        on_pass: OnPass = lambda _who, _done, _all: None,
        on_fit: Callable[[FittedHead], None] = lambda _: None,
        dry_run: bool = False,
    ) -> None:
        """Raise `ModelError`, `InputError`, `UsageError` or `ResourceError` for what is wrong."""
        distributed.join()
        self.plan = plan
        self._on_pass, self._on_fit = on_pass, on_fit
        self._dry_run = dry_run
        self.bytes_to_keep = 0
        self._changed_files: dict[str, object] = {}
        self._cached_teacher: AnyTeacher | None = None
        if plan.threads is not None:
            torch.set_num_threads(plan.threads)
        # Seeded before the head is drawn: a run is a function of its options and its data.
        torch.manual_seed(plan.training.seed)
        model = self._load_model()
        self._describe(model)
        self.findings = check_data(plan.objective, self._tokenizer, max_length=self._max_length)
        self._objective = plan.objective.prepare(
            model, self._tokenizer, max_length=self._max_length
        )
        trainable, projection = self._add_teacher()
        self._reads_once = self._fits_head or self._cache_features(model)
        self.trainer = Trainer(
            model,
            trainable,
            options=self._training,
            device=self._device,
            run=self.folder,
            projection=projection,
            keeps_threads=plan.threads is None,
            on_progress=on_progress,
        )

    def _load_model(self) -> TaskModel:
        start = self.plan.start
        objective, training = self.plan.objective, self.plan.training
        reads_texts = isinstance(objective, TextObjective) and self.plan.teacher is None
        is_frozen = training.freeze == "encoder"
        started = start_model(
            start, objective, averages=reads_texts and _averages(start, is_frozen=is_frozen)
        )
        model = started.model
        self._fits_head = reads_texts and is_frozen and not objective.varies
        self._begins_fitted = reads_texts and not is_frozen and not started.keeps_head
        self._training = training.for_width(model.config.dim)
        if reads_texts:
            self._training = self._training.for_rows(objective.count(objective.train))
        if start.tokens:
            added = add_tokens(start.files, start.tokens, max_length=start.positions)
            grow_vocabulary(model, added.first, added.pieces)
            self._tokenizer, self._changed_files = added.tokenizer, added.files
        else:
            self._tokenizer = load_tokenizer(start.files)
        check_tokenizer(self._tokenizer, model.config, source=start.files.name)
        self._max_length = usable_length(
            start.max_length,
            # The tokenizer's files do not know of positions that were added.
            start.positions or self._tokenizer.max_length,
            model.config.max_position_embeddings,
        )
        device = distributed.own_device(self.plan.device)
        self._device = place(model, device, vocab_size=model.config.vocab_size).device
        return model

    def _describe(self, model: TaskModel) -> None:
        """Collect the settings for the run folder, and those that a resumed run must share."""
        plan, config = self.plan, model.config
        build = {
            **plan.start.fingerprint(),
            "max_length": self._max_length,
            "positions": config.max_position_embeddings,
            "pruned_heads": [[layer, *heads] for layer, heads in config.pruned_heads.items()],
        }
        teacher = plan.teacher.fingerprint() if plan.teacher else {}
        rows = {"task": plan.objective.task, **plan.objective.digests()}
        learning = asdict(self._training)
        fingerprint = {**build, **rows, **learning, **teacher}
        distributed.check_same({**fingerprint, "device": self._device.type})
        self.folder = RunFolder(
            plan.folder,
            fingerprint=fingerprint,
            tokenizer_files=plan.start.files.tokenizer_files,
            max_length=plan.start.positions,
            companions={
                **plan.objective.companions(dim=config.dim, max_length=self._max_length),
                **self._changed_files,
            },
        )
        self._settings = {
            **({"settings": plan.given} if plan.given else {}),
            **({"read": plan.read} if plan.read else {}),
            "rows": {name.replace(" ", "_"): value for name, value in rows.items()},
            "run": {
                "model": plan.start.files.name,
                "teacher": plan.teacher.name if plan.teacher else None,
                "device": str(self._device),
                "threads": torch.get_num_threads(),
                "processes": distributed.count(),
            },
            "start": build,
            "learning": learning,
            "teacher": teacher,
        }

    def _add_teacher(self) -> tuple[AnyTrainable, torch.nn.Module | None]:
        """Return what is trained, with a teacher if there is one, and its projection."""
        if self.plan.teacher is None:
            return self._objective, None
        distillation = add_teacher(
            self.plan.teacher,
            self._objective,
            seed=self._training.seed,
            epochs=self._training.passes,
            device=self._device,
            on_pass=partial(self._on_pass, "the teacher"),
            dry_run=self._dry_run,
        )
        self.bytes_to_keep = distillation.teacher.bytes_to_keep
        if self._dry_run and self.bytes_to_keep and not self._objective.varies:
            self._cached_teacher = distillation.teacher
        return distillation, distillation.projection

    def _measure_teaching(self, best: ClassifyResults | None) -> TeachingRecord | None:
        """Compare the student with its teacher, if there is one."""
        trained = self.trainer.objective
        if not isinstance(trained, Distillation) or self.plan.teacher is None:
            return None
        return measure_teaching(
            self.plan.teacher,
            self._objective,
            trained.teacher.objective,
            best,
            device=self._device,
        )

    def _cache_features(self, model: TaskModel) -> bool:
        """Run a frozen encoder once over all rows; return False if once is not enough."""
        # A teacher compares layers, and examples that vary are other sequences in every epoch.
        is_fixed = self.plan.teacher is None and not self._objective.varies
        is_frozen = self._training.freeze == "encoder"
        if not (is_frozen and is_fixed and isinstance(model, FirstTokenModel)):
            return False
        if not self._dry_run:
            on_pass = partial(self._on_pass, "the encoder")
            cache_features(model, self._objective, self._device, on_pass=on_pass)
        return True

    def _train(self, *, resume: bool) -> Summary:
        """Train by steps, from a fitted head where that helps; a frozen encoder needs no more."""
        if self._fits_head:
            self._fit_head()
            return self.trainer.finish_without_steps()
        if self._begins_fitted and not resume:
            self._fit_head(most_rows=_ROWS_TO_BEGIN_WITH)
            self.trainer.evaluate()
        return self.trainer.train()

    def _fit_head(self, *, most_rows: int | None = None) -> None:
        """Fit the head to the training rows."""
        objective, model = self._objective, self.trainer.model
        assert isinstance(objective, TextObjective)  # noqa: S101
        assert isinstance(model, SequenceClassifier)  # noqa: S101
        with deferred_interrupt():
            fitted = fit_head(
                model,
                objective,
                self._device,
                seed=self._training.seed,
                most_rows=most_rows,
                on_pass=partial(self._on_pass, "the encoder"),
            )
        self._on_fit(fitted)

    def fill_cache(self, shard: Shard | None = None) -> None:
        """Write the teacher's outputs for a shard of the training rows, and nothing else."""
        trained = self.trainer.objective
        assert isinstance(trained, Distillation)  # noqa: S101
        assert isinstance(trained.teacher, CachedTeacher)  # noqa: S101
        epochs = self._training.passes if self._objective.varies else 1
        with (
            deferred_interrupt(patience=None),
            distributed.translated_errors(),
            self.trainer.autocast(),
        ):
            for epoch in range(epochs):
                trained.teacher.fill(epoch, shard)

    def estimate(self) -> TrainingEstimate:
        """Return the expected cost of the run, which cannot begin afterwards."""
        objective = self.plan.objective
        rows = (objective.train, objective.valid)
        train, valid = (len(objective.checked(part, "").texts) for part in rows)
        return estimate(
            self.trainer,
            valid_share=valid / train,
            reads_once=self._reads_once,
            fits_head=self._fits_head,
            cached_teacher=self._cached_teacher,
        )

    def advice(self) -> Advice | None:
        """Return what would make the next run better, after this one has ended."""
        objective = self.plan.objective
        gold = objective.valid.labels if isinstance(objective, ClassifyObjective) else ()
        return advise(
            self.trainer.history,
            epochs=self._training.passes,
            frozen=self._training.freeze == "encoder",
            gold=gold,
        )

    def train(
        self,
        *,
        resume: bool = False,
        force: bool = False,
        plot: str | None = None,
        command: Sequence[str] = (),
    ) -> Summary:
        """Train, leave the best model in the folder, and return the summary of the run.

        The best model has the best score on the validation rows. `command` is the command line,
        for the card. Raises `UsageError` if the folder is not empty or the run cannot be resumed.
        """
        if not distributed.is_first():
            return self._help(resume=resume)
        if resume:
            self._continue(self.folder.load_state())
        else:
            self.folder.create(force=force)
        try:
            return self._run(resume=resume, plot=plot, command=command)
        except BaseException:
            self.folder.clear_if_useless()
            raise

    def _continue(self, state: dict[str, Any] | None) -> None:
        """Continue from a saved state; it comes from the first process."""
        given = distributed.of_first(state)
        assert given is not None  # noqa: S101
        self.trainer.resume(given)

    def _help(self, *, resume: bool) -> Summary:
        """Train with the first process, which writes what the run leaves."""
        with deferred_interrupt(patience=None), distributed.translated_errors():
            if resume:
                self._continue(None)
            summary = self._train(resume=resume)
        distributed.leave()
        return summary

    def _run(self, *, resume: bool, plot: str | None, command: Sequence[str]) -> Summary:
        plan = self.plan
        self.folder.save_config(config_toml(self._settings, command=command))
        rows = plan.objective.checked(plan.objective.train, "")
        self.folder.save_row_keys(row_keys(rows.texts, rows.pairs))
        length = self._max_length
        with deferred_interrupt(patience=None):
            with distributed.translated_errors():
                summary = self._train(resume=resume)
            distributed.leave()
            best = measure_best(plan.objective, plan.folder, max_length=length, device=plan.device)
            teaching = self._measure_teaching(best)
        record = record_of(
            plan, self.trainer, summary, best,
            teaching=teaching, max_length=length, command=command,
        )  # fmt: skip
        self.folder.finish(summary, card=model_card(record))
        if plot is not None:
            draw(plot, record.name, self.trainer.history, best)
        return summary


def _averages(start: StartingPoint, *, is_frozen: bool) -> bool:
    """Say whether a head of texts should read the mean of the tokens.

    It should where the base model makes its vectors that way; a model that is no embedder can
    learn to read the first token, unless it is frozen.
    """
    folder = start.files.folder
    is_embedder = (folder / MODULES_NAME).is_file()
    return (is_embedder or is_frozen) and read_recipe(folder).pooling == ("mean",)
