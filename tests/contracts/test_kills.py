"""A run that is killed at any moment and goes on gives the bytes of an unbroken one."""

import os
import signal
from pathlib import Path

import pytest

from tests._kills import killed_runs, write_rows

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="signals differ there"),
    pytest.mark.slow,
]


@pytest.mark.parametrize("output", ["out.csv", "out.jsonl.gz"])
def test_ten_kills(tiny_folder: Path, tmp_path: Path, output: str) -> None:
    write_rows(tmp_path / "in.csv", 1000)
    command = ["classify", "../in.csv", "-m", str(tiny_folder), "--max-tokens", "64"]
    runs = list(killed_runs(tmp_path, command, output, kills=10, numbers=[signal.SIGKILL], seed=1))
    assert sum(run.kills for run in runs) == 10
    assert [run for run in runs if not (run.is_same and run.is_tidy)] == []
