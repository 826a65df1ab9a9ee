"""`distil finetune` in two processes of one thread each against one process with two threads.

    python tests/benchmarks/finetune_processes.py

Both take the same steps: mixed-length reviews with two labels, cut at 512 tokens. They take turns,
each in fresh processes, because a shared machine drifts. Only steps are timed, from the end of the
first to the end of the last. Work that others do on the cores makes the two processes wait for the
slower of them, so the figure is of a machine that is idle otherwise.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from _models import mixed_reviews
from _report import median_ratio, report

from distilcli import finetune, processes
from distilcli.memory import keep_freed_memory
from distilcli.training.loop import Progress

WANTED = 0.85
ROOT = Path(__file__).parents[2]


def learn(count: int, settings: dict[str, Any]) -> None:
    """Train on made-up rows; print the seconds per token of all steps but the first."""
    keep_freed_memory()  # as the command does
    rng = random.Random(0)
    rows = [{"text": text, "label": rng.choice("ab")} for text in mixed_reviews(count)]
    ends: dict[int, tuple[float, int]] = {}

    def on_progress(progress: Progress) -> None:
        ends.setdefault(progress.step, (perf_counter(), progress.tokens))

    with tempfile.TemporaryDirectory() as folder:
        finetune(
            rows, Path(folder, "run"), epochs=1, valid_split=0.05, evaluate_every=10**9,
            max_length=512, device="cpu", on_progress=on_progress, **settings,
        )  # fmt: skip
    (first, before), (last, after) = ends[1], ends[max(ends)]
    if processes.is_first():
        print(json.dumps((last - first) / (after - before)))


def seconds_per_token(launcher: list[str], threads: int, options: argparse.Namespace) -> float:
    """Run this file as what learns."""
    arguments = ["--learn", "--rows", str(options.rows), "--settings", options.settings]
    done = subprocess.run(
        [sys.executable, *launcher, __file__, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--settings", default='{"precision": "fp32"}', help="of finetune, in JSON")
    parser.add_argument("--learn", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.learn:
        learn(options.rows, json.loads(options.settings))
        return
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    seconds: dict[str, list[float]] = {"one process": [], "two processes": []}
    for number in range(options.rounds):
        seconds["one process"].append(seconds_per_token([], 2, options))
        seconds["two processes"].append(seconds_per_token(several, 1, options))
        rates = {name: round(1 / times[-1]) for name, times in seconds.items()}
        print(f"round {number + 1}: {rates}", file=sys.stderr)
    ratio = median_ratio(seconds["one process"], seconds["two processes"])
    report(
        f"finetune, classification, {options.settings}, tokens/s of two processes against one",
        [
            {
                "who": who,
                "tokens/s": 1 / median(times),
                "ratio": ratio if who == "two processes" else 1.0,
                "wanted": WANTED if who == "two processes" else "",
            }
            for who, times in seconds.items()
        ],
        {"rows": options.rows, "seconds per token": seconds, "ratio": ratio, "wanted": WANTED},
    )


if __name__ == "__main__":
    main()
