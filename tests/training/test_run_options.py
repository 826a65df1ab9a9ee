from dataclasses import fields, is_dataclass

import pytest

from distilcli.errors import UsageError
from distilcli.tasks.spec import TASKS
from distilcli.training.options import DistillationOptions
from distilcli.training.run_options import FinetuneOptions, RunOptions


@pytest.mark.parametrize(
    ("setting", "value", "tasks"),
    [
        ("class_weights", "balanced", "classify multilabel"),
        ("label_smoothing", 0.1, "classify tag"),
        ("augment", 0.1, "classify multilabel regress"),
        ("label_separator", ";", "multilabel"),
        ("options_column", "o", "choose"),
        ("option_columns", "a,b", "choose"),
        ("pair_column", "p", "classify multilabel regress qa embed"),
        ("label_column", "l", "classify multilabel regress tag qa embed choose"),
        ("temperature", 2.0, "classify multilabel tag qa mlm choose"),
    ],
)
def test_a_setting_without_effect_is_refused(setting: str, value: object, tasks: str) -> None:
    given = {"files": "a.csv", "teacher": "t", setting: value}
    for task in TASKS:
        if task in tasks.split():
            RunOptions.of(task, given)
        else:
            with pytest.raises(UsageError, match=f"^`{setting}` has no effect on the task {task}"):
                RunOptions.of(task, given)


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="no setting 'epoch'"):
        RunOptions.of("classify", {"files": "a.csv", "epoch": 1})


@pytest.mark.parametrize("setting", ["temperature", "alpha_ce", "teacher_cache"])
def test_a_setting_of_teachers_needs_one(setting: str) -> None:
    with pytest.raises(UsageError, match=f"`{setting}` needs a `teacher`"):
        RunOptions.of("classify", {"files": "a.csv", setting: 1.0})


def test_settings_are_sorted_by_what_they_are_about() -> None:
    found = RunOptions.of("classify", {"files": "a.csv", "seed": 7, "epochs": 1, "limit": 9})
    assert (found.objective.seed, found.training.seed, found.training.epochs) == (7, 7, 1)
    assert (found.data.limit, found.distillation) == (9, DistillationOptions())


def test_type_checkers_know_every_setting() -> None:
    kinds = RunOptions.__annotations__.values()
    names = {field.name for kind in kinds if is_dataclass(kind) for field in fields(kind)}
    assert set(FinetuneOptions.__annotations__) == names - {"files"}
