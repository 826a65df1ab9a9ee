"""The `distil` program: registers the commands and turns every error into an exit code.

Nothing heavy is imported before a command runs: `distil --help` costs what Typer costs.
"""

import errno
import gc
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from distilcli import __version__, processes
from distilcli.commands._declare import as_shown, flags_of, spellings_of
from distilcli.commands._help import Command, overview, program_help
from distilcli.errors import (
    DataWarning,
    DistilError,
    ResourceError,
    UsageError,
    settings_spelled,
)
from distilcli.interrupt import EXIT_INTERRUPTED
from distilcli.memory import is_allocation_failure

PROGRAM = "distil"
EXIT_BUG, EXIT_PIPE_CLOSED = 1, 141


class Registered(NamedTuple):
    """A command: its summary and topic in the help, and its module, imported when it runs."""

    summary: str
    module: str
    topic: str


_OUT_OF_MEMORY = "out of memory; free some, or use smaller batches"
_FULL = "no space left on the disk; free some and run again"
_LACKING = {
    os.strerror(errno.ENOSPC): _FULL,
    os.strerror(errno.EDQUOT): _FULL,
    os.strerror(errno.EMFILE): "too many open files; raise the limit (ulimit -n)",
    "can't start new thread": "cannot start another thread; close other programs (ulimit -u)",
}
"""What the user is told, for each message of Python, a library or the system."""

COMMANDS: dict[str, Registered] = {}
"""Every command by its name."""

# Typer's own help takes longer and says less. There are no options for completion, because an
# option that Typer finds unset makes it import pydantic: 100 ms to show the help of a command.
app = typer.Typer(
    name=PROGRAM,
    add_completion=False,
    add_help_option=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_help(wanted: bool) -> None:
    if wanted:
        typer.echo(program_help(COMMANDS))
        raise typer.Exit


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    show_help: Annotated[
        bool,
        typer.Option(
            "--help", "-h", callback=_show_help, is_eager=True, help="Show this help and exit."
        ),
    ] = False,
) -> None:
    """Run DistilBERT over files."""


def _stand_in() -> None:
    """Stand in for a command until it runs."""


def register(name: str, summary: str, module: str, *, topic: str = "Other commands") -> None:
    """Add a command: the function `name` of a module, which is imported when the command runs."""
    COMMANDS[name] = Registered(summary, module, topic)
    app.command(name, cls=Command, short_help=summary)(_stand_in)


for _topic, _commands in {
    "Label and read texts": {
        "classify": "Classify texts, with scores.",
        "tag": "Find names and other entities.",
        "qa": "Answer questions from their contexts.",
        "choose": "Choose between the options of a prompt.",
        "fill": "Fill in masked words.",
    },
    "Vectors and search": {"embed": "Turn texts into vectors, and search them."},
    "Models of your own": {
        "finetune": "Train a model for one of eight tasks, or distil one.",
        "evaluate": "Measure a model or its predictions against gold labels.",
        "clean": "Find rows whose label is probably wrong.",
        "compress": "Make a trained model smaller, and measure what that costs.",
    },
    "More machines": {"merge": "Put the parts of a run with --shard together."},
    "Look closer": {
        "tokenize": "Show how a model tokenizes texts.",
        "params": "Count the parameters of a model.",
        "bench": "Measure speed and memory on this machine.",
    },
    "Shell": {"completions": "Print the completion script for bash, zsh or fish."},
}.items():
    for _name, _summary in _commands.items():
        register(_name, _summary, f"distilcli.commands.{_name}", topic=_topic)


def _load(name: str) -> Callable[..., object]:
    """Replace the stand-in of a command by the command, and return it."""
    command: Callable[..., object] = getattr(import_module(COMMANDS[name].module), name)
    for registered in app.registered_commands:
        if registered.name == name:
            registered.callback = command
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `distil` with these arguments (default: those of the process); return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if _is_shared(given) and not processes.is_first():
        processes.silence()
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # For tables on a terminal that lacks a character; data goes out as UTF-8 bytes.
        sys.stdout.reconfigure(errors="backslashreplace")
    flags: dict[str, str] = {}
    with settings_spelled(flags), warnings.catch_warnings(), _collecting_again():
        warnings.simplefilter("always", DataWarning)
        warnings.showwarning = partial(_show_warning, set())
        try:
            if not given:
                sys.stdout.write(overview() + "\n")
            elif given[:1] == ["completions"]:  # its script describes all commands
                for name in COMMANDS:
                    _load(name)
            elif given[0] in COMMANDS:
                _check_folder()
                command = _load(given[0])
                flags.update(flags_of(command))
                given = [given[0], *as_shown(command, given[1:])]
            else:
                from distilcli.commands._suggest import refuse_unknown  # noqa: PLC0415 - rare

                refuse_unknown(given[0], COMMANDS)
            code = app(given, prog_name=PROGRAM, standalone_mode=False) if given else 0
            # The pipe may be closed, or the disk full, when buffered output is written.
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001 - the one place where every error ends
            try:
                return _end(error, given)
            except MemoryError:
                os.write(2, f"{PROGRAM}: error: {_OUT_OF_MEMORY}\n".encode())
                return ResourceError.exit_code
        return code if isinstance(code, int) else 0


