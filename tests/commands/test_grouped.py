import inspect
from dataclasses import dataclass
from typing import Any

from distilcli.commands._grouped import grouped


@dataclass
class First:
    files: list[str]
    limit: int | None = None


@dataclass
class Second:
    seed: int = 3


def test_a_command_gets_its_options_as_objects() -> None:
    seen: list[Any] = []

    @grouped(First, Second)
    def command(first: First, second: Second, *, task: str = "classify") -> int:
        """Do it."""
        seen.extend((first, second, task))
        return 7

    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["files", "limit", "task", "seed"]
    assert parameters["files"].default is inspect.Parameter.empty
    assert parameters["seed"].default == 3
    assert (command.__name__, command.__doc__) == ("command", "Do it.")
    assert command(files=["a"], limit=1, task="tag", seed=5) == 7
    assert seen == [First(["a"], 1), Second(5), "tag"]
