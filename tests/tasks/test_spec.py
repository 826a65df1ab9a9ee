import subprocess
import sys

import pytest

from distilcli.errors import UsageError
from distilcli.tasks.spec import TASKS, refuse_without_effect, register, task_spec


def test_the_eight_tasks_in_their_order() -> None:
    names = ["classify", "multilabel", "regress", "tag", "qa", "mlm", "embed", "choose"]
    assert list(TASKS) == names


def test_the_table_is_had_without_torch_numpy_and_pandas() -> None:
    program = (
        "import sys, distilcli.tasks.spec\n"
        "print(*({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == []


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(ValueError, match="a task 'tag' already"):
        register(TASKS["tag"])


def test_an_unknown_task_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"`task` ner: the tasks are classify, .*, choose"):
        task_spec("ner")


@pytest.mark.parametrize("setting", ["pair_column", "window_pooling", "text_column", "device"])
def test_a_setting_of_the_task_or_of_every_task_is_let_through(setting: str) -> None:
    refuse_without_effect("classify", {setting: "x"})


def test_a_setting_without_effect_is_refused_by_its_name() -> None:
    message = "^`threshold` has no effect on the task tag, only on multilabel and qa$"
    with pytest.raises(UsageError, match=message):
        refuse_without_effect("tag", {"label_column": "x", "threshold": 0.0})


@pytest.mark.parametrize("value", [None, False, "", ()])
def test_what_was_not_given_is_not_refused(value: object) -> None:
    refuse_without_effect("tag", {"threshold": value})
