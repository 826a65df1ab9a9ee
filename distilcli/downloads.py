"""Where the progress of downloads goes: nowhere, unless the console shows its bar."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, int], None]
"""Takes the bytes downloaded so far, and the bytes of the whole download."""


@contextmanager
def unseen(_name: str) -> Iterator[Progress]:
    """Show nothing."""
    yield lambda _done, _total: None


show: Callable[[str], AbstractContextManager[Progress]] = unseen
"""Opens the view of one download, by the model's name."""
