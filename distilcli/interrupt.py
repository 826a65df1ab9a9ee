"""Ctrl-C that waits for a safe moment, and signals that let files be cleaned up."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

EXIT_INTERRUPTED = 130


class Interrupted(KeyboardInterrupt):
    """A Ctrl-C that waited for a safe moment."""


@dataclass(slots=True)
class Interrupt:
    """Whether Ctrl-C was pressed."""

    asked: bool = False


_waiting: list[Interrupt] = []


@contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Defer the first Ctrl-C to `stop_if_asked`; a second raises KeyboardInterrupt as usual.

    Signals reach only the main thread; on others nothing is deferred.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        if interrupt.asked:
            raise KeyboardInterrupt
        interrupt.asked = True

    previous = signal.signal(signal.SIGINT, note)
    _waiting.append(interrupt)
    try:
        yield interrupt
    finally:
        _waiting.remove(interrupt)
        signal.signal(signal.SIGINT, previous)


def stop_if_asked() -> None:
    """Raise `Interrupted` if a Ctrl-C waits; call it at safe moments."""
    if any(interrupt.asked for interrupt in _waiting):
        raise Interrupted


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `SystemExit` with 128 + their number, as shells report them.

    A signal that is ignored (`nohup`) or already has a handler is left alone, and so are both
    outside the main thread. Once the exit has begun, further signals are ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGTERM", "SIGHUP")
    wanted = [getattr(signal, name) for name in names if hasattr(signal, name)]
    numbers = [number for number in wanted if signal.getsignal(number) is signal.SIG_DFL]

    def leave(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in numbers:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
