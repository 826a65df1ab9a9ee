"""Signals: each ends the program at once, or waits until that is safe.

`distil` receives them on a thread of its own (`end_on_signals`). So no signal raises an exception
inside a library or waits for a long call into one, and a second signal always ends the program.
When the package is used as a library, only Ctrl-C is handled, and only where it is deferred.
"""

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import NoReturn

EXIT_INTERRUPTED = 130

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_PATIENCE_SECONDS = 8.0  # less than the ten that containers get between SIGTERM and SIGKILL
_STACK_BYTES = 256 * 1024

_owned: set[int] = set()  # the signals that end the program
_noted: list[int] = []  # the signal that waits for a safe moment
_deferrals: list[float | None] = []  # how long a signal may wait, outermost first
_undo: dict[object, Callable[[], object]] = {}
_lock = threading.RLock()


class Interrupted(KeyboardInterrupt):
    """A signal that waited for a safe moment."""


@contextlib.contextmanager
def deferred_interrupt(*, patience: float | None = _PATIENCE_SECONDS) -> Iterator[None]:
    """Defer the first signal to `stop_if_asked` or, if nothing failed, to the end of the context.

    A second signal ends the program at once, and so does the first if it has to wait for more than
    `patience` seconds. In programs other than `distil`, only Ctrl-C is deferred, a second one
    raises KeyboardInterrupt as usual, and there is no limit. Only the main thread receives signals;
    on other threads nothing is deferred. Of nested contexts, the outermost counts.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: int | None = None
    with _own_handler():
        _deferrals.append(patience)
        try:
            yield
        finally:
            with _lock:
                _deferrals.pop()
                asked = _noted[0] if _noted and not _deferrals else None
    if asked:
        raise Interrupted(asked)


@contextlib.contextmanager
def _own_handler() -> Iterator[None]:
    """Note Ctrl-C in a program that has not called `end_on_signals`, and does not ignore it."""
    previous = signal.getsignal(signal.SIGINT)
    if _owned or previous is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: _note_or_raise())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if not _deferrals:
            _noted.clear()


def _note_or_raise() -> None:
    if _noted:
        raise KeyboardInterrupt
    _noted.append(signal.SIGINT)


def is_stop_asked() -> bool:
    """Say whether a signal is waiting for a safe moment."""
    is_main = threading.current_thread() is threading.main_thread()
    return bool(_deferrals and _noted) and is_main


def stop_if_asked() -> None:
    """Raise `Interrupted` if a signal is waiting; call this where that is safe."""
    if is_stop_asked():
        raise Interrupted(_noted[0])


def undo_at_sudden_end(action: Callable[[], object]) -> contextlib.ExitStack:
    """Run `action`, such as removing a file, if the program ends before the result is closed.

    It runs on another thread, and only in `distil`.
    """
    key = object()
    _undo[key] = action
    stack = contextlib.ExitStack()
    stack.callback(_undo.pop, key, None)
    return stack


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """Yield a temporary folder, which is removed however the program ends."""
    from shutil import rmtree  # noqa: PLC0415 (slow to import)
    from tempfile import TemporaryDirectory  # noqa: PLC0415

    with (
        TemporaryDirectory(prefix="distil-") as folder,
        undo_at_sudden_end(partial(rmtree, folder)),
    ):
        yield folder


def end_on_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end this program with 128 + their number, as shells report it.

    Actions of `undo_at_sudden_end` run first. Signals that are ignored (by `nohup`, or in
    background jobs) stay ignored.
    """
    usual = (signal.SIG_DFL, signal.default_int_handler)
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    _owned.update(number for number in numbers if signal.getsignal(number) in usual)
    is_watched = _start_watching()
    for number in _owned:
        # Python runs a handler on the main thread, between two of its instructions: too late during
        # a long call into a library. So the thread does the work where there is one.
        signal.signal(number, (lambda *_: None) if is_watched else (lambda got, _: _take(got)))


def _start_watching() -> bool:
    """Start the thread; return False if the system has no threads or pipes to spare."""
    stack = threading.stack_size()
    try:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.stack_size(_STACK_BYTES)
        threading.Thread(target=_watch, args=(reader,), name="distil-signals", daemon=True).start()
    except (OSError, RuntimeError, ValueError):
        with contextlib.suppress(ValueError):
            signal.set_wakeup_fd(-1)
        return False
    finally:
        threading.stack_size(stack)
    return True


def _watch(reader: int) -> None:
    patience: float | None = None
    while True:
        if not select.select([reader], [], [], patience)[0]:
            _end_at_once(_noted[0])
        for number in os.read(reader, 64):
            if number in _owned:
                _take(number)
                patience = _deferrals[0] if _deferrals else _PATIENCE_SECONDS


def _take(number: int) -> None:
    """Note a signal that has to wait; end the program on any other."""
    with _lock:
        if _deferrals and not _noted:
            _noted.append(number)
            return
    _end_at_once(_noted[0] if _noted else number)


def _end_at_once(number: int) -> NoReturn:
    _undo_all()
    os._exit(128 + number)


def _undo_all() -> None:
    while _undo:
        _, action = _undo.popitem()
        with contextlib.suppress(OSError):
            action()


def leave(code: int) -> NoReturn:
    """End the program, with the code of the signal if one was noted.

    Python's own shutdown would wait for threads, abort in those that still run a model, take
    another tenth of a second, and not react to signals.
    """
    _undo_all()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(128 + _noted[0] if _noted else code)
