"""Start-up times: `distil --help`, the first label of a one-row run, and errors.

    python tests/benchmarks/startup.py [--rounds N]

The first label is timed after `import torch`, each time in a fresh process. The same run as a whole
process is compared with a process that imports torch and does nothing, in wall-clock and processor
time.
"""

import argparse
import json
import resource
import subprocess
import sys
from statistics import median
from time import perf_counter

from _report import report

HELP = """
import sys
from distilcli.app import main
main(["--help"])
assert "torch" not in sys.modules
"""
FIRST_LABEL = """
import sys, json, torch
from time import perf_counter
started = perf_counter()
from distilcli.app import main
code = main(["classify", "--text", "I loved every minute of it", "--quiet"])
print(json.dumps({"seconds": perf_counter() - started, "code": code}), file=sys.stderr)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    helps, labels, errors, runs, imports = [], [], [], [], []
    for _ in range(options.rounds):
        started = perf_counter()
        subprocess.run([sys.executable, "-c", HELP], check=True, capture_output=True)
        helps.append(perf_counter() - started)
        run = subprocess.run([sys.executable, "-c", FIRST_LABEL], check=True, capture_output=True)
        outcome = json.loads(run.stderr.splitlines()[-1])
        assert outcome["code"] == 0
        labels.append(outcome["seconds"])
        errors.append(process("-m", "distilcli", "classify", "none.csv", code=3)[0])
        runs.append(process("-m", "distilcli", "classify", "--text", "I loved it", "-q"))
        imports.append(process("-c", "import torch"))
    figures = {"distil --help": (median(helps), 0.15), "first label": (median(labels), 0.8)}
    figures["an error"] = (median(errors), 0.5)
    ratios = [
        [a / b for a, b in zip(*pair, strict=True)] for pair in zip(runs, imports, strict=True)
    ]
    for name, found in zip(("time", "processor time"), zip(*ratios, strict=True), strict=True):
        figures[f"one row, whole {name} / import torch"] = (median(found), 1.3)
    report(
        "start-up",
        [{"what": k, "median": s, "wanted": w} for k, (s, w) in figures.items()],
        {name: seconds for name, (seconds, _) in figures.items()},
    )


def process(*arguments: str, code: int = 0) -> tuple[float, float]:
    """Run Python with these arguments; return the wall-clock and the processor time in seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    done = subprocess.run([sys.executable, *arguments], check=False, capture_output=True)
    wall, after = perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == code, done.stderr
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
