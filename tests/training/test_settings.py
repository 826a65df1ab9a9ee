import pytest
from distilcli.training.datasets.columns import Columns

from distilcli.errors import UsageError
from distilcli.training.config_toml import config_toml
from distilcli.training.settings import LessonOptions, refuse_without_effect

TASKS = ("classify", "multilabel", "regress", "tag", "qa", "mlm", "embed", "choose")


@pytest.mark.parametrize(
    ("option", "columns", "options", "tasks"),
    [
        ("--class-weights", {}, {"class_weights": "balanced"}, "classify multilabel"),
        ("--label-smoothing", {}, {"label_smoothing": 0.1}, "classify tag"),
        ("--augment", {}, {"augment": 0.1}, "classify multilabel regress"),
        ("--label-separator", {"separator": ";"}, {}, "multilabel"),
        ("--options-column", {"options": "o"}, {}, "choose"),
        ("--option-columns", {"option_list": ("a", "b")}, {}, "choose"),
        ("--pair-column", {"pair": "p"}, {}, "classify multilabel regress qa embed"),
        (
            "--label-column", {"label": "l"}, {},
            "classify multilabel regress tag qa embed choose",
        ),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_refused(
    option: str, columns: dict[str, object], options: dict[str, object], tasks: str
) -> None:
    given = Columns(**columns), LessonOptions(**options)  # type: ignore[arg-type]
    for task in TASKS:
        if task in tasks.split():
            refuse_without_effect(task, *given)
        else:
            with pytest.raises(
                UsageError, match=f"^{option} has no effect on --task {task}; it is"
            ):
                refuse_without_effect(task, *given)


@pytest.mark.parametrize("name", ["label_smoothing", "augment"])
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_share_is_one(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=r"must be from 0 to below 1"):
        LessonOptions(**{name: value})  # type: ignore[arg-type]


def test_settings_are_told_under_their_names() -> None:
    told = config_toml(LessonOptions(label_smoothing=0.1).digests())
    assert told == "# class_weights is not set\nlabel_smoothing = 0.1\naugment = 0.0\n"
