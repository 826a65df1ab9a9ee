from dataclasses import MISSING, dataclass, fields

import pytest

from distilcli.setting import setting


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    width: int = setting(768, "Width.", "--dim", min=1)
    name: str = setting(MISSING, "Name.", metavar="NAME", also=("--called",))


def test_a_setting_is_a_field_with_its_default() -> None:
    assert Shape(name="x") == Shape(width=768, name="x")
    with pytest.raises(TypeError, match="name"):
        Shape()


def test_a_setting_says_how_it_is_offered() -> None:
    width, name = fields(Shape)
    assert width.metadata["help"] == ("Width.", "--dim")
    assert (width.metadata["min"], width.metadata["max"]) == (1, None)
    assert (name.metadata["metavar"], name.metadata["also"]) == ("NAME", ("--called",))
