"""Who hears how far a download is: the library prints nothing, the console puts its bar here."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, int], None]
"""Takes the bytes that are there and the bytes in all, as far as both are known."""


@contextmanager
def unseen(_name: str) -> Iterator[Progress]:
    """Show nothing."""
    yield lambda _done, _total: None


show: Callable[[str], AbstractContextManager[Progress]] = unseen
"""Opens the view of one download, by the model's name."""
