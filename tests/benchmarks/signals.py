"""Signals at random moments: how every command ends, and what it leaves behind.

    python tests/benchmarks/signals.py [--signals N] [--seed N] [--jobs N] [COMMAND]...

Each command runs once undisturbed, for its time. Then it is sent one signal or two, between its
first line (Python's own start comes before) and its exit. A run is wrong if its exit code belongs
to none of the signals, if it says more than it should, or if it leaves a temporary file or half a
row; what an interrupted run of some seconds keeps, so that another can go on, is no fault if it
says so. Exits with 1 if one is.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from _models import LABELS, _write
from _report import report

WRONG = ("Traceback", "terminate", "Fatal", "Exception", "lock", "bug", "Aborted")
ROWS = 4_000
SHAPE = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
SECONDS_TO_END = 60


@dataclass(frozen=True)
class Command:
    """A command line, `{}` standing for the folder of the models and the rows."""

    words: str
    stdin: bytes | None = None  # what a pipe that stays open says
    writes: str = ""  # the file it makes, with a line for each row and the header

    def line(self, inputs: Path) -> list[str]:
        return [sys.executable, "-m", "distilcli", *self.words.format(inputs).split()]


COMMANDS = {
    "help": Command("--help"),
    "completions": Command("completions zsh"),
    "params": Command("params {}/model"),
    "classify": Command("classify {0}/rows.csv -m {0}/model -o out.csv", writes="out.csv"),
    "classify, to a pipe": Command("classify {0}/rows.csv -m {0}/model --format jsonl"),
    "classify, silent pipe": Command("classify - -m {}/model", b"text,n\ngood,1\n"),
    "classify, no header yet": Command("classify - -m {}/model", b"te"),
    "classify, hub": Command("classify --text good -m org/name"),
    "tag": Command("tag {0}/rows.csv -m {0}/tagger -o out.jsonl"),
    "qa": Command("qa {0}/qa.csv -m {0}/answerer -o out.csv", writes="out.csv"),
    "choose": Command("choose {0}/rows.csv -m {0}/chooser --option a --option b -o out.csv"),
    "fill": Command("fill {0}/masked.csv -m {0}/filler -o out.csv"),
    "embed": Command("embed {0}/rows.csv -m {0}/model -o out.npy"),
    "embed --search": Command("embed --search good --index {0}/index.npy -m {0}/model"),
    "embed --near-duplicates": Command("embed {0}/few.csv -m {0}/model --near-duplicates 0.99"),
    "tokenize": Command("tokenize {0}/rows.csv -m {0}/model -o out.jsonl"),
    "tokenize, silent pipe": Command("tokenize - -m {}/model", b"text,n\ngood,1\n"),
    "tokenize --train": Command("tokenize {0}/rows.csv --train -o tokens"),
    "evaluate": Command("evaluate {0}/model {0}/rows.csv"),
    "bench": Command("bench -m {}/model --seq 16 --batch 2"),
    "finetune": Command("finetune {0}/few.csv -o run -m {0}/model --epochs 2 --device cpu"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commands", nargs="*", choices=[[], *COMMANDS], metavar="COMMAND")
    parser.add_argument("--signals", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    # A job in the background ignores Ctrl-C, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    names = options.commands or list(COMMANDS)
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as hub:
        inputs = Path(folder)
        write_inputs(inputs)
        environment = os.environ | {
            "PYTHONPATH": str(Path.cwd()),
            "HF_ENDPOINT": f"http://127.0.0.1:{hub.getsockname()[1]}",  # takes calls, says nothing
            "OMP_NUM_THREADS": "1",
        }
        environment.pop("HF_HUB_OFFLINE", None)
        with ThreadPoolExecutor(options.jobs) as pool:
            runs = pool.map(lambda name: undisturbed(COMMANDS[name], inputs, environment), names)
            seconds = dict(zip(names, runs, strict=True))
            plans = [plan(draw, seconds[name]) for name in names * options.signals][
                : options.signals
            ]
            ends = list(
                pool.map(
                    lambda part: disturbed(COMMANDS[part[0]], inputs, environment, part[1]),
                    zip(names * options.signals, plans, strict=False),
                )
            )
    rows = []
    for number, name in enumerate(names):
        counts = Counter(end for end, _ in ends[number :: len(names)])
        rows.append({"command": name, "seconds": seconds[name], "ends": dict(counts)})
    report("signals", rows, {"ends": dict(Counter(end for end, _ in ends)), "runs": len(ends)})
    faults = [fault for _, fault in ends if fault]
    print(*faults, sep="\n", file=sys.stderr)
    sys.exit(1 if faults else 0)


def write_inputs(folder: Path) -> None:
    """Write a tiny model for each command, rows, and an index of vectors."""
    from distilcli.app import main as distil
    from distilcli.model import heads

    _write(folder / "model", None, labels=LABELS, **SHAPE)
    _write(folder / "tagger", heads.TokenClassifier, labels=("O", "B-X"), **SHAPE)
    _write(folder / "answerer", heads.QuestionAnswerer, **SHAPE)
    _write(folder / "chooser", heads.MultipleChoice, **SHAPE)
    _write(folder / "filler", heads.MaskedLanguageModel, **SHAPE)
    for name, count in (("rows", ROWS), ("few", ROWS // 8)):
        lines = (f"a good film {n},{LABELS[n % 2]}\n" for n in range(count))
        (folder / f"{name}.csv").write_text("text,label\n" + "".join(lines))
    questions = (f"who is {n},it is {n} and nobody else\n" for n in range(ROWS))
    (folder / "qa.csv").write_text("question,context\n" + "".join(questions))
    masked = (f"a [MASK] film {n}\n" for n in range(ROWS // 8))
    (folder / "masked.csv").write_text("text\n" + "".join(masked))
    index = ["embed", folder / "few.csv", "-m", folder / "model", "-o", folder / "index.npy", "-q"]
    if code := distil([*map(str, index)]):
        sys.exit(code)


def undisturbed(command: Command, inputs: Path, environment: Mapping[str, str]) -> float:
    """Return the seconds of a run, 8 at most: those on a silent pipe go on forever."""
    with tempfile.TemporaryDirectory() as folder:
        process = start(command, inputs, Path(folder), environment)
        began = time.monotonic()
        try:
            _, err = process.communicate(timeout=8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        else:
            if process.returncode not in {0, 6} and command.words.count("org/name") == 0:
                sys.exit(f"{command.words}: exit {process.returncode}: {err.decode()}")
        return time.monotonic() - began


def plan(draw: random.Random, seconds: float) -> list[tuple[float, int]]:
    """Choose one signal or two, each with the seconds to wait for before it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    first = (draw.uniform(0, seconds), draw.choice(numbers))
    second = (draw.choice((0.0, 0.01, 0.3)), draw.choice(numbers))
    return [first, second] if draw.random() < 0.4 else [first]


