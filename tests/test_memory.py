import gc
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from distilcli import memory

needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")

_MEBIBYTES = 64
_KEPT = f"""
import sys
import torch
from distilcli.memory import give_back_memory, keep_freed_memory, resident_bytes

if "keep" in sys.argv:
    keep_freed_memory()
before = resident_bytes()
torch.ones({_MEBIBYTES} * 2**20, dtype=torch.uint8)
if "give back" in sys.argv:
    give_back_memory()
print(resident_bytes() - before)
"""


def kept(*arguments: str, **environment: str) -> float:
    """Return the share of a tensor's memory that the process has still when it was freed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    clean.pop("GLIBC_TUNABLES", None)
    ran = subprocess.run(
        [sys.executable, "-c", _KEPT, *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stdout) / (_MEBIBYTES * 2**20)


@pytest.mark.slow
@needs_glibc
def test_memory_that_was_freed_is_kept() -> None:
    assert kept("keep") > 0.9
    assert kept() < 0.1


@pytest.mark.slow
@needs_glibc
def test_memory_that_was_kept_is_given_back() -> None:
    assert kept("keep", "give back") < 0.1


@pytest.mark.slow
@needs_glibc
def test_settings_of_the_user_stay() -> None:
    assert kept("keep", MALLOC_ARENA_MAX="8") < 0.1


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(_name: None) -> None:
        raise OSError

    monkeypatch.setattr("ctypes.CDLL", no_library)
    memory.keep_freed_memory()
    memory.give_back_memory()


needs_limits = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux alone")


@needs_limits
@pytest.mark.parametrize(
    ("limit", "torch", "said"),
    [
        (2**20, "raise MemoryError", "torch does not fit into the 1,024 MiB of memory"),
        (2**20, "import os; os.abort()", "torch does not fit into the 1,024 MiB of memory"),
        (2**20, "zeros = ones = lambda *_: __import__('numpy').ones((1, 1))", "loaded"),
        (2**25, "raise SystemExit('loaded')", "loaded"),
    ],
)
def test_torch_is_not_loaded_where_it_does_not_fit(
    tmp_path: Path, limit: int, torch: str, said: str
) -> None:
    (tmp_path / "torch.py").write_text(torch)
    code = (
        "from distilcli.memory import check_memory_before_torch as check\n"
        "check(); import os, torch, sys; sys.exit('loaded')"
    )
    script = f'ulimit -v {limit}; exec "$0" -c "$1"'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, code],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{Path.cwd()}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stderr
    assert done.returncode == 1


@needs_limits
@pytest.mark.slow
@pytest.mark.parametrize("mebibytes", [200, 600])
def test_too_little_memory_for_torch_is_one_line(mebibytes: int) -> None:
    """600 MiB are enough to begin to load it, and then its libraries end the process."""
    script = f'ulimit -v {mebibytes * 1024}; exec "$0" -m distilcli classify --text good'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], capture_output=True, text=True, check=False
    )
    assert done.returncode == 5
    assert done.stderr.startswith("distil: error: torch does not fit")
    assert done.stderr.count("\n") == 1


def test_collections_are_rare_for_a_while_only() -> None:
    before = gc.get_threshold()

    def fail_meanwhile() -> None:
        with memory.rare_collections():
            assert gc.get_threshold() > before
            assert gc.get_freeze_count()
            raise KeyError

    with pytest.raises(KeyError):
        fail_meanwhile()
    assert gc.get_threshold() == before
    assert not gc.get_freeze_count()


def test_cycles_do_not_pile_up_where_collections_are_rare() -> None:
    class Cycle:
        freed = 0

        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            Cycle.freed += 1

    with memory.rare_collections():
        for _ in range(200_000):
            Cycle()
        assert Cycle.freed > 100_000


def test_free_memory_is_given_back_when_the_process_has_grown_by_half(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The first step gives back what loading has left; the second one shows what a step needs.
    held = [500, 300, 400, 450, 451, 200, 449, 600, 500, 749, 751]
    readings = iter(held)
    found: list[int] = []
    monkeypatch.setattr(memory, "resident_bytes", lambda: next(readings))
    monkeypatch.setattr(memory, "give_back_memory", lambda: found.append(step))
    free = memory.FreeMemory()
    for step in range(len(held)):  # noqa: B007
        free.after_step()
    assert [held[step] for step in found] == [500, 451, 600, 751]
    free.give_back()
    assert len(found) == 5


def test_nothing_is_given_back_where_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "resident_bytes", lambda: None)
    monkeypatch.setattr(memory, "give_back_memory", lambda: pytest.fail("gave back"))
    free = memory.FreeMemory()
    for _ in range(3):
        free.after_step()
