from pathlib import Path

import pytest

from distilcli.tokenizer.plot import plot_lengths
from tests.tokenizer.test_statistics import of_lengths


@pytest.mark.slow
def test_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    path = tmp_path / "lengths.svg"
    plot_lengths(of_lengths([3, 9, 40], limit=16), str(path), title="$rows$ of a_b")
    assert path.read_text().count("<path") > 3
