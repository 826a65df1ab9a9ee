"""Runs that are killed at random moments, and go on until they are complete.

They are forks of a process that has loaded torch, so that a kill takes a second or less.
"""

import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WINDOW = 64
CODES = (0, 6)


@dataclass
class Killed:
    """One output that was made in spite of kills: how many, how often it went on, the result."""

    output: str
    kills: int
    resumed: int
    is_same: bool
    is_tidy: bool


def write_rows(path: Path, rows: int) -> None:
    """Write a CSV of short rows, some of which fail, span two lines or are empty."""
    texts = ("good film", '"a bad,\nslow plot"', "", "boring", "the camera works very well")
    lines = (f"{number},{texts[number % 5]}\n" for number in range(rows))
    path.write_text("id,text\n" + "".join(lines))


def distil(folder: str, arguments: Sequence[str]) -> None:
    """Run a command in this process as `distil` does, with a checkpoint at each of many windows."""
    from distilcli.app import main
    from distilcli.engine.engine import Engine
    from distilcli.interrupt import end_on_signals, leave
    from distilcli.rows import file_output
    from distilcli.tasks import checkpoints

    os.chdir(folder)
    end_on_signals()
    sys.stderr = Path("../stderr").open("w", buffering=1)  # noqa: SIM115 - until the exit
    checkpoints.SECONDS, checkpoints._MOST_TIME, file_output.MEMBER_SIZE = 0, 1e9, 2000
    of_engine = Engine.__post_init__

    def small_windows(engine: Any) -> None:
        object.__setattr__(engine, "window_rows", WINDOW)
        of_engine(engine)

    Engine.__post_init__ = small_windows  # type: ignore[method-assign]
    leave(main(list(arguments)))


def forks() -> Any:
    """Return how to start processes that have loaded what a command needs."""
    context = multiprocessing.get_context("forkserver")
    modules = ("classifier", "tagger", "embedder")
    context.set_forkserver_preload(
        ["tests._kills", *(f"distilcli.predictors.{name}" for name in modules)]
    )
    return context


def _started(folder: Path, arguments: Sequence[str]) -> Any:
    """Start a command; return its process once a signal is the command's own."""
    stderr = folder.parent / "stderr"
    stderr.unlink(missing_ok=True)
    process = forks().Process(target=distil, args=(str(folder), arguments))
    process.start()
    while process.is_alive() and not stderr.exists():
        time.sleep(0.01)
    return process


def _finish(folder: Path, arguments: Sequence[str]) -> tuple[str, float]:
    """Run a command to its end; return what it said, and the seconds it took."""
    process = _started(folder, arguments)
    began = time.monotonic()
    process.join()
    seconds = time.monotonic() - began
    err = (folder.parent / "stderr").read_text()
    if process.exitcode not in CODES:
        raise AssertionError(f"{arguments}: exit code {process.exitcode}: {err}")
    return err, seconds


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def killed_runs(
    folder: Path,
    arguments: Sequence[str],
    output: str,
    *,
    kills: int,
    numbers: Sequence[int],
    seed: int,
) -> Iterator[Killed]:
    """Make an output again and again, killed up to three times each, until `kills` are reached.

    A kill comes at a random moment of the time that an unbroken run took; `numbers` are the
    signals to send.
    """
    chance = random.Random(seed)
    whole, broken = folder / "whole", folder / "broken"
    whole.mkdir(parents=True)
    broken.mkdir()
    _finish(whole, [*arguments, "-o", output])  # the first one waits for torch
    for path in whole.iterdir():
        path.unlink()
    seconds = _finish(whole, [*arguments, "-o", output])[1]
    expected = _files(whole)
    command = [*arguments, "-o", output, "--resume"]
    sent = 0
    while sent < kills:
        here = resumed = 0
        while here < min(3, kills - sent):
            process = _started(broken, command)
            time.sleep(seconds * chance.uniform(0.1, 1.0))
            number = chance.choice(numbers)
            if process.is_alive():
                os.kill(process.pid, number)
            process.join()
            err = (folder / "stderr").read_text()
            resumed += "continuing after" in err
            if process.exitcode in CODES:  # it was faster
                break
            if process.exitcode not in {-number, 128 + number}:
                raise AssertionError(
                    f"{output}: signal {number} gave exit code {process.exitcode}: {err}"
                )
            here += 1
        sent += here
        resumed += "continuing after" in _finish(broken, command)[0]
        found = _files(broken)
        is_same = all(found.get(name) == content for name, content in expected.items())
        yield Killed(output, here, resumed, is_same, is_tidy=found.keys() == expected.keys())
        for path in broken.iterdir():
            path.unlink()
