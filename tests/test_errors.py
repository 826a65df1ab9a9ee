import pickle

import pytest

from distilcli.errors import UsageError, settings_spelled, spelled


def test_a_setting_has_its_python_name_in_python_and_its_flag_in_a_command() -> None:
    error = UsageError("`stride` 12 is not smaller than `max_length`")
    assert str(error) == "`stride` 12 is not smaller than `max_length`"
    with settings_spelled({"stride": "--stride", "max_length": "--max-length"}):
        assert str(error) == "--stride 12 is not smaller than --max-length"
    assert str(error) == "`stride` 12 is not smaller than `max_length`"
    assert error.settings == ["stride", "max_length"]


def test_only_settings_of_the_command_are_spelled() -> None:
    with settings_spelled({"stride": "--stride"}):
        assert (
            spelled("`other` and `distil tag --stride 1`") == "`other` and `distil tag --stride 1`"
        )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_can_be_pickled_while_a_command_runs(protocol: int) -> None:
    with settings_spelled({"stride": "--stride"}):
        error = pickle.loads(pickle.dumps(UsageError("`stride`"), protocol))
    assert str(error) == "`stride`"
