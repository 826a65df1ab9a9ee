import pytest

from distilcli.errors import UsageError
from distilcli.training.config_toml import config_toml
from distilcli.training.settings import LessonOptions


@pytest.mark.parametrize("name", ["label_smoothing", "augment"])
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_share_is_one(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=r"must be from 0 to below 1"):
        LessonOptions(**{name: value})  # type: ignore[arg-type]


def test_settings_are_told_under_their_names() -> None:
    told = config_toml(LessonOptions(label_smoothing=0.1).digests())
    assert told == "# class_weights is not set\nlabel_smoothing = 0.1\naugment = 0.0\n"
