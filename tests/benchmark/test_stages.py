import time

import pytest

from distilcli.benchmark.stages import STAGES, Stages, TimedRows


def test_time_is_counted_for_its_stage_even_where_it_ends_badly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 1.0, 5.0, 7.5])
    monkeypatch.setattr("distilcli.benchmark.stages.perf_counter", lambda: next(clock))
    stages = Stages()
    assert stages.timed("model", max, 1, 2) == 2
    with pytest.raises(ZeroDivisionError):
        stages.timed("writing", lambda: 1 / 0)
    assert stages.seconds == dict.fromkeys(STAGES, 0.0) | {"model": 1.0, "writing": 2.5}


def test_rows_come_as_they_are() -> None:
    stages = Stages()

    def slowly() -> object:
        time.sleep(0.001)
        yield from (None, 1, "two")

    assert list(TimedRows(slowly(), stages)) == [None, 1, "two"]  # type: ignore[arg-type]
    assert stages.seconds["reading"] > 0
