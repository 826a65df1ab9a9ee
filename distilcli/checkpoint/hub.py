"""Models of the Hugging Face hub: from its cache first, else the few files that a model needs.

huggingface_hub does the work and honours HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE. It
takes a quarter of a second to import, so local models do not load it.
"""

import errno
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distilcli import downloads
from distilcli.checkpoint.folder import (
    CONFIG_NAME,
    TOKENIZER_NAMES,
    WEIGHT_NAMES,
    find_weights,
    is_index,
    model_folder,
)
from distilcli.checkpoint.sentence_transformers import SENTENCE_NAMES, sentence_files
from distilcli.errors import ModelError

_VOCABULARY_NAMES = ("tokenizer.json", "vocab.txt")
_OLD_FOLDER = "0_Transformer/"
_TIMEOUT = 10.0
"""Seconds to wait for the hub's first answer."""


def snapshot(repo: str, revision: str | None, *, offline: bool, weights: bool = True) -> Path:
    """Return the folder with the files of model `repo` at `revision` (None: its main branch).

    Without `weights`, only the small files beside them are needed. A cached model is used without
    asking the hub, others are downloaded to the cache. Raises ModelError if that fails, within
    seconds if the hub does not answer.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    name = repo if revision is None else f"{repo}@{revision}"
    # The HTTP library has changed twice: its errors are found as the bases of the hub's own. The
    # transfer library raises RuntimeError.
    hub_errors: tuple[type[Exception], ...] = (
        OSError,
        RuntimeError,
        HFValidationError,
        *HfHubHTTPError.__bases__,
    )
    try:
        cached = _cached(repo, revision, weights=weights)
        if cached is not None:
            return cached
        if offline or constants.HF_HUB_OFFLINE:
            there = ", ".join(f"{repo}@{path.name}" for path in _snapshots(repo))
            raise ModelError(
                f"model '{name}' is not in the local cache and the network is off; "
                + (f"give {there}, which is there, or " if there else "")
                + "run once without `offline` and HF_HUB_OFFLINE, or give a folder"
            )
        with _silent_hub(), downloads.show(name) as tell:
            return _download(repo, revision, name, weights=weights, tell=tell)
    except hub_errors as error:
        # A full disk is not the hub's fault.
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise ModelError(_explain(error, repo, revision)) from error


def _cached(repo: str, revision: str | None, *, weights: bool) -> Path | None:
    """Return the cached snapshot if it has a configuration, and all weights or a tokenizer.

    If the cache does not say which snapshot is the main branch's, it is the only one.
    """
    storage = _storage(repo)
    reference = storage / "refs" / (revision or "main")
    if reference.is_file():
        revision = reference.read_text(encoding="utf-8").strip()
    there = _snapshots(repo)
    folder = next((path for path in there if path.name == revision), None)
    if folder is None and revision is None and len(there) == 1:
        (folder,) = there
    if folder is None:
        return None
    if weights:
        files = find_weights(model_folder(folder))
        return folder if files and all(path.is_file() for path in files) else None
    inside = model_folder(folder)
    return folder if any((inside / name).is_file() for name in _VOCABULARY_NAMES) else None


def _storage(repo: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name
    from huggingface_hub.utils._validators import validate_repo_id

    validate_repo_id(repo)
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")


def _snapshots(repo: str) -> list[Path]:
    """Return the cached snapshots of a model that have a configuration."""
    there = sorted(_storage(repo).glob("snapshots/*"))
    return [path for path in there if (model_folder(path) / CONFIG_NAME).is_file()]


def _download(
    repo: str, revision: str | None, name: str, *, weights: bool, tell: downloads.Progress
) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    info = HfApi().model_info(repo, revision=revision, timeout=_TIMEOUT)
    there = {sibling.rfilename for sibling in info.siblings or ()}
    # Old sentence-transformers have the model in a folder of its own.
    inside = "" if CONFIG_NAME in there else _OLD_FOLDER
    best = next((name for name in WEIGHT_NAMES if inside + name in there), None)
    has_config = inside + CONFIG_NAME in there
    if not has_config or (weights and best is None):
        wanted = f"weights ({', '.join(WEIGHT_NAMES)})" if has_config else CONFIG_NAME
        raise ModelError(f"model '{name}' has no {wanted} on the hub; choose another model")

    counter = _byte_counter(tell, before=0)

    def fetch(*names: str) -> Path:
        nonlocal counter
        counter = _byte_counter(tell, before=counter.done)
        files = list(names)
        return Path(
            snapshot_download(repo, revision=revision, allow_patterns=files, tqdm_class=counter)
        )

    # The weights come last: without them the cache is not taken for complete.
    names = (CONFIG_NAME, *TOKENIZER_NAMES, *SENTENCE_NAMES)
    folder = fetch(*SENTENCE_NAMES, *(inside + name for name in names))
    if not (weights and best):
        return folder
    if modules := there.intersection(sentence_files(folder)):
        fetch(*modules)
    fetch(inside + best)
    if is_index(best):
        fetch(*(inside + path.name for path in find_weights(model_folder(folder))))
    return folder


@contextmanager
def _silent_hub() -> Iterator[None]:
    """Keep the hub library's own bars and warnings off stderr."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    logger = logging.getLogger("huggingface_hub")
    level, had_bars = logger.level, not are_progress_bars_disabled()
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            disable_progress_bars()
            yield
    finally:
        logger.setLevel(level)
        if had_bars:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the environment may have decided for all
                enable_progress_bars()


def _byte_counter(tell: downloads.Progress, *, before: int) -> Any:
    """Return a class for the hub's progress bars that draws none, and counts bytes in `done`.

    A snapshot has a bar of bytes received and one of bytes written: the further one counts.
    `before` are the bytes of earlier snapshots.
    """
    from huggingface_hub.utils.tqdm import tqdm

    class Counter(tqdm):
        done = before
        bars: list["Counter"] = []  # noqa: RUF012 - one list for the bars of all threads

        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **{**named, "disable": True})  # type: ignore[no-untyped-call]
            if named.get("unit") == "B":
                self.bars.append(self)

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            self.refresh()

        def refresh(self, *_: Any, **__: Any) -> None:
            if self.bars:
                Counter.done = before + max(int(bar.n) for bar in self.bars)
                tell(Counter.done, before + max(int(bar.total or 0) for bar in self.bars))

    return Counter


def _explain(error: Exception, repo: str, revision: str | None) -> str:
    """Return one line on why the hub did not give the model, and the way out."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    model = f"model '{repo}'"
    if isinstance(error, HFValidationError):
        return f"{model} is not a valid hub id; write org/name or org/name@revision"
    if isinstance(error, GatedRepoError):
        return f"{model} is gated; accept its terms on the hub, then set HF_TOKEN"
    if isinstance(error, RevisionNotFoundError):
        return f"{model} has no revision '{revision}' on the hub; leave it out to get the latest"
    if isinstance(error, RepositoryNotFoundError):
        return f"{model} is not on the hub or is private; check its spelling, or set HF_TOKEN"
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        status = error.response.status_code
        return f"{model} was refused by the hub (HTTP {status}); try later, or give a folder"
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return (
        f"{model} is not a folder here, not in the local cache, and the hub cannot be reached "
        f"({reason}); check its name or the network"
    )
