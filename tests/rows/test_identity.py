"""What tells one run from another."""

import contextlib
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from distilcli.errors import InputError, UsageError
from distilcli.rows import identity
from distilcli.rows.identity import RunIdentity, fingerprints

RUN = RunIdentity("classify", "1.0", "abc", {"top_k": 1, "long": "window"}, {"a.csv": "1"})


def test_the_same_run() -> None:
    assert RUN.difference(replace(RUN, options=dict(reversed(RUN.options.items())))) is None


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"command": "embed"}, "distil classify"),
        ({"version": "1.1"}, "version 1.0 ran it, and this is version 1.1"),
        ({"model": "def"}, "the model has changed"),
        ({"options": {"top_k": 2, "long": "window"}}, "`top_k` was 1 and is 2"),
        ({"options": {"top_k": 1}}, "`long` was 'window' and is not given"),
        ({"options": {**RUN.options, "multi": True}}, "`multi` was not given and is given"),
    ],
)
def test_another_model_or_option_is_named(now: dict[str, object], words: str) -> None:
    error = RUN.difference(replace(RUN, **now))  # type: ignore[arg-type]
    assert isinstance(error, UsageError)
    assert words in error.args[0]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"a.csv": "2"}, "a.csv has changed"),
        ({"a.csv": "1", "b.csv": "1"}, "b.csv was not among the inputs"),
        ({}, "a.csv is no longer among the inputs"),
    ],
)
def test_another_input_is_named(inputs: dict[str, str], words: str) -> None:
    error = RUN.difference(replace(RUN, inputs=inputs))
    assert isinstance(error, InputError)
    assert words in error.args[0]


def test_the_order_of_inputs_counts() -> None:
    two = replace(RUN, inputs={"a": "1", "b": "2"})
    error = two.difference(replace(RUN, inputs={"b": "2", "a": "1"}))
    assert error is not None
    assert "a different order" in error.args[0]


def _find(folder: Path, *names: str) -> dict[str, str]:
    return fingerprints([(name, folder / name) for name in names])


def test_small_inputs_are_known_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one two")
    before = _find(tmp_path, "a")
    os.utime(tmp_path / "a", (1, 1))
    assert _find(tmp_path, "a") == before
    about = (tmp_path / "a").stat()
    (tmp_path / "a").write_text("one twO")
    os.utime(tmp_path / "a", ns=(about.st_atime_ns, about.st_mtime_ns))
    assert _find(tmp_path, "a") != before


def test_large_inputs_are_known_by_size_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_READ", 3)
    (tmp_path / "a").write_text("text")
    before = _find(tmp_path, "a")
    assert _find(tmp_path, "a") == before
    os.utime(tmp_path / "a", (1, 1))
    assert _find(tmp_path, "a") != before


@pytest.mark.parametrize("change", ["content", "order"])
def test_very_many_inputs_share_one_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(identity, "_NAMED", 2)
    names = ["a", "b", "c"]
    for name in names:
        (tmp_path / name).write_text(name)
    before = _find(tmp_path, *names)
    assert len(before) == 1
    assert before == _find(tmp_path, *names)
    if change == "content":
        (tmp_path / "b").write_text("z")
    else:
        names.reverse()
    assert _find(tmp_path, *names) != before


def test_an_input_may_be_given_twice(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    assert _find(tmp_path, "a", "a") != _find(tmp_path, "a")


def test_what_a_database_has_not_written_yet_counts(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE rows (text)")
        before = _find(tmp_path, "a.db")
        database.execute("INSERT INTO rows VALUES ('good')")
        database.commit()
        assert _find(tmp_path, "a.db") != before
