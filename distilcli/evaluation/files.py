"""Which files hold predictions, by their names; free of torch."""

from contextlib import suppress
from pathlib import Path

from distilcli.errors import UsageError
from distilcli.rows.formats import INPUT_FORMATS, split_suffixes

_LOOK = 1_000  # bytes
_SUFFIXES = {*INPUT_FORMATS} - {"squad"}


def is_predictions(subject: str, *, has_data: bool) -> bool:
    """Whether predictions are evaluated, not a model; raise `UsageError` for a model alone."""
    path = Path(subject)
    named = split_suffixes(subject)[0] in _SUFFIXES
    found = subject == "-" or path.is_file() or (named and not path.is_dir())
    if not (found or has_data):
        raise UsageError(f"{subject} is a model: also give the data to evaluate it on")
    return found


def is_answers(subject: str) -> bool:
    """Whether a file of predictions has answers by ids: JSON, and not an array of rows."""
    if split_suffixes(subject)[0] != "json":
        return False
    with suppress(OSError), Path(subject).open("rb") as file:
        return not file.read(_LOOK).lstrip().startswith(b"[")
    return True
