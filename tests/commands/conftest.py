"""Rows that the tests of several commands read."""

from pathlib import Path

import pytest

TEXTS = ("i loved the film", "it was dull and slow", "good acting , bad plot")


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    path.write_text("id,text\n" + "".join(f'0{n},"{text}"\n' for n, text in enumerate(TEXTS)))
    return path
