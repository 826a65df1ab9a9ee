"""The completion script of zsh, written for its `_arguments`."""

from distilcli.completion.interface import Argument, Interface, Option, Values

_HEAD = """\
#compdef distil
# zsh completion for distil; written by: distil completions zsh

_distil_words_or_paths() {
    _alternative "words:$1:($2)" "paths:path:$3"
}

_distil() {
    local curcontext=$curcontext context state state_descr line
    local -A opt_args
    local -a commands
"""

_TAIL = """\
}

# Loaded from $fpath, this file is the function; sourced, it registers the function.
if [[ ${funcstack[1]} == _distil ]]; then
    _distil "$@"
else
    compdef _distil distil
fi
"""


def zsh_script(interface: Interface) -> str:
    """Return the script."""
    specs = [*map(_option_spec, interface.root.options), "'1: :->command'", "'*:: :->arguments'"]
    lines = ["commands=("]
    for command in interface.commands:
        summary = command.help.replace(":", r"\:")
        lines.append(f"    {_quoted(f'{command.name}:{summary}')}")
    lines += [
        ")",
        *_arguments_call("-C", specs),
        "case $state in",
        "    command) _describe -t commands command commands ;;",
        "    arguments) case $line[1] in",
    ]
    for command in interface.commands:
        specs = [*map(_option_spec, command.options), *map(_argument_spec, command.arguments)]
        lines += [f"        {command.name})"]
        lines += [f"            {line}" for line in _arguments_call("-s -S", specs)]
        lines += ["            ;;"]
    lines += ["    esac ;;", "esac"]
    return _HEAD + "".join(f"    {line}\n" for line in lines) + _TAIL


def _arguments_call(flags: str, specs: list[str]) -> list[str]:
    return [
        f"_arguments {flags} \\",
        *(f"    {spec} \\" for spec in specs[:-1]),
        f"    {specs[-1]}",
    ]


def _option_spec(option: Option) -> str:
    """Return the spec of an option: what it excludes, its spellings, help and values."""
    others = [*option.names, *option.excludes]
    front = "'*'" if option.repeats else f"'({' '.join(others)})'" if len(others) > 1 else ""
    values = "" if option.values is None else f":{_values(option.values)}"
    # The marks allow the value in the same word: --name=value, -nvalue.
    marks = ("", "") if option.values is None else ("=", "+")
    names = [name + marks[not name.startswith("--")] for name in option.names]
    spelt = names[0] if len(names) == 1 else f"{{{','.join(names)}}}"
    return front + spelt + _quoted(f"[{_escaped(option.help)}]{values}")


def _argument_spec(argument: Argument) -> str:
    return _quoted(f"{'*' if argument.repeats else ''}:{_values(argument.values)}")


def _values(values: Values) -> str:
    paths = {"files": "_files", "folders": "_files -/", None: ""}[values.paths]
    words = " ".join(values.words)
    if words and paths:
        # After a space, _arguments calls the function with these arguments and no others.
        return f'{values.name}: _distil_words_or_paths {values.name} "{words}" "{paths}"'
    return f"{values.name}:{paths or (f'({words})' if words else ' ')}"


def _escaped(text: str) -> str:
    for special in ("\\", "[", "]", ":"):
        text = text.replace(special, f"\\{special}")
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", r"'\''") + "'"
