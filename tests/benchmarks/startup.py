"""Start-up times: `distil --help`, and the first label of a one-row run.

    python tests/benchmarks/startup.py [--rounds N]

The first label is timed after `import torch`, each time in a fresh process.
"""

import argparse
import json
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
    helps, labels = [], []
    for _ in range(options.rounds):
        started = perf_counter()
        subprocess.run([sys.executable, "-c", HELP], check=True, capture_output=True)
        helps.append(perf_counter() - started)
        run = subprocess.run([sys.executable, "-c", FIRST_LABEL], check=True, capture_output=True)
        outcome = json.loads(run.stderr.splitlines()[-1])
        assert outcome["code"] == 0
        labels.append(outcome["seconds"])
    figures = {"distil --help": (median(helps), 0.15), "first label": (median(labels), 0.8)}
    report(
        "start-up",
        [{"what": k, "median s": s, "wanted s": w} for k, (s, w) in figures.items()],
        {name: seconds for name, (seconds, _) in figures.items()},
    )


if __name__ == "__main__":
    main()
