"""A whole run in one call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from distilcli.training.fitted_head import FittedHead
from distilcli.training.init_model import StartingPoint
from distilcli.training.loop import Progress
from distilcli.training.objectives import AnyObjective
from distilcli.training.options import TrainingOptions
from distilcli.training.plan import RunPlan
from distilcli.training.run import PreparedRun


def prepared(
    start: StartingPoint,
    objective: AnyObjective,
    *,
    options: TrainingOptions,
    folder: Path,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_pass: Callable[[str, int, int], None] = lambda _who, _done, _all: None,
    on_fit: Callable[[FittedHead], None] = lambda _: None,
    dry_run: bool = False,
    **settings: Any,
) -> PreparedRun:
    """Return a run that can begin."""
    plan = RunPlan(start=start, objective=objective, training=options, folder=folder, **settings)
    return PreparedRun(
        plan, on_progress=on_progress, on_pass=on_pass, on_fit=on_fit, dry_run=dry_run
    )


def finetune(
    start: StartingPoint,
    objective: AnyObjective,
    *,
    resume: bool = False,
    force: bool = False,
    **settings: Any,
) -> dict[str, Any]:
    """Prepare a run and train; return its summary."""
    return prepared(start, objective, **settings).train(resume=resume, force=force)
