"""Time a run that goes on from its middle against a whole one, in processor seconds.

    python tests/benchmarks/resume_time.py [--rows 20000] [--model sentiment]

The first half of the work is done, and the process ends there as a kill would end it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _models import mixed_reviews

# Ends the process after a checkpoint that covers half of the rows.
_HALF = """
import os, sys
from distilcli.tasks import checkpoints
checkpoints.SECONDS = 0
save = checkpoints.Checkpoints._save

def save_half(self, output):
    save(self, output)
    if self.saved_rows >= {half}:
        os._exit(9)

checkpoints.Checkpoints._save = save_half
from distilcli.app import main
main()
"""


def seconds_of(command: list[str], code: int = 0) -> float:
    """Return the processor time of a command."""
    before = os.times()
    found = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    if found.returncode != code:
        raise SystemExit(found.stderr)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--model", default="sentiment")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = (text.replace('"', '""') for text in mixed_reviews(options.rows))
        (folder / "in.csv").write_text("text\n" + "".join(f'"{text}"\n' for text in texts))
        given = ["classify", str(folder / "in.csv"), "-m", options.model, "-q", "-o"]
        distil = [sys.executable, "-m", "distilcli"]
        whole = seconds_of([*distil, *given, str(folder / "whole.csv")])
        broken = [*given, str(folder / "out.csv")]
        program = _HALF.format(half=options.rows // 2)
        half = seconds_of([sys.executable, "-c", program, *broken], code=9)
        rest = seconds_of([*distil, *broken, "--resume"])
        same = (folder / "out.csv").read_bytes() == (folder / "whole.csv").read_bytes()
    print(f"whole {whole:.1f} s, until the kill {half:.1f} s, the rest {rest:.1f} s of processor")
    print(f"the rest is {rest / whole:.2f} of the whole; the same bytes: {same}")


if __name__ == "__main__":
    main()
