"""Signals at random moments end a command cleanly; `tests/benchmarks/signals.py` sends more."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "signals.py"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_signals_at_random_moments_end_every_command_cleanly() -> None:
    commands = ("help", "classify", "tokenize --train", "finetune")
    done = subprocess.run(
        [sys.executable, SCRIPT, *commands, "--signals", "24"],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"runs": 24' in done.stdout
