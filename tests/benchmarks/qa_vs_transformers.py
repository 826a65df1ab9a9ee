"""`distil qa` against the question-answering pipeline of transformers 4.57, fp32 on the CPU.

    python tests/benchmarks/qa_vs_transformers.py --peer-python ENV/bin/python [--file SQUAD_JSON]

transformers 5 dropped this pipeline, so the peer is one process in its own environment, with
transformers 4.57 and torch, that answers the same rows on demand. Both use the same DistilBERT-base
with random weights, all available cores, and windows of 384 tokens that overlap by 128. Ours reads
the file, tokenizes, runs and writes a file; the pipeline gets questions and contexts. Loading is
not timed. Nothing is installed.
"""

import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from _models import mixed_reviews, write_distilbert_base
from _report import alternate, median_ratio, report

WANTED = 2.0
BATCH_SIZES = (1, 8)

PEER = """
import json, sys
import torch, transformers
from transformers.utils import logging

logging.set_verbosity_error()
model, rows = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))
pipeline = transformers.pipeline("question-answering", model=model, device="cpu")
pipeline.tokenizer.model_input_names = ["input_ids", "attention_mask"]  # DistilBERT has no others
settings = {"max_seq_len": 384, "doc_stride": 128, "max_answer_len": 30}
pipeline(rows[:2], **settings)
versions = {"transformers": transformers.__version__, "torch": torch.__version__}
print(json.dumps(versions), flush=True)
for line in sys.stdin:
    found = pipeline(rows, batch_size=int(line), **settings)
    print(json.dumps(len(found)), flush=True)
"""


class Peer:
    """The pipeline in another interpreter; `versions` are of its packages."""

    def __init__(self, python: str, model: Path, rows: Path) -> None:
        self._process = subprocess.Popen(
            [python, "-W", "ignore", "-c", PEER, str(model), str(rows)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.versions = self._reply()

    def answer(self, batch_size: int) -> None:
        """Answer every row once."""
        assert self._process.stdin is not None
        print(batch_size, file=self._process.stdin, flush=True)
        self._reply()

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", required=True, help="a Python with transformers 4.57")
    parser.add_argument("--file", help="SQuAD JSON (default: made-up questions and contexts)")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    from distilcli.model.heads import QuestionAnswerer
    from distilcli.predictors.answerer import Answerer

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_distilbert_base(folder / "model", QuestionAnswerer)
        rows = read_rows(options.file, options.rows) if options.file else made_up(options.rows)
        (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
        answerer = Answerer(str(folder / "model"), device="cpu")
        answerer(rows[:2])
        peer = Peer(options.peer_python, folder / "model", folder / "rows.json")
        peers = {f"pipeline, batch_size={size}": size for size in BATCH_SIZES}
        runs = {who: lambda size=size: peer.answer(size) for who, size in peers.items()}
        seconds = alternate(
            {"distil qa": lambda: answer_file(answerer, folder), **runs}, rounds=options.rounds
        )
        peer.close()
    ratios = {who: median_ratio(seconds[who], seconds["distil qa"]) for who in peers}
    report(
        "qa, fp32, DistilBERT-base, windows of 384 tokens",
        [
            {
                "who": who,
                "rows/s": len(rows) / median(times),
                "distil is faster by": ratios.get(who, 1.0),
                "wanted": WANTED if who in ratios else "",
            }
            for who, times in seconds.items()
        ],
        {
            "rows": len(rows),
            "file": options.file,
            "median_seconds": {who: median(times) for who, times in seconds.items()},
            "ratios": ratios,
            "wanted": WANTED,
            "peer": peer.versions,
        },
    )


def read_rows(file: str, count: int) -> list[dict[str, str]]:
    """Return the first questions of SQuAD JSON, each with its context."""
    from distilcli.rows import cell_text, open_rows

    source = open_rows([file], limit=count)
    names = ("question", "context")
    return [{name: cell_text(row, name) for name in names} for row in source]


def made_up(count: int) -> list[dict[str, str]]:
    """Make up contexts as long as reviews, each with a question of its words."""
    rng = random.Random(0)
    rows = []
    for context in mixed_reviews(count):
        words = context.split()
        question = " ".join(rng.choices(words, k=rng.randint(6, 14))) + "?"
        rows.append({"question": question, "context": context})
    return rows


def answer_file(answerer: Any, folder: Path) -> None:
    """Do what the command does: read, answer and write a file."""
    from distilcli.rows import open_rows, open_writer
    from distilcli.stats import RunStats
    from distilcli.tasks.files import run_files
    from distilcli.tasks.qa import AnswerColumns
    from distilcli.tasks.questions import pairs_from

    source = open_rows([str(folder / "rows.jsonl")])
    columns = AnswerColumns()
    engine = answerer.engine(pairs_from(question_column="question", context_column="context"))
    writer = open_writer(
        folder / "answered.jsonl",
        columns=source.columns,
        new_columns=columns.names,
        input_format=source.format,
        force=True,
    )
    with source, writer:
        run_files(source, engine, writer, columns, stats=RunStats())


if __name__ == "__main__":
    main()
