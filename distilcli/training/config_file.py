"""The settings of a run in a config.toml, from which the run can be repeated; free of torch.

They are those that were given, in the table `settings`, by name. The other tables of the file
record what they came to, and are not read.
"""

import types
import typing
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin

from distilcli.errors import InputError, UsageError
from distilcli.gold.labels import did_you_mean
from distilcli.rows.data import Data, is_files
from distilcli.training.run_options import FinetuneOptions

_TABLE = "settings"
_RECORDS = {"read", "rows", "run", "start", "learning", "teacher"}
_TEXT, _TEXTS = "a text", "a list of texts"
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: _TEXT}


def settings_to_keep(task: str, given: Mapping[str, Any]) -> dict[str, object]:
    """Return the settings that were given as `config_toml` writes them, without rows in memory."""
    kept: dict[str, object] = {"task": task}
    for name, value in given.items():
        if name in {"files", "valid"}:
            kept |= {name: paths_of(value)} if paths_of(value) else {}
        elif isinstance(value, Sequence) and not isinstance(value, str):
            kept[name] = list(map(str, value))
        else:
            kept[name] = value if isinstance(value, bool | int | float) else str(value)
    return kept


def read_settings(path: str) -> dict[str, Any]:
    """Return the settings in a config.toml by name, `task` among them.

    Raises `InputError` for a file that cannot be read, and `UsageError` for a setting that does
    not exist or has another kind of value.
    """
    content = _read_toml(path)
    for name in content.keys() - {_TABLE} - _RECORDS:
        raise UsageError(f"{path}: has no use for {name!r}; settings are in the table [{_TABLE}]")
    settings = content.get(_TABLE)
    if not isinstance(settings, dict):
        raise InputError(f"{path}: has no table [{_TABLE}], so there is no run to repeat")
    kinds = {"task": str, "files": list[str], **typing.get_type_hints(FinetuneOptions)}
    kinds["valid"] = kinds["files"]
    for name, value in settings.items():
        if name not in kinds:
            raise UsageError(
                f"{path}: there is no setting {name!r} in finetune{did_you_mean(name, kinds)}"
            )
        if not any(_fits(value, kind) for kind in _alternatives(kinds[name])):
            wanted = " or ".join(dict.fromkeys(map(_in_words, _alternatives(kinds[name]))))
            raise UsageError(f"{path}: `{name}` is {value!r}; it must be {wanted}")
    return settings


def paths_of(data: Data) -> list[str]:
    """Return the paths of files; rows in memory have none."""
    if not is_files(data):
        return []
    return [str(data)] if isinstance(data, str | Path) else list(map(str, data))


def _read_toml(path: str) -> dict[str, Any]:
    try:
        tomllib = import_module("tomllib")
    except ModuleNotFoundError:
        raise UsageError("`config` needs Python 3.11 or newer, which reads TOML") from None
    try:
        content: dict[str, Any] = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # of the encoding too
        raise InputError(f"{path}: is not TOML: {error}") from None
    return content


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in {typing.Union, types.UnionType} else (kind,)


def _fits(value: object, kind: Any) -> bool:
    if get_origin(kind) is typing.Literal:
        return value in get_args(kind)
    if get_origin(kind) is not None:  # a list of texts
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if kind in {int, float} and isinstance(value, bool):
        return False
    return isinstance(value, int | float if kind is float else kind)


def _in_words(kind: Any) -> str:
    if get_origin(kind) is typing.Literal:
        return " or ".join(map(str, get_args(kind)))
    return _KINDS.get(kind, _TEXTS)
