from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import pytest
import typer

from distilcli.commands._declare import opt, options
from distilcli.commands._help import Command
from distilcli.setting import setting


@dataclass(kw_only=True)
class Shares:
    topic: ClassVar[str] = "Shares"

    decay: float = setting(1.0, "Decay.", min=0.1, max=1)
    rate: float = setting(0.05, "Rate.", min=0)
    top: float | None = setting(None, "Top.", max=2)
    kind: Literal["balanced"] | None = setting(None, "Kind.")
    size: Literal["a-long-choice", "another-long-choice"] = setting("a-long-choice", "Size.")


@pytest.fixture
def page(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of the help of a command with these options."""
    monkeypatch.setenv("COLUMNS", "80")

    @options(topic="Own")
    def command(
        shares: Shares, *, count: Annotated[int, opt("Count.", min=0, max=1)] = 0, **_: Any
    ) -> None:
        """Do it."""

    app = typer.Typer(add_completion=False)
    app.command(cls=Command)(command)
    app(["--help"], standalone_mode=False)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_share_is_written_as_one(page: list[str]) -> None:
    assert "--decay 0..1 Decay (default: 1)." in page
    assert "--rate N Rate (default: 0.05)." in page
    assert "--top N Top." in page
    assert "--count N Count (default: 0)." in page


def test_choices_are_named_once(page: list[str]) -> None:
    assert "--kind balanced Kind." in page
    words = " ".join(page)
    assert "Size; one of a-long-choice, another-long-choice (default: a-long-choice)." in words
