"""What a training run says: how far it is, its evaluations, what it found, and how it ended."""

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from distilcli.console import Console
from distilcli.console.progress import live_bar, watched
from distilcli.console.summary import expected_cost
from distilcli.training.data_checks import Finding, finding_lines
from distilcli.training.run_files import scores_of
from distilcli.wording import count

if TYPE_CHECKING:
    from distilcli.rows.shard import Shard
    from distilcli.training.dry_run import TrainingEstimate
    from distilcli.training.fitted_head import FittedHead
    from distilcli.training.loop import Progress

_LARGE_CACHE = 1e9


class TrainingView:
    """Follows a training run, which calls `on_progress` and `on_pass`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._latest: Progress | None = None
        self._noted = 0
        self._began: tuple[float, int, int] | None = None  # seconds, steps and tokens
        self._pass: tuple[str, int, int] | None = None
        self._last = 0.0, -1  # seconds and step of the last call
        self._evaluated = 0, 0.0  # how often, and the seconds that it took

    def on_progress(self, progress: "Progress") -> None:
        """Take in a step; a new evaluation is noted on stderr, for people and for logs."""
        now = time.monotonic()
        if self._began is None:
            self._began = now, progress.step, progress.tokens
        elif progress.step == self._last[1]:  # the time since the step went into an evaluation
            times, seconds = self._evaluated
            self._evaluated = times + 1, seconds + now - self._last[0]
        self._last = now, progress.step
        self._latest, self._pass = progress, None
        if len(progress.history) > self._noted:
            self._noted, entry = len(progress.history), progress.history[-1]
            if not progress.total_steps:
                return  # no training follows; the last note gives the score
            best = ", the best so far" if entry["best"] else ""
            loss = f"loss {entry['train_loss']:.3f}, " if entry["step"] else ""
            self._console.note(
                f"step {entry['step']:,} of {progress.total_steps:,}: {loss}"
                f"{', '.join(_scores(entry))}{best}"
            )

    def on_fit(self, fitted: "FittedHead") -> None:
        """Note how the head was fitted."""
        found = fitted.fit
        name = found.score_name.replace("_", " ")
        validated = (
            "too few rows for cross-validation"
            if found.score is None
            else f"{name} {found.score:.4f} in {found.folds}-fold cross-validation"
        )
        self._console.note(
            f"head fitted to {count(fitted.rows, 'row')}: {validated}, regularization {found.l2:g}"
        )

    def on_pass(self, who: str, done: int, total: int) -> None:
        """Take in how many rows the teacher or the encoder has read ahead of the first step."""
        self._pass = who, done, total

    def share_done(self) -> float:
        """Return how much of the run, or of a pass over its rows, is done."""
        if self._pass is not None:
            return self._pass[1] / self._pass[2]
        return self._latest.step / self._latest.total_steps if self._latest else 0.0

    def text(self) -> str:
        """Return step, loss, latest score, tokens per second and the time left."""
        if self._pass is not None:
            who, done, total = self._pass
            return f"{who} reads  {done:,}/{total:,}"
        if self._latest is None or self._began is None:
            return "reading"
        progress, (began, first_step, first_tokens) = self._latest, self._began
        parts = [f"step {progress.step:,}/{progress.total_steps:,}", f"loss {progress.loss:.3f}"]
        if progress.history:
            parts += _scores(progress.history[-1])[:1]
        seconds, steps = time.monotonic() - began, progress.step - first_step
        if steps:
            rate = (progress.tokens - first_tokens) / seconds
            parts += [
                f"{rate:,.0f} tokens/s",
                f"{_clock(self._left(progress, steps, seconds))} left",
            ]
        return "  ".join(parts)

    def _left(self, progress: "Progress", steps: int, seconds: float) -> float:
        """Return the seconds left for steps, and for evaluations, which are long but few."""
        times, evaluating = self._evaluated
        learning = (progress.total_steps - progress.step) * (seconds - evaluating) / steps
        coming = progress.total_evaluations - sum(1 for each in progress.history if each["step"])
        return learning + (max(0, coming) * evaluating / times if times else 0.0)


@contextmanager
def training_view(console: Console) -> Iterator[TrainingView]:
    """Show the progress of a training run."""
    view = TrainingView(console)
    with live_bar(view.text, view.share_done, name="training", shown=watched(console)):
        yield view


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Warn of faults in the training rows."""
    console.note(*finding_lines(findings))


def show_cache(console: Console, size: int) -> None:
    """Say how much disk the teacher's answers will take, if it is much."""
    if size > _LARGE_CACHE:
        console.note(f"the teacher's answers will take about {size / 1e9:,.1f} GB in the cache")


def show_cached(console: Console, folder: str | None, shard: "Shard | None") -> None:
    """Say that the teacher's outputs are in the cache, and how to train with them."""
    rows = "" if shard is None else f" for shard {shard}"
    console.note(
        f"the teacher's outputs{rows} are in {folder}; the same command without `cache_only` trains"
    )


def show_training_estimate(console: Console, expected: "TrainingEstimate") -> None:
    """Say what a training run would take."""
    counts = [
        count(expected.steps, "step")
        if expected.steps
        else "the head is fitted without training steps",
        count(expected.tokens, "token"),
        count(expected.evaluations, "evaluation"),
    ]
    console.note("; ".join([*counts, *expected_cost(expected)]))
    console.note(
        f"the time is extrapolated from {count(expected.timed_steps, 'step')} measured just now"
    )


def show_training(
    console: Console, best: Mapping[str, float], steps: int, folder: str, *, command: str
) -> None:
    """Say how good the model in `folder` is, and how to use it."""
    scores = ", ".join(_scores(best))
    after = f"best {scores} after {best['step']:,} of {count(steps, 'step')}"
    console.note(
        after if steps else f"{scores} on the validation rows",
        f"the model is in {folder}; try: distil {command} FILE -m {folder}",
    )


def show_advice(console: Console, reason: str, command: Sequence[str]) -> None:
    """Say why another run would help, and its command line."""
    console.note(f"{reason}; try: {shlex.join(command)}")


def show_interrupted(console: Console, folder: str, *, can_resume: bool, forced: bool) -> None:
    """Say how to go on after a training run was interrupted."""
    instead = " instead of `force`" if forced else ""
    resume = f"repeat the command with `resume`{instead} to go on"
    console.warn(f"interrupted; {folder}: {resume if can_resume else 'nothing is saved yet'}")


def _scores(entry: Mapping[str, float]) -> list[str]:
    return [f"{name.replace('_', ' ')} {value:.4f}" for name, value in scores_of(entry).items()]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
