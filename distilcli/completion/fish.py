"""The completion script of fish: one `complete` for each command, option and argument."""

from collections.abc import Iterable

from distilcli.completion.interface import Command, Interface, Option, Values

_HEAD = """\
# fish completion for distil; written by: distil completions fish

function __distil_runs --argument-names command
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    test "$words[2]" = "$command"
end

complete --command distil --no-files
"""


def fish_script(interface: Interface) -> str:
    """Return the script."""
    lines = [*_command_lines(interface.root)]
    lines += [
        f"{_when('')} --arguments {command.name} --description {_quoted(command.help)}"
        for command in interface.commands
    ]
    for command in interface.commands:
        lines += ["", *_command_lines(command)]
    return _HEAD + "\n".join(lines) + "\n"


def _command_lines(command: Command) -> Iterable[str]:
    for option in command.options:
        yield _option_line(command, option)
    for argument in command.arguments:
        yield f"{_when(command.name)}{_offers(argument.values)}"


def _option_line(command: Command, option: Option) -> str:
    names = [
        f" --long-option {name[2:]}" if name.startswith("--") else f" --short-option {name[1:]}"
        for name in option.names
    ]
    values = ""
    if option.values is not None:
        takes = " --require-parameter" if option.values.paths == "files" else " --exclusive"
        values = takes + _offers(option.values)
    described = f" --description {_quoted(option.help)}"
    return f"{_when(command.name)}{''.join(names)}{values}{described}"


def _when(command: str) -> str:
    condition = f"__distil_runs {command}".rstrip()
    return f"complete --command distil --condition '{condition}'"


def _offers(values: Values) -> str:
    words = [*values.words]
    if values.paths == "folders":
        words.append("(__fish_complete_directories)")
    files = " --force-files" if values.paths == "files" else ""
    kept = " --keep-order" if words and not values.paths else ""
    return files + kept + (f" --arguments {_quoted(' '.join(words))}" if words else "")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", r"\'") + "'"
