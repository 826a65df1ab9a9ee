"""From the name of a model to its files: a folder, a built-in name, or a hub id.

Local models are found without the network, and a name that can only be local (a path, a misspelt
built-in model) is refused without asking the hub.
"""

import dataclasses
import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from distilcli.checkpoint.folder import (
    CONFIG_NAME,
    ModelFiles,
    TokenizerFiles,
    describe_folder,
    describe_tokenizer,
)
from distilcli.checkpoint.hub import snapshot
from distilcli.checkpoint.json_file import read_object
from distilcli.errors import ModelError

__all__ = ["BUILTIN_ROOT", "ModelFiles", "builtin_names", "is_of_user", "locate"]

BUILTIN_ROOT = Path(__file__).resolve().parent.parent / "builtin"
"""The models of the package: a folder for each, and `shared` for files of several."""

_SHARED = "shared"
_PART = r"[A-Za-z0-9_][\w.-]*"
_HUB_ID = re.compile(
    rf"(?P<repo>{_PART}(?:/{_PART})?)(?:@(?P<revision>(?!.*\.\.)[\w./-]+))?", re.ASCII
)


def builtin_names() -> tuple[str, ...]:
    """Return the names of the models that ship with the package, sorted."""
    return tuple(sorted(path.parent.name for path in BUILTIN_ROOT.glob(f"*/{CONFIG_NAME}")))


def is_of_user(model: str) -> bool:
    """Whether a model is a folder that the user named, not a built-in model or one of the hub."""
    return (Path(model).expanduser() / CONFIG_NAME).is_file()


def locate(model: str, *, offline: bool = False) -> ModelFiles:
    """Find the files of `model`: a folder, a built-in name, `org/name` or `org/name@revision`.

    A folder with a config.json takes precedence over a built-in model of the same name. With
    `offline` (or HF_HUB_OFFLINE=1) the network is not used. Raises `ModelError` if the model is
    not found or cannot be downloaded.
    """
    try:
        files = _locate_here(model)
    except OSError as error:
        raise ModelError(f"model '{model}' cannot be read ({error.strerror}); check it") from error
    if files is not None:
        return files
    match = _HUB_ID.fullmatch(model)
    if match is None:
        raise ModelError(
            f"model '{model}' is not a folder, a built-in model or a hub id "
            "(org/name or org/name@revision); check its spelling"
        )
    return describe_folder(model, snapshot(match["repo"], match["revision"], offline=offline))


def locate_tokenizer(model: str, *, offline: bool = False) -> TokenizerFiles:
    """Find the files of a model's tokenizer; the weights of hub models are not downloaded.

    A folder needs neither weights nor a config.json. Raises `ModelError` as `locate` does.
    """
    folder = Path(os.path.expanduser(model))  # noqa: PTH111 - as in _locate_here
    files = describe_tokenizer(model, folder)
    if files.tokenizer_json or files.vocab_txt:
        return files
    match = _HUB_ID.fullmatch(model)
    if match is None or model in builtin_names() or _locate_here(model) is not None:
        return describe_tokenizer(model, locate(model).folder, beside=BUILTIN_ROOT / _SHARED)
    folder = snapshot(match["repo"], match["revision"], offline=offline, weights=False)
    return describe_tokenizer(model, folder)


def _locate_here(model: str) -> ModelFiles | None:
    """Find a folder or a built-in model; return None for a possible hub id."""
    # Not every shell expands the ~ of model=~/x.
    folder = Path(os.path.expanduser(model))  # noqa: PTH111 - Path's own fails on unknown users
    is_folder = bool(model) and folder.is_dir()
    if model in builtin_names() and not (is_folder and (folder / CONFIG_NAME).is_file()):
        return _describe_builtin(model)
    if is_folder:
        return describe_folder(model, folder)
    if folder.is_file():
        raise ModelError(f"model '{model}' is a file; give the folder that holds it")
    _refuse_near_miss(model, folder)
    return None


def _describe_builtin(name: str) -> ModelFiles:
    """Find a built-in model's files: its own and those shared with others."""
    shared = BUILTIN_ROOT / _SHARED
    files = describe_folder(name, BUILTIN_ROOT / name, beside=shared)
    shared_weights = read_object(files.config_path).get("shared_weights")
    if shared_weights is None:
        return files
    return dataclasses.replace(files, weight_files=(*files.weight_files, shared / shared_weights))


def _refuse_near_miss(model: str, folder: Path) -> None:
    """Refuse a name that can only be a typo, with the probable model."""
    if "/" not in model and (builtin := _nearest(model, builtin_names())):
        raise ModelError(f"there is no model '{model}'; did you mean the built-in '{builtin}'?")
    has_parent = len(folder.parts) > 1 and folder.parent.is_dir()
    siblings = (
        [path.name for path in folder.parent.iterdir() if path.is_dir()] if has_parent else []
    )
    if near := _nearest(folder.name, siblings):
        raise ModelError(f"there is no folder '{model}'; did you mean '{folder.parent / near}'?")
    if _is_path_like(model):
        raise ModelError(
            f"there is no folder '{model}'; give one that exists, a built-in model, "
            "or a hub id like org/name"
        )


def _nearest(name: str, candidates: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.75)), None)


def _is_path_like(model: str) -> bool:
    repo = model.partition("@")[0]
    return (
        repo.startswith((".", "~", "/"))
        or repo.endswith("/")
        or repo.count("/") > 1
        or (os.sep != "/" and os.sep in repo)
    )
