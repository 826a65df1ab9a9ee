"""The `distil` command: its commands registered, and every error turned into an exit code here.

Nothing heavy is imported before a command runs: `distil --help` costs what Typer costs.
"""

import errno
import inspect
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from distilcli import __version__
from distilcli.errors import DistilError, ResourceError, UsageError, settings_spelled
from distilcli.interrupt import exit_on_signals

PROGRAM = "distil"
EXIT_BUG, EXIT_INTERRUPTED, EXIT_PIPE_CLOSED = 1, 130, 141

_EXAMPLES = """Examples:

  distil classify reviews.csv    label every row with the built-in model

  distil finetune rows.csv -o m  a model of your own from rows with labels

  distil params                  what the built-in model is made of

  distil params org/name --diff sentiment

Exit codes: 0 done, 2 usage, 3 input, 4 model, 5 resources, 6 some rows failed, 7 a gate failed,
130 interrupted, 141 pipe closed, 143 terminated."""

# Plain help: with rich it takes twice as long, and says the same. The help option is our own, and
# there are none for completion, because an option that Typer finds unset makes it import pydantic:
# 100 ms to show the help of a command.
app = typer.Typer(
    name=PROGRAM,
    add_completion=False,
    add_help_option=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_help(context: typer.Context, wanted: bool) -> None:
    if wanted:
        typer.echo(context.get_help())
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
            "--help", "-h", callback=_show_help, is_eager=True, help="Show this message and exit."
        ),
    ] = False,
) -> None:
    """DistilBERT at work on files: label text, train your own model, see what it sees."""


COMMANDS = {
    "bench": "Measure how fast a model is here, and what it costs.",
    "classify": "Label the rows of files, with scores.",
    "choose": "Choose between the options of a prompt.",
    "completions": "Print the script by which bash, zsh or fish complete on Tab.",
    "embed": "Turn texts into vectors, and search in them.",
    "evaluate": "Measure a model, or predictions, against what was expected.",
    "fill": "Fill in the masked words of texts.",
    "finetune": "Train your own model for one of eight tasks, or distil one.",
    "params": "Count the parameters of a model.",
    "qa": "Answer questions from their contexts.",
    "tag": "Find names and other entities in the rows of files.",
    "tokenize": "Show the tokens that a model sees of a text.",
}
"""What help says of each command; the module of that name is imported when it is asked for."""


def _stand_in() -> None:
    """Hold the place of a command in the list of help."""


for _name, _summary in COMMANDS.items():
    app.command(_name, short_help=_summary)(_stand_in)


def _load(name: str) -> Callable[..., Any]:
    """Put a command in the place of its stand-in, and return it."""
    command: Callable[..., Any] = getattr(import_module(f"distilcli.commands.{name}"), name)
    for place in app.registered_commands:
        if place.name == name:
            place.callback = command
    return command


def flags_of(command: Callable[..., Any]) -> dict[str, str]:
    """Return how each parameter of a command is written on the command line."""
    flags = {}
    for name, parameter in inspect.signature(command).parameters.items():
        for each in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(each, typer.models.ArgumentInfo):
                flags[name] = (each.metavar or name.upper()).strip("[].")
            elif isinstance(each, typer.models.OptionInfo):
                # Typer takes the first spelling in Annotated for the default.
                spelling = each.default if isinstance(each.default, str) else f"--{name}"
                flags[name] = spelling.partition("/")[0].replace("_", "-")
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `distil` with these arguments (else the process's own) and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A table may hold a sign that the terminal's encoding has not: data go out as UTF-8 bytes.
        sys.stdout.reconfigure(errors="backslashreplace")
    flags: dict[str, str] = {}
    with settings_spelled(flags):
        try:
            # The script of completions describes all commands.
            for name in COMMANDS if given[:1] == ["completions"] else given[:1]:
                if name in COMMANDS:
                    flags.update(flags_of(_load(name)))
            with exit_on_signals():
                code = app(given or ["--help"], prog_name=PROGRAM, standalone_mode=False)
            # What is still buffered may meet a closed pipe or a full disk: find out here.
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001 - the one place where every error ends
            return _end(error)
        return code if isinstance(code, int) else 0


def _open_closed_streams() -> None:
    """Let what goes to a stream that the shell has closed (`>&-`) go nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def _end(error: BaseException) -> int:
    """Say on stderr, in one line, why the run ends; return the exit code."""
    if isinstance(error, SystemExit):
        # Typer turns a closed pipe into an exit.
        if not isinstance(error.__context__, BrokenPipeError):
            return error.code if isinstance(error.code, int) else EXIT_BUG if error.code else 0
        error = error.__context__
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _discard_stdout()
        return EXIT_PIPE_CLOSED
    failure = _as_failure(error)
    if failure is None or os.environ.get("DISTIL_DEBUG") == "1":
        sys.__excepthook__(type(error), error, error.__traceback__)
    if failure is None:
        sys.stderr.write(f"{PROGRAM}: this is a bug; please report it with the lines above\n")
        return EXIT_BUG
    from distilcli.console import write_line  # noqa: PLC0415 - not needed for help

    write_line(f"{PROGRAM}: error: {' '.join(str(failure).split())}")
    return failure.exit_code


def _as_failure(error: BaseException) -> DistilError | None:
    """Return the error as one that users see; None if it can only be a bug."""
    if isinstance(error, DistilError):
        return error
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else PROGRAM
        message = error.format_message().replace("Value error, ", "").rstrip(".")
        return UsageError(f"{message}; see '{command} --help'")
    if isinstance(error, MemoryError) or _is_allocation_failure(error):
        return ResourceError("memory does not suffice; free some, or try smaller batches")
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        where = f"{error.filename}: " if error.filename else ""
        return ResourceError(f"{where}no space left on the disk; free some and run again")
    return None


def _is_allocation_failure(error: BaseException) -> bool:
    # It stands on ctypes, which would slow every start down.
    from distilcli.memory import is_allocation_failure  # noqa: PLC0415

    return isinstance(error, RuntimeError) and is_allocation_failure(str(error))


def _discard_stdout() -> None:
    """Let what is still buffered for a closed pipe go nowhere, so that Python ends in silence."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
