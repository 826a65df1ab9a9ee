"""What a journal is where its file is damaged, cannot be written, or is not its own."""

import os
from pathlib import Path

import pytest

from distilcli.errors import ResourceError
from distilcli.rows.identity import RunIdentity
from distilcli.rows.journal import Journal, Progress
from distilcli.rows.reader import Mark

RUN = RunIdentity("classify", "1", "model", {"top_k": 2}, {"in.csv": "1 bytes"})
PROGRESS = Progress(rows=3, written=2, mark=Mark(), output={"bytes": 4}, stats={}, counts={"a": 2})


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Return the journal of `out.csv`, whose unfinished file is there."""
    (tmp_path / ".out.csv.part").touch()
    return Journal(str(tmp_path / "out.csv"))


def test_it_is_read_as_it_was_saved(journal: Journal) -> None:
    journal.save(RUN, PROGRESS)
    assert journal.read() == (RUN, PROGRESS)
    journal.remove()
    assert journal.read() is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "nothing", "[]", "3", "{}", '{"format": 1, "run": {}, "progress": "far"}'),
        *('{"format": 1, "run": {}, "progress": {"mark": 3}}', "[" * 100_000, "\0\udcff"),
    ],
)
def test_a_damaged_one_is_none(journal: Journal, text: str) -> None:
    journal.path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert journal.read() is None


def test_a_failed_write_leaves_the_earlier_one(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    journal.save(RUN, PROGRESS)
    before = sorted(journal.path.parent.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="its journal cannot be written: No space left"):
        journal.save(RUN, PROGRESS)
    assert sorted(journal.path.parent.iterdir()) == before
    assert journal.read() == (RUN, PROGRESS)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_in_its_place_is_not_followed(journal: Journal, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("mine")
    journal.path.with_name(journal.path.name + ".new").symlink_to(other)
    journal.save(RUN, PROGRESS)
    assert other.read_text() == "mine"
    assert journal.read() == (RUN, PROGRESS)
