"""`distil finetune`: train a model on labelled rows."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from distilcli import processes
from distilcli.commands._declare import GivenOptions, opt, options
from distilcli.commands._file_run import write_report
from distilcli.commands._finetune_options import (
    OPTION_TYPES,
    CacheOnly,
    RunOutput,
    run_settings,
    with_setting,
)
from distilcli.commands._option_groups import Report
from distilcli.tasks.spec import TaskName
from distilcli.training.options import (
    DataOptions,
    DistillationOptions,
    ObjectiveOptions,
    StartOptions,
    TeacherOptions,
    TrainingOptions,
)

if TYPE_CHECKING:
    from distilcli.console import Console
    from distilcli.training.loop import Summary
    from distilcli.training.run import PreparedRun

_HOW_TO_BEGIN = {"--resume", "--force"}


@options(topic="Task", types=OPTION_TYPES)
def finetune(
    data: DataOptions,
    start: StartOptions,
    training: TrainingOptions,
    objective: ObjectiveOptions,
    teacher: TeacherOptions,
    distillation: DistillationOptions,
    filling: CacheOnly,
    run_output: RunOutput,
    report: Report,
    given: GivenOptions,
    *,
    task: Annotated[TaskName, opt("What the model learns to do.")] = "classify",
    config: Annotated[
        str | None,
        opt(
            "Repeat a run from its config.toml; other options override its settings.",
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Train a model on your rows, and keep the one with the best score on the validation rows.

    The folder then holds the model, ready for distil and for transformers, a model card, all
    settings (config.toml) and the metrics (metrics.jsonl, summary.json). Ctrl-C saves the run;
    --resume continues it to the weights of an uninterrupted one. For tasks of whole texts,
    --freeze encoder trains only the head, in seconds. With --teacher the model also learns from a
    bigger one.

    Examples:
      distil finetune reviews.csv -o my-model
      distil finetune train.conll -o my-tagger --task tag
      distil finetune texts.csv -o small --teacher big-model
    """
    from distilcli.tasks.spec import task_spec

    groups = (data, start, training, objective, teacher, distillation)
    settings = run_settings(groups, given, task=task, config=config)
    task = settings.task
    shard = filling.check(settings, given)
    run_output.check(report, cache_only=filling.cache_only)
    sources = settings.data.open()
    report.check([path for source in sources if source for path in source.paths])
    # Errors about columns and models come before torch is loaded.
    spec, train_rows = task_spec(task), sources[0]
    column = "" if spec.text_columns else f"; text column {train_rows.text_column!r}"
    models = settings.locate(offline=run_output.offline)

    from distilcli.memory import keep_freed_memory

    keep_freed_memory()

    from distilcli.console.training import (
        show_cache,
        show_cached,
        show_findings,
        show_interrupted,
        show_training_estimate,
        training_view,
    )
    from distilcli.training.plan import plan_run
    from distilcli.training.run import PreparedRun

    console = report.console
    plan = plan_run(
        settings,
        sources,
        models,
        Path(run_output.output),
        device=run_output.device,
        threads=run_output.threads,
    )
    name = plan.start.files.name
    console.note(f"training {name} on {plan.objective.describe()}{column}")
    console.note(*(note for source in sources if source for note in source.new_notes()))
    about = {"command": "finetune", "task": task, "model": name}
    # Without --resume: a resumed run ends as an uninterrupted one.
    command = ["distil", *(word for word in sys.argv[1:] if word not in _HOW_TO_BEGIN)]
    run: PreparedRun | None = None
    try:
        with training_view(console) as view:
            run = PreparedRun(
                plan,
                on_progress=view.on_progress,
                on_pass=view.on_pass,
                on_fit=view.on_fit,
                dry_run=report.dry_run,
            )
            show_findings(console, run.findings)
            show_cache(console, run.bytes_to_keep)
            if report.dry_run:
                estimate = run.estimate()
                show_training_estimate(console, estimate)
                write_report({**about, "dry_run": True, **asdict(estimate)}, report)
                return
            if filling.cache_only:
                run.fill_cache(shard)
                show_cached(console, settings.teacher.teacher_cache, shard)
                return
            summary = run.train(
                resume=run_output.resume,
                force=run_output.force,
                plot=run_output.plot,
                command=command,
            )
    except KeyboardInterrupt:
        if filling.cache_only:
            console.warn("interrupted; repeat the command to go on")
            raise
        saved = run_output.resume or (run is not None and run.folder.is_saved)
        show_interrupted(console, run_output.output, can_resume=saved, forced=run_output.force)
        raise
    if processes.is_first():
        _show_end(console, run, summary, command)
        write_report({**about, **summary}, report)


def _show_end(
    console: "Console", run: "PreparedRun", summary: "Summary", command: Sequence[str]
) -> None:
    """Say how good the model is, how to use it, and what would make it better."""
    from distilcli.console.training import show_advice, show_training
    from distilcli.tasks.spec import task_spec

    spec = task_spec(run.plan.objective.task)
    show_training(
        console, summary["best"], summary["steps"], str(run.plan.folder), command=spec.command
    )
    if advice := run.advice():
        flag = f"--{advice.setting}"
        show_advice(console, advice.reason, with_setting(command, flag, advice.value))
    if run.trainer.model.config.pruned_heads:
        console.note("transformers 5 does not load models with pruned heads; version 4 does")