def start(
    command: Command, inputs: Path, folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a command in an empty folder; return when it takes signals."""
    (folder / "work").mkdir()
    (folder / "tmp").mkdir()
    process = subprocess.Popen(
        command.line(inputs),
        stdin=subprocess.PIPE if command.stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder / "work",
        env={**environment, "TMPDIR": str(folder / "tmp"), "HF_HOME": str(folder / "hub")},
    )
    if command.stdin is not None and process.stdin is not None:
        process.stdin.write(command.stdin)
        process.stdin.flush()
    while process.poll() is None and not takes_signals(process.pid):
        time.sleep(0.001)
    return process


def takes_signals(process: int) -> bool:
    """Tell whether a process has a handler for SIGTERM."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt")), "0:0")
    return bool(int(caught.split(":")[1], 16) & 1 << (signal.SIGTERM - 1))


def disturbed(
    command: Command,
    inputs: Path,
    environment: Mapping[str, str],
    signals: list[tuple[float, int]],
) -> tuple[str, str]:
    """Run a command with signals; return how it ended, and what was wrong with that."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process = start(command, inputs, folder, environment)
        timers, after = [], 0.0
        for wait, number in signals:
            after += wait
            timers.append(Timer(after, process.send_signal, [number]))
            timers[-1].start()
        stdin, process.stdin = process.stdin, None  # `communicate` would close it
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=after + SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        if stdin is not None:
            stdin.close()
        for timer in timers:
            timer.cancel()
        code, seconds = process.returncode, time.monotonic() - began
        about = f"{command.words.split()[0]}: {signals}, exit {code} after {seconds:.2f} s"
        numbers = [number for _, number in signals]
        faults = faults_of(command, code, out, err.decode(), folder, numbers)
        return str(code), f"{about}: {', '.join(faults)}" if faults else ""


def faults_of(
    command: Command, code: int, out: bytes, err: str, folder: Path, signals: list[int]
) -> list[str]:
    """Return what is wrong with an end."""
    faults = []
    if code not in {0, *(128 + number for number in signals)}:
        faults.append("wrong code")
    if any(word in err for word in WRONG):
        faults.append(f"stderr: {err[-2000:]}")
    left = [path for path in folder.rglob("*") if path.name.startswith(".") and path.is_file()]
    left += (folder / "tmp").iterdir()
    left = [path for path in left if "hub" not in path.relative_to(folder).parts]
    if "--resume" in err:
        left = [path for path in left if not path.name.endswith((".part", ".run.json"))]
    if left:
        faults.append(f"left behind: {[str(path.relative_to(folder)) for path in left]}")
    written = folder / "work" / (command.writes or "none")
    if written.is_file() and written.read_text().count("\n") != ROWS + 1:
        faults.append(f"half of {written.name}")
    if len(signals) == 1 and out and not out.endswith(b"\n") and "bench" not in command.words:
        faults.append(f"half a row: {out[-80:]!r}")
    return faults


if __name__ == "__main__":
    main()
