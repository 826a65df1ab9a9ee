"""The settings of a run as TOML, which Python can read (`tomllib`) but not write.

A subset of TOML: tables of strings, numbers, booleans and lists. TOML has no null, so a setting
that is None becomes a comment.
"""

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# Not allowed in strings or comments: control characters and lone surrogates.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def config_toml(settings: Mapping[str, object], *, command: Sequence[str] = ()) -> str:
    """Return `settings` as TOML, with the command line as a comment at the top.

    Values are str, int, float, bool, None, lists or tuples of these, and mappings, which become
    tables. A lone surrogate, which UTF-8 cannot hold, becomes U+FFFD. Raises `TypeError` for a
    value of another type, and for None in a list.
    """
    top = f"# {_FORBIDDEN.sub(' ', shlex.join(command))}\n\n" if command else ""
    return top + "\n".join(_table(settings, ())).strip("\n") + "\n"


def _table(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a table: its own settings first, then the tables in it."""
    inner = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    if path:
        yield f"[{'.'.join(map(_key, path))}]"
    for name, value in table.items():
        if value is None:
            yield f"# {_key(name)} is not set"
        elif name not in inner:
            yield f"{_key(name)} = {_value(value)}"
    yield ""
    for name, value in inner.items():
        yield from _table(value, (*path, name))


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):  # in a list
        return f"{{{', '.join(f'{_key(k)} = {_value(v)}' for k, v in value.items())}}}"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _text(text: str) -> str:
    """Return a quoted string."""
    escaped = "".join(_ESCAPES.get(character, character) for character in text)
    return f'"{_FORBIDDEN.sub(_escape, escaped)}"'


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return "\ufffd" if code > 0x7F else f"\\u{code:04X}"  # noqa: PLR2004