@contextmanager
def _collecting_again() -> Iterator[None]:
    """Leave the garbage collector on, as a command may have switched it off to load a model."""
    try:
        yield
    finally:
        gc.enable()


def _is_shared(given: Sequence[str]) -> bool:
    """Say whether several processes share the command; it then speaks once."""
    return given[:1] == ["finetune"] and processes.count() > 1


def _show_warning(
    shown: set[str],
    message: Warning | str,
    category: type[Warning],
    filename: str,
    line: int,
    *_: object,
) -> None:
    """Show what was found out about rows as a line, once, and other warnings as Python does."""
    if not issubclass(category, DataWarning):
        from distilcli.escapes import visible  # noqa: PLC0415 - not needed for help

        with suppress(OSError):
            sys.stderr.write(visible(warnings.formatwarning(message, category, filename, line)))
    elif str(message) not in shown:
        from distilcli.console import write_line  # noqa: PLC0415 - not needed for help

        shown.add(str(message))
        write_line(f"{PROGRAM}: warning: {message}")


def _check_folder() -> None:
    """Raise `ResourceError` if the current folder was removed; libraries would crash there."""
    try:
        Path.cwd()
    except OSError:
        raise ResourceError("the current folder is gone; change to one that exists") from None


def _open_closed_streams() -> None:
    """Discard messages if the shell closed stderr; with stdout closed, fail once data comes."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")


def _end(error: BaseException, given: Sequence[str]) -> int:
    """Write the reason for the end to stderr, and return the exit code."""
    if isinstance(error, SystemExit):
        # Typer turns a closed pipe into an exit.
        if not isinstance(error.__context__, BrokenPipeError):
            return error.code if isinstance(error.code, int) else EXIT_BUG if error.code else 0
        error = error.__context__
    if isinstance(error, KeyboardInterrupt):
        if _is_shared(given):
            _first_failure(EXIT_INTERRUPTED)
        return EXIT_INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # Discard what is buffered for the pipe, so that Python ends silently.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return EXIT_PIPE_CLOSED
    from distilcli.console import write_line  # noqa: PLC0415 - not needed for help

    failure = _as_failure(error, given)
    if _is_shared(given):
        is_first, code = _first_failure(EXIT_BUG if failure is None else failure.exit_code)
        if not is_first:
            return code
        processes.speak()
    if failure is None or os.environ.get("DISTIL_DEBUG") == "1":
        sys.__excepthook__(type(error), error, error.__traceback__)
    if failure is None:
        write_line(f"{PROGRAM}: this is a bug; please report it with the lines above")
        return EXIT_BUG
    write_line(f"{PROGRAM}: error: {' '.join(str(failure).split())}")
    return failure.exit_code


def _first_failure(exit_code: int) -> tuple[bool, int]:
    """Say whether no other process of the run has failed before, and with what the first ended."""
    from distilcli.training.distributed import first_failure  # noqa: PLC0415 - loads torch

    return first_failure(exit_code)


def _as_failure(error: BaseException, given: Sequence[str]) -> DistilError | None:
    """Return the error as a `DistilError`; None if it is a bug."""
    if isinstance(error, DistilError):
        return error
    if isinstance(error, typer.TyperException):
        from distilcli.commands._suggest import plain_usage_error  # noqa: PLC0415 - rare

        if not given or given[0] not in COMMANDS:
            return UsageError(plain_usage_error(error, PROGRAM, ("--help", "--version")))
        spellings = spellings_of(_load(given[0])).values()
        known = ["--help", *(each for parts in spellings for each in parts)]
        return UsageError(plain_usage_error(error, f"{PROGRAM} {given[0]}", known))
    return _as_resource_error(error)


def _as_resource_error(error: BaseException) -> ResourceError | None:
    """Return the error for lacking memory, disk, files or packages; None for any other error."""
    if is_allocation_failure(error):
        return ResourceError(_OUT_OF_MEMORY)
    if isinstance(error, RuntimeError):
        said = str(error)
        return next((ResourceError(way) for cause, way in _LACKING.items() if cause in said), None)
    if isinstance(error, ImportError) and not (error.name or "").startswith("distilcli"):
        reason = str(error).partition("\n")[0]
        return ResourceError(f"a package cannot be loaded: {reason}; reinstall distilcli")
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return ResourceError(where + _LACKING.get(error.strerror, error.strerror))
    return None
