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
        ("teacher_scores", "s.csv", "classify multilabel"),
        ("mix", "a.csv=1", "classify multilabel regress tag"),
        ("teacher_vectors", "v.npy", "embed"),
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
    teacher = {} if setting.startswith("teacher_") else {"teacher": "t"}
    files = {} if setting == "mix" else {"files": "a.csv"}
    given = {**files, **teacher, setting: value}
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


def test_none_is_the_default() -> None:
    given = {"files": "a.csv", "teacher": None, "temperature": None, "epochs": None}
    assert RunOptions.of("qa", given) == RunOptions.of("qa", {"files": "a.csv"})


def test_settings_are_sorted_by_what_they_are_about() -> None:
    found = RunOptions.of("classify", {"files": "a.csv", "seed": 7, "epochs": 1, "limit": 9})
    assert (found.objective.seed, found.training.seed, found.training.epochs) == (7, 7, 1)
    assert (found.data.limit, found.distillation) == (9, DistillationOptions())


def test_type_checkers_know_every_setting() -> None:
    kinds = RunOptions.__annotations__.values()
    names = {field.name for kind in kinds if is_dataclass(kind) for field in fields(kind)}
    assert set(FinetuneOptions.__annotations__) == names - {"files"}


@pytest.mark.parametrize("recorded", ["teacher_scores", "teacher_vectors"])
@pytest.mark.parametrize(
    ("setting", "value"),
    [("alpha_cos", 1.0), ("alpha_hidden", 0.5), ("alpha_attention", 1.0), ("teacher_cache", "c")],
)
def test_a_file_of_a_teacher_says_nothing_of_its_layers(
    recorded: str, setting: str, value: object
) -> None:
    given = {"files": "a.csv", recorded: "t", setting: value}
    task = "embed" if recorded == "teacher_vectors" else "classify"
    with pytest.raises(UsageError, match=f"`{setting}` has no effect with `{recorded}`"):
        RunOptions.of(task, given)


def test_there_is_one_teacher_and_it_counts() -> None:
    given = {"files": "a.csv", "teacher_scores": "t.csv"}
    with pytest.raises(UsageError, match="`teacher` and `teacher_scores` do not go together"):
        RunOptions.of("classify", {**given, "teacher": "t"})
    with pytest.raises(UsageError, match="`mix` and `teacher_scores` do not go together"):
        RunOptions.of("classify", {"mix": "a.csv=1", "teacher_scores": "t.csv"})
    with pytest.raises(UsageError, match="`teacher_scores` has no effect if `alpha_ce` is 0"):
        RunOptions.of("classify", {**given, "alpha_ce": 0.0})
    assert RunOptions.of("classify", {**given, "temperature": 3.0}).distillation.temperature == 3.0
    # With a teacher a frozen encoder's head learns in steps.
    assert RunOptions.of("classify", {**given, "freeze": "encoder", "epochs": 2})


@pytest.mark.parametrize("freeze", ["embeddings", "encoder", "0", "2"])
def test_new_tokens_need_embeddings_that_learn(freeze: str) -> None:
    given = {"files": "a.csv", "add_tokens": "covid"}
    with pytest.raises(UsageError, match="`add_tokens` needs embeddings that learn"):
        RunOptions.of("classify", {**given, "freeze": freeze})
    assert RunOptions.of("classify", {**given, "freeze": "nothing"}).start.add_tokens == "covid"
