import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _no_thread_outlives_its_run() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("distil-"):
            thread.join(timeout=10)
            assert not thread.is_alive(), f"{thread.name} was left running"
