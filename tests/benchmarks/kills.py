"""Kill runs at random moments, let them go on, and compare the outputs with unbroken ones.

    python tests/benchmarks/kills.py [--kills 200] [--seed 0]

Every output format takes its turn, and so do SIGKILL, SIGTERM and SIGINT.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests._kills import killed_runs, write_rows
from tests.conftest import WORDS, make_tiny

OUTPUTS = (
    *("out.csv", "out.tsv", "out.jsonl", "out.json", "out.parquet", "out.db", "out.conll"),
    *("out.npy", "out.csv.gz", "out.jsonl.bz2", "out.tsv.xz", "out.jsonl.zst"),
)
COMMANDS = {"out.npy": "embed", "out.conll": "tag"}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kills = resumed = outputs = same = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "in.csv", options.rows)
        for command, head in (("classify", "SequenceClassifier"), ("tag", "TokenClassifier")):
            (folder / command).mkdir()
            make_tiny(folder / command, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS], head=head)
        for index, output in enumerate(OUTPUTS):
            command = COMMANDS.get(output, "classify")
            model = folder / ("tag" if command == "tag" else "classify")
            arguments = [command, str(folder / "in.csv"), "-m", str(model), "--max-tokens", "64"]
            share = options.kills * (index + 1) // len(OUTPUTS) - kills
            for run in killed_runs(
                folder / f"{index}", arguments, output,
                kills=share, numbers=SIGNALS, seed=options.seed + index,
            ):  # fmt: skip
                kills, resumed, outputs = kills + run.kills, resumed + run.resumed, outputs + 1
                same += run.is_same and run.is_tidy
                if not (run.is_same and run.is_tidy):
                    print("DIFFERS:", run)
            so_far = f"{kills} kills, went on {resumed} times"
            print(f"{output}: {so_far}; {same} of {outputs} outputs identical", flush=True)
    return same != outputs


if __name__ == "__main__":
    sys.exit(main())
