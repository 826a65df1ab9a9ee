"""Small runs of every task, as one process or several make them.

`torchrun --nproc-per-node 2 -m tests.training._shared_runs RUNS.json` makes those in a file.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.conftest import WORDS

Row = dict[str, Any]
TIMEOUT = 240  # seconds; a run takes a few

SETTINGS: dict[str, Any] = {
    "dropout": 0.0, "epochs": 2, "evaluate_every": 1, "learning_rate": 1e-3, "token_budget": 96,
    "precision": "fp32", "device": "cpu", "valid_split": 0.25, "threads": 1,
}  # fmt: skip


def torchrun(
    *arguments: object, module: str = "distilcli", processes: int = 2, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a module in several processes, and return what all of them said."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*launcher, "--nproc-per-node", str(processes), "-m", module, *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def said(finished: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines that `distil` has written, without those of torchrun."""
    return [line for line in finished.stderr.splitlines() if line.startswith("distil: ")]


def train(runs: Sequence[dict[str, Any]]) -> None:
    """Make runs one after the other."""
    from distilcli import finetune

    for run in runs:
        finetune(run["rows"], run["output"], **{**SETTINGS, **run["settings"]})


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
    """Return rows that a task can learn from."""
    draw, found = random.Random(1), texts(60)
    if task == "classify":
        return [{"text": text, "label": draw.choice("abc")} for text in found]
    if task == "multilabel":
        labels = [draw.sample("abcd", draw.randint(0, 3)) for _ in found]
        return [{"text": text, "labels": each} for text, each in zip(found, labels, strict=True)]
    if task == "regress":
        return [{"text": text, "label": draw.random()} for text in found]
    if task == "tag":
        return [
            {"words": words, "tags": [draw.choice(["O", "B-X", "B-Y"]) for _ in words]}
            for words in map(str.split, found)
        ]
    if task == "qa":
        return [
            {"question": text, "context": f"{text} {other}", "answer": other.split()[0]}
            for text, other in zip(found, texts(60, seed=2), strict=True)
        ]
    if task == "mlm":
        return [{"text": text} for text in found]
    if task == "choose":
        return [
            {"prompt": text, "options": texts(3, seed=seed, most=5), "answer": draw.randrange(3)}
            for seed, text in enumerate(found)
        ]
    pairs = zip(found, texts(60, seed=2), strict=True)
    scores = {} if task == "negatives" else {"score": 0.0}
    return [
        {"sentence1": first, "sentence2": second, **{name: draw.random() for name in scores}}
        for first, second in pairs
    ]


if __name__ == "__main__":
    train(json.loads(Path(sys.argv[1]).read_text()))
