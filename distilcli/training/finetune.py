"""From a lesson and a model's files to a trained model in a run folder."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from distilcli.checkpoint.config import read_config
from distilcli.checkpoint.folder import ModelFiles
from distilcli.errors import UsageError
from distilcli.model.device import place
from distilcli.model.heads import TaskModel
from distilcli.model.keys import PREFIX
from distilcli.model.loading import build_model, check_tokenizer, fill
from distilcli.model.precision import choose_training_dtype
from distilcli.model.reading import read_weights
from distilcli.model.saving import tokenizer_files
from distilcli.model.structure import Growth, fold_token_types, prune_heads, resize_positions
from distilcli.tasks.settings import usable_length
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.training.lessons.embed import EmbedLesson
from distilcli.training.lessons.lesson import Lesson
from distilcli.training.loop import Progress, Trainer
from distilcli.training.options import TrainingOptions
from distilcli.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True, slots=True)
class StartingPoint:
    """What a run starts from.

    `fold` turns a BERT encoder into the DistilBERT that gives the same hidden states.
    `positions` is how many tokens the model is to read, new positions made as `growth` says;
    `pruned_heads` are attention heads, by layer, that it loses.
    `max_length` counts tokens, specials included; None takes the limit of the model and its
    tokenizer, above which it cannot go.
    """

    files: ModelFiles
    fold: bool = False
    max_length: int | None = None
    positions: int | None = None
    growth: Growth = "copy"
    pruned_heads: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def labels(self) -> tuple[str, ...]:
        """Return the labels of the head that the checkpoint has, none if it has no head."""
        return read_config(self.files.config_path).labels


def finetune(
    start: StartingPoint,
    lesson: Lesson,
    *,
    options: TrainingOptions,
    folder: Path,
    device: str = "auto",
    threads: int | None = None,
    resume: bool = False,
    force: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Train a model on a lesson and leave the best one in `folder`; return the run's summary.

    The best is the one with the best score on the rows to validate on.
    `threads` are the CPU's, all cores if None. Raises `ModelError` for a model that
    cannot be started from, `InputError` for examples that cannot be learned, `UsageError` for a
    folder that is taken or a run that cannot be resumed.
    """
    if folder.resolve() == start.files.folder.resolve():
        raise UsageError(
            f"{folder}: is the model to start from, which the run would overwrite; "
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
        "model": _model_digest(start.files),
        "fold": start.fold,
        "max_length": max_length,
        "positions": model.config.max_position_embeddings,
        "growth": start.growth,
        "pruned_heads": [[layer, *heads] for layer, heads in model.config.pruned_heads.items()],
        "task": lesson.task,
        **lesson.digests(),
        **asdict(options),
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
    state = run.load_state() if resume else None
    if state is None:
        run.create(force=force)
    trainer = Trainer(
        model,
        lesson.objective(model, tokenizer, max_length=max_length),
        options=options,
        device=placement.device,
        run=run,
        on_progress=on_progress,
    )
    if state is not None:
        trainer.resume(state)
    return trainer.train()


def start_model(start: StartingPoint, lesson: Lesson) -> TaskModel:
    """Build the model of a lesson on the encoder of `start`, resized and pruned.

    Its head is drawn at random, unless the checkpoint has one of the kind that was trained for
    the same labels in the same order.
    """
    config, weights = read_config(start.files.config_path), read_weights(start.files)
    if start.fold:
        config, weights = fold_token_types(config, weights)
    trained_for = config.labels
    config = lesson.configure(config)
    model = build_model(lesson.head, config, source=start.files.name)
    fresh = {
        key: value
        for key, value in model.state_dict().items()
        if not key.startswith(PREFIX) or ".pooler." in key
    }
    shapes = {key: value.shape for key, value in fresh.items() if not key.startswith(PREFIX)}
    has_head = all(key in weights and weights[key].shape == shapes[key] for key in shapes)
    keeps_head = has_head and trained_for == config.labels and not start.fold
    given = {key: value for key, value in weights.items() if keeps_head or key.startswith(PREFIX)}
    fill(model, {**fresh, **given}, source=start.files.name)
    if start.positions is not None:
        resize_positions(model, start.positions, start.growth)
    prune_heads(model, start.pruned_heads)
    return model


def _model_digest(files: ModelFiles) -> str:
    """Tell a model by what it holds: a folder may move, and another model take its name."""
    digest = hashlib.sha256()
    for path in (files.config_path, *files.weight_files, *tokenizer_files(files)):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
