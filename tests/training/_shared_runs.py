"""Small runs of every task, as one process or several make them.

`torchrun --nproc-per-node 2 -m tests.training._shared_runs RUNS.json` makes those of a file.
"""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.conftest import WORDS

Row = dict[str, Any]
TIMEOUT = 240  # seconds; a run takes a few

SETTINGS: dict[str, Any] = {
    "dropout": 0.0, "epochs": 1, "evaluate_every": 1, "learning_rate": 1e-3, "token_budget": 64,
    "precision": "fp32", "device": "cpu", "valid_split": 0.25, "threads": 1,
}  # fmt: skip


def run_several(*arguments: object, module: str | None) -> subprocess.CompletedProcess[str]:
    """Run a module, or without one a program, in two processes; return what both of them said."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    what = ["--no-python"] if module is None else ["-m", module]
    return subprocess.run(
        [*launcher, "--nproc-per-node", "2", *what, *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def said(finished: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines that `distil` has written, without those of torchrun."""
    return [line for line in finished.stderr.splitlines() if line.startswith("distil: ")]


def train(runs: Sequence[dict[str, Any]]) -> None:
    """Make runs one after the other; with `kill_at` the second process dies at that step."""
    from distilcli import finetune
    from distilcli.training.loop import Progress

    for run in runs:

        def on_progress(progress: Progress, step: int | None = run.get("kill_at")) -> None:
            if progress.step == step and os.environ.get("RANK") == "1":
                os.kill(os.getpid(), signal.SIGKILL)

        settings = {**SETTINGS, **run["settings"], "resume": run.get("resume", False)}
        finetune(run["rows"], run["output"], on_progress=on_progress, **settings)


def losses(folder: Path) -> list[float]:
    """Return the loss of each step, each of which was evaluated."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["train_loss"] for line in lines]


def texts(count: int, *, seed: int = 0, most: int = 12) -> list[str]:
    """Return texts of 2 to `most` everyday words."""
    draw = random.Random(seed)
    words = [word for word in WORDS if word.isalpha()]
    return [" ".join(draw.choices(words, k=draw.randint(2, most))) for _ in range(count)]


def rows_of(task: str) -> list[Row]:
    """Return rows that a task can learn from; `negatives` are pairs without a score."""
    draw, found, others = random.Random(1), texts(60), texts(60, seed=2)
    words = [text.split() for text in found]
    made: dict[str, list[Row]] = {
        "classify": [{"text": text, "label": draw.choice("abc")} for text in found],
        "multilabel": [
            {"text": text, "labels": draw.sample("abcd", draw.randint(0, 3))} for text in found
        ],
        "regress": [{"text": text, "label": draw.random()} for text in found],
        "tag": [
            {"words": each, "tags": [draw.choice(["O", "B-X", "B-Y"]) for _ in each]}
            for each in words
        ],
        "qa": [
            {"question": text, "context": f"{text} {other}", "answer": other.split()[0]}
            for text, other in zip(found, others, strict=True)
        ],
        "mlm": [{"text": text} for text in found],
        "choose": [
            {"prompt": text, "options": texts(3, seed=seed, most=5), "answer": draw.randrange(3)}
            for seed, text in enumerate(found)
        ],
        "negatives": [
            {"sentence1": text, "sentence2": other}
            for text, other in zip(found, others, strict=True)
        ],
    }
    made["embed"] = [{**pair, "score": draw.random()} for pair in made["negatives"]]
    return made[task]


if __name__ == "__main__":
    from distilcli.interrupt import end_on_signals

    end_on_signals()  # as the program does: torchrun ends all processes if one dies
    train(json.loads(Path(sys.argv[1]).read_text()))
