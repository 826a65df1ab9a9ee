"""The completion script of bash; it needs only bash 3.2."""

from collections.abc import Iterable

from distilcli.completion.interface import Command, Interface, Values

_HEAD = """\
# bash completion for distil; written by: distil completions bash

_distil_words() {
    local word
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$1" -- "$current")
}

_distil_paths() {
    local path
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "$1" -- "$current")
}

# Any text may follow: offer nothing, not even files.
_distil_free() { compopt +o default 2>/dev/null; }

_distil() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} i
    local command=${COMP_WORDS[1]} options=1
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then command=; fi
    # bash splits --option=value into three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]] && ((COMP_CWORD > 2)); then
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then options=; fi
    done
"""

_TAIL = """\
}

complete -o default -F _distil distil
"""


def bash_script(interface: Interface) -> str:
    """Return the script."""
    names = " ".join(command.name for command in interface.commands)
    lines = ["case $command in", *_branch(interface.root, f"_distil_words '{names}'")]
    for command in interface.commands:
        lines += _branch(command, _offers([each.values for each in command.arguments]))
    lines.append("esac")
    return _HEAD + "".join(f"    {line}\n" for line in lines) + _TAIL


def _branch(command: Command, arguments: str) -> Iterable[str]:
    """Yield the lines that complete one command: values of options, options, or `arguments`."""
    alike: dict[str, list[str]] = {}
    for option in command.options:
        if option.values is not None:
            alike.setdefault(_offers([option.values]), []).extend(option.names)
    yield f"    '{command.name}')"
    yield "        if [[ $options ]]; then"
    if alike:
        yield "            case $previous in"
        for offers, names in alike.items():
            yield f"                {' | '.join(names)}) {offers}; return ;;"
        yield "            esac"
    names = [name for option in command.options for name in option.names]
    yield "            if [[ $current == -* ]]; then"
    yield f"                _distil_words '{' '.join(names)}'; return"
    yield "            fi"
    yield "        fi"
    yield f"        {arguments} ;;"


def _offers(places: list[Values]) -> str:
    offers = [
        call
        for values in places
        for call in (
            f"_distil_words '{' '.join(values.words)}'" if values.words else "",
            {"files": "_distil_paths -f", "folders": "_distil_paths -d", None: ""}[values.paths],
        )
        if call
    ]
    return "; ".join(offers or ["_distil_free"])
