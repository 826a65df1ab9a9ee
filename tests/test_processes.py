import os
import subprocess
import sys

import pytest

from distilcli import processes


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")  # of another program
    monkeypatch.setenv("RANK", "3")
    assert (processes.count(), processes.rank(), processes.rank_on_machine()) == (1, 0, 0)
    assert processes.is_first()


@pytest.mark.parametrize(("rank", "here"), [(0, 0), (5, 1)])
def test_torchrun_says_which_process_this_is(
    monkeypatch: pytest.MonkeyPatch, rank: int, here: int
) -> None:
    told = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": 8, "RANK": rank, "LOCAL_RANK": here}
    for name, value in {**told, "LOCAL_WORLD_SIZE": 4}.items():
        monkeypatch.setenv(name, str(value))
    assert (processes.count(), processes.rank()) == (8, rank)
    assert processes.rank_on_machine() == here
    assert processes.is_first() == (rank == 0)
    assert not processes.are_on_one_machine()


def test_a_silent_process_prints_nothing_until_it_has_to_speak() -> None:
    program = (
        "import os, sys; from distilcli import processes; processes.silence(); print('data');"
        "os.write(2, b'of a library'); processes.speak(); print('error', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60,
        env={**os.environ}, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "error\n")
