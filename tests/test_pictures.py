import sys
from pathlib import Path

import pytest

from distilcli.errors import ResourceError, UsageError
from distilcli.pictures import check_plot, drawn


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"distilcli\[plot\]"):
        check_plot("lengths.png", force=False)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("there.svg", "`force`"),
        ("lengths.pdf", "choose one of these"),
        ("missing/p.png", "no folder"),
    ],
)
def test_a_picture_that_cannot_be_is_told_before_the_work(
    name: str, words: str, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    (tmp_path / "there.svg").touch()
    check_plot(str(tmp_path / "new.svg"), force=False)
    with pytest.raises(UsageError, match=words):
        check_plot(str(tmp_path / name), force=False)


@pytest.mark.slow
def test_the_same_drawing_gives_the_same_bytes_whole_or_not_at_all(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    for name in ("a.svg", "b.svg"):
        with drawn(str(tmp_path / name)) as figure:
            figure.add_subplot().plot([0, 1], [1, 0])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    written = r"c.svg: cannot be written: No such file"
    with (
        pytest.raises(ResourceError, match=written),
        drawn(str(tmp_path / "missing" / "c.svg")) as figure,
    ):
        figure.add_subplot()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg"]
