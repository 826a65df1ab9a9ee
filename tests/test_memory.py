import os
import platform
import subprocess
import sys

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

    monkeypatch.setattr(memory.ctypes, "CDLL", no_library)
    memory.keep_freed_memory()
    memory.give_back_memory()
