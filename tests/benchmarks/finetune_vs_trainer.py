"""`distil finetune` against `transformers.Trainer`: tokens per second in training, on the CPU.

    python tests/benchmarks/finetune_vs_trainer.py --peer-python ENV/bin/python

The peer is one process in its own environment, with transformers, accelerate and torch, that trains
on the same rows on demand. Both start from the same DistilBERT-base with random weights and two
labels, and train on mixed-length reviews, truncated to 512 tokens, in bf16 autocast, on all
available cores. The Trainer has its defaults: random batches of 8 rows, padded to the longest, and
AdamW. Ours cuts batches by tokens, with a budget that gives an epoch as many steps, so 8 rows per
step on average. Only steps are timed, from the end of the first to the end of the last; padding is
not counted as tokens. Nothing is installed.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from _models import mixed_reviews, write_distilbert_base
from _report import median_ratio, report

WANTED = 1.3
BATCH_SIZE = 8

PEER = """
import json, os, sys, tempfile, time
import torch, transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers import DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging

logging.set_verbosity_error()
model_name, precision = sys.argv[1], sys.argv[3]
rows = json.load(open(sys.argv[2], encoding="utf-8"))
tokenizer = AutoTokenizer.from_pretrained(model_name)
encoded = [
    {**tokenizer(text, truncation=True, max_length=512), "labels": label} for text, label in rows
]
for row in encoded:
    row.pop("token_type_ids", None)
torch.set_num_threads(len(os.sched_getaffinity(0)))


class Clock(TrainerCallback):
    def on_step_end(self, args, state, control, **others):
        self.ends.append(time.perf_counter())

    ends = []


versions = {"transformers": transformers.__version__, "torch": torch.__version__}
print(json.dumps(versions), flush=True)
for line in sys.stdin:
    Clock.ends = []
    model = AutoModelForSequenceClassification.from_pretrained(model_name)
    arguments = TrainingArguments(
        tempfile.mkdtemp(), num_train_epochs=1, save_strategy="no", report_to="none",
        bf16=precision == "bf16", use_cpu=True, disable_tqdm=True, logging_strategy="no",
    )
    trainer = Trainer(
        model, arguments, train_dataset=encoded, data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[Clock()],
    )
    trainer.remove_callback(PrinterCallback)  # it prints where the times go
    trainer.train()
    print(json.dumps(Clock.ends[-1] - Clock.ends[0]), flush=True)
"""


class Peer:
    """The Trainer in another interpreter; `versions` are of its packages."""

    def __init__(self, python: str, model: Path, rows: Path, precision: str) -> None:
        self._process = subprocess.Popen(
            [python, "-W", "ignore", "-c", PEER, str(model), str(rows), precision],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.versions = self._reply()

    def learn(self) -> float:
        """Train one epoch; return the seconds of its steps."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return float(self._reply())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _reply(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the peer ended; what it said stands above")
        return json.loads(line)


class Ours:
    """The training loop over the same rows, with as many steps."""

    def __init__(self, model: Path, rows: list[tuple[str, int]], precision: Any) -> None:
        import torch

        from distilcli.training.datasets.classify import Examples

        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self._model = model
        texts, labels = [text for text, _ in rows], [label for _, label in rows]
        self._rows = Examples(texts, None, labels, ("negative", "positive"))
        self._precision = precision
        self.budget = 0
        self.tokens = 0

    def learn(self) -> float:
        """Train one epoch; return the seconds of its steps."""
        import torch

        from distilcli.checkpoint.folder import describe_folder
        from distilcli.memory import keep_freed_memory
        from distilcli.tokenizer.loading import load_tokenizer
        from distilcli.training.init_model import StartingPoint, start_model
        from distilcli.training.loop import Trainer
        from distilcli.training.objectives.classify import ClassifyObjective
        from distilcli.training.options import TrainingOptions
        from distilcli.training.run_folder import RunFolder

        keep_freed_memory()  # as the command does
        files = describe_folder("model", self._model)
        objective = ClassifyObjective(self._rows, self._rows)
        model = start_model(StartingPoint(files=files), objective).model
        prepared = objective.prepare(model, load_tokenizer(files), max_length=512)
        self.tokens = sum(prepared.sizes)
        self.budget = self.budget or budget_for(prepared.sizes)
        ends: list[float] = []
        trainer = Trainer(
            model,
            prepared,
            options=TrainingOptions(
                epochs=1, token_budget=self.budget, precision=self._precision, evaluate_every=10**9
            ),
            device=torch.device("cpu"),
            run=RunFolder(Path("unused"), fingerprint={}, tokenizer_files=[]),
            on_progress=lambda _: ends.append(perf_counter()),
        )
        # The steps alone: no evaluation, and nothing is written.
        for _, batches in trainer.steps.after(0):
            trainer.step(batches)
        return ends[-1] - ends[0]


def budget_for(sizes: list[int]) -> int:
    """Return the tokens per batch that give an epoch a step for every 8 rows."""
    from distilcli.training.batches import epoch_batches

    wanted = -(-len(sizes) // BATCH_SIZE)
    budgets = range(max(sizes), sum(sizes), 32)
    steps = (
        (budget, len(epoch_batches(sizes, token_budget=budget, seed=0, epoch=0)))
        for budget in budgets
    )
    return next(budget for budget, count in steps if count <= wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", required=True, help="a Python with the peer's packages")
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    options = parser.parse_args()
    rng = random.Random(0)
    rows = [(text, rng.randrange(2)) for text in mixed_reviews(options.rows)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_distilbert_base(folder / "model")
        (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        peer = Peer(options.peer_python, folder / "model", folder / "rows.json", options.precision)
        ours = Ours(folder / "model", rows, options.precision)
        seconds: dict[str, list[float]] = {"distil finetune": [], "transformers.Trainer": []}
        for _ in range(options.rounds):
            seconds["transformers.Trainer"].append(peer.learn())
            seconds["distil finetune"].append(ours.learn())
        peer.close()
    ratio = median_ratio(seconds["transformers.Trainer"], seconds["distil finetune"])
    report(
        f"finetune, classification, {options.precision}, DistilBERT-base, mixed lengths",
        [
            {
                "who": who,
                "tokens/s": ours.tokens / median(times),
                "distil is faster by": ratio if who == "transformers.Trainer" else 1.0,
                "wanted": WANTED if who == "transformers.Trainer" else "",
            }
            for who, times in seconds.items()
        ],
        {
            "rows": len(rows),
            "tokens": ours.tokens,
            "token_budget": ours.budget,
            "seconds": seconds,
            "ratio": ratio,
            "wanted": WANTED,
            "peer": peer.versions,
        },
    )


if __name__ == "__main__":
    main()
