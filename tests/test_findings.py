"""Findings: kept and read again, by many processes; a cache that cannot be used costs a warning."""

import json
import multiprocessing
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import DataWarning
from distilcli.findings import Finding, cache_folder

ABOUT = {"model": "a" * 64, "torch": "2.13", "required": 0.99}


def rows_of(found: Any) -> int:
    return int(found["rows"])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_a_finding_is_read_again_by_who_asks_for_the_same() -> None:
    assert Finding("int8", ABOUT).read(rows_of) is None
    Finding("int8", ABOUT).write({"rows": 40})
    assert Finding("int8", dict(reversed(ABOUT.items()))).read(rows_of) == 40
    assert Finding("speed", ABOUT).read(rows_of) is None
    assert Finding("int8", {**ABOUT, "torch": "2.14"}).read(rows_of) is None
    Finding("int8", ABOUT).write({"rows": 41})
    assert Finding("int8", ABOUT).read(rows_of) == 41
    assert [path.name for path in (cache_folder() / "int8").iterdir()] == [
        Finding("int8", ABOUT).path.name
    ]


def test_the_folder_is_that_of_the_system(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == home / "cache/distil"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for unusable in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert cache_folder() == home / ".cache/distil"


@given(content=st.binary(max_size=60) | st.sampled_from([
    b"", b"[]", b"null", b'{"about": {}, "found": {"rows": 1}}', b'{"found"', b"\xff", b"[" * 9999,
]))  # fmt: skip
def test_a_damaged_file_is_named_and_replaced(content: bytes) -> None:
    finding = Finding("int8", ABOUT)
    finding.write({"rows": 40})
    finding.path.write_bytes(content)
    with pytest.warns(DataWarning, match=r"\.json: damaged; ignored"):
        assert finding.read(rows_of) is None
    finding.write({"rows": 41})
    assert finding.read(rows_of) == 41


def test_so_is_one_that_lacks_something() -> None:
    Finding("int8", ABOUT).write({"columns": 2})
    with pytest.warns(DataWarning, match="damaged"):
        assert Finding("int8", ABOUT).read(rows_of) is None


def test_a_folder_that_cannot_be_made_costs_one_warning(home: Path) -> None:
    (home / "cache").write_text("a file")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Finding("int8", ABOUT).read(rows_of) is None
    with pytest.warns(DataWarning, match="distil: cannot be used .*, so nothing is remembered"):
        Finding("int8", ABOUT).write({"rows": 40})


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")

    def none() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none)
    assert Finding("int8", ABOUT).read(rows_of) is None
    with pytest.warns(DataWarning, match="set XDG_CACHE_HOME"):
        Finding("int8", ABOUT).write({"rows": 40})


def write_often(rows: int) -> None:
    for _ in range(200):
        Finding("int8", ABOUT).write({"rows": rows})


@pytest.mark.slow
def test_processes_that_write_at_once_never_leave_half_a_file() -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_often, args=(rows,)) for rows in (1, 2_000_000)]
    for writer in writers:
        writer.start()
    Finding("int8", ABOUT).write({"rows": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while any(writer.is_alive() for writer in writers):
            assert Finding("int8", ABOUT).read(rows_of) in {1, 2_000_000}
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    saved = json.loads(Finding("int8", ABOUT).path.read_text())
    assert saved["about"] == ABOUT
    assert len(list((cache_folder() / "int8").iterdir())) == 1
