import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from distilcli.interrupt import (
    Interrupted,
    deferred_interrupt,
    scratch_folder,
    stop_if_asked,
    undo_at_sudden_end,
)

needs_posix = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals there")

# What a program begins with that owns its signals.
PROGRAM = """
import os, signal, sys, threading, time
from pathlib import Path
from distilcli.interrupt import *
from distilcli.interrupt import end_on_signals
end_on_signals()
def send(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)
        time.sleep(0.02)
"""


def ended(code: str, *, before: str = "") -> tuple[int, str, str]:
    """Run a program that owns its signals; return its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", f"{before}{PROGRAM}{code}"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_the_first_interrupt_waits_and_the_second_does_not() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, deferred_interrupt():
        _ = press_ctrl_c(), press_ctrl_c()
    assert caught.type is KeyboardInterrupt


def test_an_interrupt_that_waits_is_let_go_where_it_is_safe() -> None:
    def run() -> None:
        with deferred_interrupt():
            stop_if_asked()
            press_ctrl_c()
            with pytest.raises(Interrupted):
                stop_if_asked()
            done.append(True)

    done: list[bool] = []
    stop_if_asked()
    with pytest.raises(Interrupted):
        run()
    assert done
    stop_if_asked()
    assert issubclass(Interrupted, KeyboardInterrupt)


def test_the_outermost_context_lets_an_interrupt_go_at_its_end() -> None:
    def run() -> None:
        with deferred_interrupt():
            with deferred_interrupt():
                press_ctrl_c()
            done.append(True)

    done: list[bool] = []
    with pytest.raises(Interrupted):
        run()
    assert done
    with deferred_interrupt():
        stop_if_asked()


def test_an_error_is_more_than_an_interrupt() -> None:
    def run() -> None:
        with deferred_interrupt():
            press_ctrl_c()
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        run()
    with deferred_interrupt():
        stop_if_asked()


def test_interrupts_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupt():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred_interrupt():
            signal.raise_signal(signal.SIGINT)
            stop_if_asked()
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_defer_nothing_and_do_not_stop() -> None:
    def work() -> None:
        with deferred_interrupt():
            stop_if_asked()
            done.append(True)

    def run() -> None:
        with deferred_interrupt():
            press_ctrl_c()
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    done: list[bool] = []
    with pytest.raises(Interrupted):
        run()
    assert done


def test_nothing_is_undone_in_other_programs(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    with undo_at_sudden_end(kept.unlink):
        pass
    with scratch_folder() as folder:
        assert Path(folder).is_dir()
    assert not Path(folder).exists()
    assert kept.exists()


@needs_posix
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize(
    "busy",
    [
        "time.sleep(60)",
        "sys.stdin.read()",
        "threading.Event().wait()",
        "threading.Lock().__enter__(); threading.Thread(target=time.sleep, args=(60,)).start()",
    ],
)
def test_a_signal_ends_a_program_at_once(name: str, code: int, busy: str) -> None:
    before = f"threading.Timer(0.05, os.kill, (os.getpid(), signal.{name})).start(); {busy}"
    if busy == "sys.stdin.read()":
        before = f"os.dup2(os.pipe()[0], 0); {before}"
    assert ended(before + "; time.sleep(60)") == (code, "", "")


@needs_posix
def test_a_signal_does_not_wait_for_a_library() -> None:
    """The main thread is inside C code and runs no handler."""
    code = "import ctypes; threading.Timer(0.05, send, (15,)).start(); ctypes.CDLL(None).sleep(60)"
    assert ended(code) == (143, "", "")


@needs_posix
def test_a_signal_waits_for_the_end_of_what_it_would_break() -> None:
    code = """
with deferred_interrupt():
    send(signal.SIGTERM)
    print("whole", flush=True)
print("never")
"""
    assert ended(f"try:\n{indented(code)}\nexcept Interrupted: leave(0)") == (143, "whole\n", "")


@needs_posix
def test_a_second_signal_ends_a_program_at_once_with_the_code_of_the_first() -> None:
    code = "with deferred_interrupt(patience=None): send(signal.SIGTERM, signal.SIGINT)"
    assert ended(f"{code}; time.sleep(60)") == (143, "", "")


@needs_posix
def test_a_signal_does_not_wait_forever() -> None:
    code = "with deferred_interrupt(patience=0.05): send(signal.SIGTERM); time.sleep(60)"
    assert ended(code) == (143, "", "")


@needs_posix
@pytest.mark.parametrize("end", ["send(signal.SIGHUP); time.sleep(60)", "leave(129)"])
def test_what_is_temporary_is_gone_at_the_end(tmp_path: Path, end: str) -> None:
    gone, kept = tmp_path / "gone", tmp_path / "kept"
    code = f"""
for name in ({str(gone)!r}, {str(kept)!r}): Path(name).touch()
undo_at_sudden_end(Path({str(tmp_path / "none")!r}).unlink)
undo_at_sudden_end(Path({str(gone)!r}).unlink)
undo_at_sudden_end(Path({str(kept)!r}).unlink).close()
with scratch_folder() as folder:
    print(folder, flush=True)
    {end}
"""
    status, folder, err = ended(code)
    assert (status, err) == (129, "")
    assert not gone.exists()
    assert not Path(folder.strip()).exists()
    assert kept.exists()


@needs_posix
def test_what_is_ignored_stays_so_for_a_program() -> None:
    ignore = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    assert ended("send(signal.SIGHUP); print('on'); leave(0)", before=ignore) == (0, "on\n", "")


@needs_posix
@pytest.mark.parametrize("lacking", ["os.pipe", "threading.Thread.start"])
def test_a_system_without_room_for_the_thread(lacking: str) -> None:
    """Then the main thread hears of signals, between two instructions."""
    refuse = f"""
import os, threading
def refuse(*_):
    {lacking} = kept
    raise RuntimeError("no room")
kept, {lacking} = {lacking}, refuse
"""
    assert ended("send(15); time.sleep(60)", before=refuse) == (143, "", "")
    code = (
        "with deferred_interrupt(): send(15); print('whole', flush=True); send(1); time.sleep(60)"
    )
    assert ended(code, before=refuse) == (143, "whole\n", "")


def test_the_end_of_a_program_does_not_wait_for_its_threads() -> None:
    code = "threading.Thread(target=time.sleep, args=(60,)).start(); print('out'); leave(6)"
    assert ended(code) == (6, "out\n", "")


def indented(code: str) -> str:
    return "".join(f"    {line}\n" for line in code.splitlines())
