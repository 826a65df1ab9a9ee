"""Whole runs on models that ask for too much: one line, code 4, and less memory than torch."""

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_MOST_BYTES = 200 * 1024 * 1024


def _config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        kept = json.loads(path.read_text()) | changes
        wanted = {key: value for key, value in kept.items() if value is not None}
        path.write_text(json.dumps(wanted))

    return change


def _a_million_tensors(folder: Path) -> None:
    entry = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = ("{" + ",".join(f'"t{n}":{entry}' for n in range(1_000_000)) + "}").encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)


def _millions_of_tokens(folder: Path) -> None:
    with (folder / "vocab.txt").open("a") as file:
        file.writelines(f"w{number}\n" for number in range(5_000_000))


def _endless(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(1 << 40)  # it takes no room on the disk

    return change


def _in_place_of(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


HOSTILE = {
    "a billion layers": _config(n_layers=10**9),
    "a billion labels": _config(num_labels=10**9, id2label=None, label2id=None),
    "a billion tokens": _config(vocab_size=10**9),
    "a billion positions": _config(max_position_embeddings=10**9),
    "a width of a billion": _config(dim=10**9, n_heads=10**9),
    "an infinite width": _config(dim=float("inf")),
    "an endless config.json": _endless("config.json"),
    "an endless vocabulary": _endless("vocab.txt"),
    "a million tensors": _a_million_tensors,
    "millions of tokens": _millions_of_tokens,
    "an endless header": lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 9),
    "a pipe for a configuration": _in_place_of("config.json", os.mkfifo),
    "a pipe for weights": _in_place_of("model.safetensors", os.mkfifo),
    "a link to itself": _in_place_of("config.json", lambda path: path.symlink_to(path.name)),
    "a folder for weights": _in_place_of("model.safetensors", Path.mkdir),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused_at_once_and_in_little_memory(
    tiny_folder: Path, tmp_path: Path, kind: str
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    HOSTILE[kind](folder)
    done, peak = _measured(["classify", "--text", "a film", "--model", str(folder)])
    assert done.returncode == 4, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("distil: error: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 1_000
    assert peak < _MOST_BYTES


def _measured(arguments: list[str]) -> tuple["subprocess.CompletedProcess[str]", int]:
    """Run `distil` under a process of its own; return it and its peak memory in bytes."""
    command = [sys.executable, "-c", _MEASURE, sys.executable, "-m", "distilcli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    *lines, last = done.stderr.splitlines(keepends=True)
    done.stderr = "".join(lines)
    return done, int(last) * 1024


_MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def test_the_measure_sees_what_a_run_takes() -> None:
    _, peak = _measured(["--version"])
    assert 1 << 20 < peak < _MOST_BYTES
