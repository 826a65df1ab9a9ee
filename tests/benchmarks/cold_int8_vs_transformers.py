"""`distil classify --precision int8` from a cold shell against transformers' pipeline alone.

    python tests/benchmarks/cold_int8_vs_transformers.py [--file REVIEWS] [--column NAME]

Ours is the whole process, the first time (int8 is checked against fp32) and the second (the verdict
is kept); of the pipeline only its call counts, at batch size 1, in fp32, with everything loaded.
Both label the same rows with the same DistilBERT-base with random weights, in turns. Processor
time is given beside wall-clock time, because a shared machine stretches the latter. Needs the extra
`peers`.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from _models import add_text_options, texts_of, write_csv, write_distilbert_base
from _report import report, require

WANTED = 3.5
PIPELINE = """
import csv, json, sys, time, torch, transformers
from transformers.utils import logging
logging.set_verbosity_error()
logging.disable_progress_bar()
with open(sys.argv[2], newline="", encoding="utf-8") as file:
    texts = [row["text"] for row in csv.DictReader(file)]
run = transformers.pipeline("text-classification", model=sys.argv[1], device="cpu")
how = dict(batch_size=1, truncation=True, max_length=512)
run(texts[:2], **how)
cpu, wall = time.process_time(), time.perf_counter()
run(texts, **how)
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_text_options(parser, rows=300)
    options = parser.parse_args()
    versions = require("transformers")
    seconds: dict[str, list[tuple[float, float]]] = {"first": [], "second": [], "pipeline": []}
    loads = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_distilbert_base(folder / "model")
        write_csv(folder / "rows.csv", texts_of(options))
        for _ in range(options.rounds):
            shutil.rmtree(folder / "cache", ignore_errors=True)
            for turn in ("first", "second"):
                seconds[turn].append(ours(folder))
            seconds["pipeline"].append(pipeline(folder))
            loads.append(os.getloadavg()[0])
    walls, cpus = (
        {who: [each[n] for each in found] for who, found in seconds.items()} for n in (0, 1)
    )
    ratios = {
        who: [
            median(a / b for a, b in zip(times["pipeline"], times[who], strict=True))
            for times in (walls, cpus)
        ]
        for who in ("first", "second")
    }
    report(
        "classify in int8 from a cold shell, against the call of transformers' pipeline alone",
        [
            {
                "who": who,
                "median s": median(walls[who]),
                "processor s": median(cpus[who]),
                "times as fast": ratios[who][0] if who in ratios else "",
                "by processor time": ratios[who][1] if who in ratios else "",
                "wanted": WANTED if who in ratios else "",
            }
            for who in seconds
        ],
        {"seconds": seconds, "ratios": ratios, "load": loads, **versions},
    )


def ours(folder: Path) -> tuple[float, float]:
    """Label the file in a new process; return its wall-clock and processor time in seconds."""
    command = [sys.executable, "-m", "distilcli", "classify", str(folder / "rows.csv")]
    command += ["-m", str(folder / "model"), "--precision", "int8", "--quiet"]
    command += ["-o", str(folder / "out.csv"), "--force"]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    subprocess.run(command, check=True, env=environment, cwd=folder)
    wall, after = perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pipeline(folder: Path) -> tuple[float, float]:
    """Return the wall-clock and processor time of the pipeline's call in seconds."""
    command = [sys.executable, "-c", PIPELINE, str(folder / "model"), str(folder / "rows.csv")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall, cpu = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu


if __name__ == "__main__":
    main()
