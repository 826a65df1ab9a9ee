import inspect
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
import typer

from distilcli.commands._declare import Also, GivenOptions, as_shown, flags_of, opt, options
from distilcli.errors import UsageError
from distilcli.setting import setting


@dataclass(kw_only=True)
class First:
    topic: ClassVar[str] = "First things"

    files: Annotated[list[str], opt("Files.")]
    limit: Annotated[int | None, opt("Limit.", "-n", "--limit", topic="Own"), Also("--most")] = None
    formats: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Both:
    first: First
    given: GivenOptions


def _command() -> tuple[Any, list[Any]]:
    seen: list[Any] = []

    @options(topic="Mine", leave_out={"left"}, formats=("a",), limit=4, left=9)
    def command(
        both: Both,
        given: GivenOptions,
        task: Annotated[str, opt("Task.")] = "classify",
        left: Annotated[int, opt("Left out.")] = 1,
        json: Annotated[bool, opt("Flag.")] = False,
        stats: Annotated[str | None, opt("File."), Also("--json")] = None,
    ) -> int:
        """Do it."""
        seen.extend((both, given, task, left, json, stats))
        return 7

    return command, seen


def _run(command: Any, *words: str) -> Any:
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return app(as_shown(command, list(words)), standalone_mode=False)


def test_a_command_gets_its_options_as_objects_and_the_names_of_those_given() -> None:
    command, seen = _command()
    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["typer_context", "task", "json", "stats", "files", "limit"]
    assert parameters["files"].default is inspect.Parameter.empty
    assert parameters["limit"].default == 4
    assert (command.__name__, command.__doc__) == ("command", "Do it.")
    assert _run(command, "--files", "a", "--task", "tag") == 7
    both, *others = seen
    assert both.first == First(files=["a"], limit=4, formats=("a",))
    assert both.given == others[0] == {"files", "task"}
    assert others[1:] == ["tag", 9, False, None]


def test_an_option_has_the_topic_of_its_group_unless_it_has_its_own() -> None:
    command, _ = _command()
    topics = {
        name: parameter.annotation.__metadata__[0].rich_help_panel
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "typer_context"
    }
    assert topics["files"] == "First things"
    assert topics["limit"] == "Own"
    assert topics["task"] == "Mine"


def test_flags_are_the_first_spellings() -> None:
    command, _ = _command()
    assert flags_of(command) == {
        "files": "--files", "limit": "-n", "task": "--task", "json": "--json", "stats": "--stats",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--most", "3"], ["-n", "3"]),
        (["--most=3"], ["-n=3"]),
        (["--json"], ["--json"]),
        (["--json", "--task", "x"], ["--json", "--task", "x"]),
        (["--json", "-"], ["--stats", "-"]),
        (["--json=x"], ["--stats=x"]),
        (["--", "--most"], ["--", "--most"]),
        (["-::My sheet", "a.csv"], ["stdin::My sheet", "a.csv"]),
        (["--json", "-::x"], ["--json", "stdin::x"]),
        (["--task", "-::x"], ["--task", "-::x"]),
        (["-n", "-::x"], ["-n", "-::x"]),
    ],
)
def test_further_spellings_become_the_shown_ones(words: list[str], shown: list[str]) -> None:
    assert as_shown(_command()[0], words) == shown


def test_options_without_effect_and_those_that_exclude_each_other() -> None:
    given = GivenOptions(["stride", "top_k"])
    given.refuse(["limit"], "is for rows")
    with pytest.raises(UsageError, match=r"^`stride` is for windows; add `long` window$"):
        given.refuse(["limit", "stride"], "is for windows; add `long` window")
    given.at_most_one("stride", "limit")
    with pytest.raises(UsageError, match=r"^`stride` and `top_k` do not go together; give one"):
        given.at_most_one("limit", "stride", "top_k")


@dataclass(kw_only=True)
class Sizes:
    topic: ClassVar[str] = "Sizes"

    width: int = setting(768, "Width.", "--dim", also=("--hidden",), topic="Own", min=1)
    seed: int = setting(0, "Seed.")


@dataclass(kw_only=True)
class Draw:
    seed: int = setting(9, "Another seed.")


def test_settings_are_options_and_one_name_is_one_option() -> None:
    seen: list[Any] = []

    @options()
    def command(sizes: Sizes, draw: Draw) -> None:
        seen.extend((sizes, draw))

    assert flags_of(command) == {"width": "--dim", "seed": "--seed"}
    info = inspect.signature(command).parameters["width"].annotation.__metadata__[0]
    assert (info.help, info.rich_help_panel, info.min) == ("Width.", "Own", 1)
    _run(command, "--hidden", "4")
    _run(command, "--seed", "3")
    assert seen == [Sizes(width=4), Draw(seed=0), Sizes(seed=3), Draw(seed=3)]
