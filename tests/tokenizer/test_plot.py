import sys
from pathlib import Path

import pytest

from distilcli.errors import UsageError
from distilcli.tokenizer.plot import check_plot, plot_lengths
from tests.tokenizer.test_statistics import of_lengths


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"distilcli\[plot\]"):
        check_plot("lengths.png", force=False)


@pytest.mark.slow
def test_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    path = tmp_path / "lengths.svg"
    check_plot(str(path), force=False)
    plot_lengths(of_lengths([3, 9, 40], limit=16), str(path), title="$rows$ of a_b")
    picture = path.read_text()
    assert picture.count("<path") > 3
    with pytest.raises(UsageError, match="`force`"):
        check_plot(str(path), force=False)
    with pytest.raises(UsageError, match="choose one of these"):
        check_plot(str(tmp_path / "lengths.pdf"), force=False)
