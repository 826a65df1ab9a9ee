"""The training loop: steps, evaluations, the best model, and a state that resumes exactly.

A step sums the gradients of `accumulate` batches, clips them, and applies AdamW. The whole state is
saved in one file after every evaluation, on interruption, and every few minutes; on the CPU a
resumed run ends with the same bits as an uninterrupted one. Several processes (`distributed`) each
read a part of every batch, take the same step, and share the validation rows; the first one saves.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from distilcli.engine.batching import Batch, pad
from distilcli.errors import InputError, RowError, UsageError
from distilcli.interrupt import Interrupted, deferred_interrupt
from distilcli.memory import FreeMemory
from distilcli.model.heads import TaskModel
from distilcli.model.precision import choose_training_dtype
from distilcli.training import distributed
from distilcli.training.batches import StepPlan
from distilcli.training.freezing import freeze, set_dropout
from distilcli.training.objectives.base import AnyTrainable, Example
from distilcli.training.optimizer import (
    SCHEDULES,
    WeightAverage,
    build_optimizer,
    set_learning_rate,
)
from distilcli.training.options import TrainingOptions
from distilcli.training.run_folder import RunFolder

_SECONDS_BETWEEN_SAVES = 300


@dataclass(slots=True)
class Progress:
    """How far a run is; passed to the caller after every step and every evaluation."""

    step: int = 0
    total_steps: int = 0
    total_evaluations: int = 0
    epoch: int = 0
    loss: float = 0.0  # the mean of the steps since the last evaluation
    tokens: int = 0
    best: float | None = None
    evaluations_since_best: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class Summary(TypedDict):
    """What a run reports at its end; `best` is the line of metrics.jsonl of the saved model."""

    steps: int
    epochs: int
    tokens: int
    metric: str
    best: dict[str, float]
    device: str
    precision: str
    options: dict[str, object]


class Trainer:
    """Trains one model on one objective."""

    def __init__(
        self,
        model: TaskModel,
        objective: AnyTrainable,
        *,
        options: TrainingOptions,
        device: torch.device,
        run: RunFolder,
        projection: nn.Module | None = None,
        keeps_threads: bool = True,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        """Raise `InputError` without rows, `ResourceError` for a precision that is unavailable.

        `projection` learns with the model, only for the loss. If it `keeps_threads`, a resumed run
        has as many threads as it began with: sums depend on their number.
        """
        if not objective.sizes:
            raise InputError("there are no training rows")
        torch.manual_seed(options.seed)
        self.model = model.to(device)
        self.projection = projection.to(device) if projection is not None else None
        self.objective = objective
        self.options = options
        self._device = device
        self._run = run
        self._keeps_threads = keeps_threads
        self._on_progress = on_progress
        is_bf16 = choose_training_dtype(options.precision, device) is torch.bfloat16
        self._precision = distributed.of_first("bf16" if is_bf16 else "fp32")
        self._peak_rate = options.for_width(model.config.dim).learning_rate or 0.0
        freeze(model, options.freeze)
        if options.dropout is not None:
            set_dropout(model, options.dropout)
        model.distilbert.transformer.gradient_checkpointing = options.gradient_checkpointing
        self._batch_loss = distributed.replicated(
            _BatchLoss(self), reaches_all=objective.reaches_head
        )
        self._optimizer = build_optimizer(
            model,
            learning_rate=self._peak_rate,
            weight_decay=options.weight_decay,
            layer_decay=options.layer_decay,
            projection=self.projection,
        )
        self._average = WeightAverage(model, options.average) if options.average else None
        self.steps = StepPlan(objective.sizes, options, objective.row_weights)
        self._progress = Progress(
            total_steps=self.steps.total, total_evaluations=self.steps.evaluations
        )
        self._free_memory = FreeMemory()
        self._began = self._saved_at = time.monotonic()

    def train(self) -> Summary:
        """Run to the last step or to early stopping; return the summary of the run.

        An interrupt (Ctrl-C) waits for the end of the step (before the first one, of the batch; in
        an evaluation, of a batch), saves the state, and is then raised as KeyboardInterrupt; a
        second one is raised at once. In `distil` that holds for other signals that end it too.
        """
        self.model.train()
        with deferred_interrupt(patience=None):
            try:
                with distributed.translated_errors():
                    self._take_steps()
            except (Interrupted, distributed.ProcessLostError):
                self._save_state()
                raise
        return self._summary()

    def finish_without_steps(self) -> Summary:
        """Evaluate and keep the model as it is, because its head was fitted; return the summary."""
        self._progress.total_steps = 0
        self.evaluate()
        return self._summary()

    def _take_steps(self) -> None:
        if self._is_unevaluated():  # interrupted in that evaluation
            self.evaluate()
        if self._should_stop():  # killed after the last evaluation
            return
        for epoch, batches in self.steps.after(self._progress.step):
            self._progress.epoch = epoch
            self.step(batches)
            self._free_memory.after_step()
            if self.steps.is_evaluated(self._progress.step):
                self.evaluate()
                if self._should_stop():
                    return
            elif time.monotonic() - self._saved_at > _SECONDS_BETWEEN_SAVES:
                self._save_state()
            distributed.stop_if_any_is_asked()

    def _is_unevaluated(self) -> bool:
        progress = self._progress
        last = progress.history[-1]["step"] if progress.history else 0
        return last < progress.step and self.steps.is_evaluated(progress.step)

    @property
    def history(self) -> list[dict[str, float]]:
        """The evaluations so far, as metrics.jsonl has them."""
        return self._progress.history

    @property
    def seconds(self) -> float:
        """How long the run has taken, including the time before it was resumed."""
        return time.monotonic() - self._began

    def resume(self, state: dict[str, Any]) -> None:
        """Continue from `state`, as saved in the run folder."""
        self.model.load_state_dict(state["model"])
        if self.projection is not None:
            self.projection.load_state_dict(state["projection"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._average is not None:
            for name, weight in state["average"].items():
                self._average.weights[name] = weight.to(self._device)
        self._progress = Progress(**state["progress"])
        self._precision = state["precision"]  # auto may choose another one today
        if self._keeps_threads and state.get("processes", 1) == distributed.count():
            torch.set_num_threads(state["threads"])
        torch.set_rng_state(state["rng"])
        # A state saved on the CPU has none: CUDA continues from the run's seed.
        if self._device.type == "cuda" and "cuda_rng" in state:
            torch.cuda.set_rng_state(state["cuda_rng"], self._device)
        self._began -= state.get("seconds", 0.0)

    def step(self, batches: list[list[int]]) -> None:
        """Train on the examples at these indices, a list for each batch of the step."""
        options, progress = self.options, self._progress
        share = SCHEDULES[options.schedule](
            progress.step,
            total=progress.total_steps,
            warmup=max(1, round(options.warmup * progress.total_steps)),
        )
        set_learning_rate(self._optimizer, share)
        distributed.seed_step(options.seed, progress.step)
        with distributed.divided(batches) as own:
            loss, tokens = self._backward(own)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters(), options.clip)
        if not (math.isfinite(loss) and norm.isfinite()):
            raise self._diverged("the loss or its gradient", progress.step + 1)
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._average is not None:
            self._average.update(progress.step + 1)
        progress.step += 1
        progress.tokens += tokens
        since = progress.step - (progress.history[-1]["step"] if progress.history else 0)
        progress.loss += (loss - progress.loss) / since
        self._on_progress(progress)

    def _backward(self, batches: Sequence[Sequence[int]]) -> tuple[float, int]:
        """Leave the gradients of a step in the parameters; return its loss and its tokens.

        The loss is the mean over the units of the step, in whichever processes they are.
        """
        objective = self.objective
        indices = [index for batch in batches for index in batch]
        examples = objective.examples(indices, epoch=self._progress.epoch)
        (units,) = distributed.summed(sum(map(objective.units, examples)))
        # Gradients are averaged over the processes, so each loss counts as often as there are.
        divisor = max(1, units) / distributed.parts()
        left = iter(examples)
        loss, tokens = 0.0, 0
        for number, size in enumerate(map(len, batches), 1):
            rows = list(islice(left, size))
            batch = self._collate(rows)
            waits = number < len(batches)
            with distributed.gradients_kept(self._batch_loss, until_last=waits):
                part = self._batch_loss(batch, rows) / divisor
                part.backward()
            loss += part.item()
            tokens += sum(map(len, batch.pieces))
        loss, read = distributed.summed(loss / distributed.parts(), tokens)
        return loss, int(read)

    def evaluate(self) -> None:
        """Score the model, keep it if it is the best so far, and save the state."""
        with self._average.in_model() if self._average else nullcontext():
            self._take_scores(self._scores())
        self._save_state()
        self._on_progress(self._progress)

    def _take_scores(self, scores: dict[str, float]) -> None:
        """Record an evaluation, and save the model if it is the best so far."""
        progress, metric = self._progress, self.objective.metric
        score = scores[metric.name]
        # A model that was trained is preferred to an equally good fitted head.
        is_only_fitted = len(progress.history) == 1 and progress.history[0]["step"] == 0
        better = metric.is_better(score, progress.best) or (
            is_only_fitted and score == progress.best
        )
        progress.history.append(
            {
                "step": progress.step,
                "epoch": progress.epoch + 1 if progress.step else 0,
                "train_loss": round(progress.loss, 6),
                **{name: round(value, 6) for name, value in scores.items()},
                "best": better,
            }
        )
        progress.loss = 0.0
        if better:
            progress.best = score
            progress.evaluations_since_best = 0
            if distributed.is_first():
                self._run.save_best(self.model)
        else:
            progress.evaluations_since_best += 1

    def _scores(self) -> dict[str, float]:
        self.model.eval()
        try:
            return self.objective.scores(self._device)
        except RowError:  # rows were checked before: it is the model's fault
            raise self._diverged("a score", self._progress.step) from None
        finally:
            self.model.train()

    def _parameters(self) -> list[nn.Parameter]:
        modules = [self.model, *([self.projection] if self.projection is not None else [])]
        return [parameter for module in modules for parameter in module.parameters()]

    def _diverged(self, what: str, step: int) -> UsageError:
        return UsageError(
            f"step {step}: {what} is no longer a number; the learning rate of {self._peak_rate:g} "
            "is too high: start over with a lower `learning_rate` and `force`"
        )

    def _should_stop(self) -> bool:
        patience = self.options.early_stopping
        return patience is not None and self._progress.evaluations_since_best >= patience

    def _collate(self, examples: list[Example]) -> Batch:
        return pad(
            [piece for example in examples for piece in example.pieces],
            pad_token_id=self.model.config.pad_token_id,
            device=self._device,
        )

    def autocast(self) -> torch.autocast:
        """Return the context in which the model computes."""
        enabled = self._precision == "bf16"
        return torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=enabled)

    def _save_state(self) -> None:
        if not distributed.is_first():
            return
        state = {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average and self._average.weights,
            "progress": asdict(self._progress),
            "projection": None if self.projection is None else self.projection.state_dict(),
            "rng": torch.get_rng_state(),
            "precision": self._precision,
            "threads": torch.get_num_threads(),
            "processes": distributed.count(),
            "seconds": self.seconds,
        }
        if self._device.type == "cuda":
            state["cuda_rng"] = torch.cuda.get_rng_state(self._device)
        self._run.save_state(state, self._progress.history)
        self._free_memory.give_back()
        self._saved_at = time.monotonic()

    def _summary(self) -> Summary:
        progress = self._progress
        best = next(entry for entry in reversed(progress.history) if entry["best"])
        return {
            "steps": progress.step,
            "epochs": progress.epoch + 1 if progress.step else 0,
            "tokens": progress.tokens,
            "metric": self.objective.metric.name,
            "best": best,
            "device": str(self._device),
            "precision": self._precision,
            "options": asdict(self.options),
        }


class _BatchLoss(nn.Module):
    """The loss of a batch as a module of everything that learns."""

    def __init__(self, trainer: Trainer) -> None:
        super().__init__()
        self._trainer = trainer
        self.model, self.projection = trainer.model, trainer.projection

    def forward(self, batch: Batch, examples: list[Example]) -> Tensor:
        """Return the loss summed over the units of the examples, a scalar."""
        objective = self._trainer.objective
        with self._trainer.autocast():
            outputs = objective.outputs(self.model, batch, examples)
        return objective.loss(outputs, examples)
