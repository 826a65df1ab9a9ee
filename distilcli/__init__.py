"""DistilBERT at work on files: the library behind the `distil` command.

    from distilcli import Classifier

Each task has one class that loads once and maps texts to plain values. They are loaded when they
are first asked for (PEP 562), so that `import distilcli` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distilcli.predictors.answerer import Answerer
    from distilcli.predictors.chooser import Chooser
    from distilcli.predictors.classifier import Classifier
    from distilcli.predictors.embedder import Embedder
    from distilcli.predictors.mask_filler import MaskFiller
    from distilcli.predictors.tagger import Tagger

__version__ = "0.2.0"
__all__ = [
    "Answerer",
    "Chooser",
    "Classifier",
    "Embedder",
    "MaskFiller",
    "Tagger",
    "__version__",
]

_HOMES = {
    "Answerer": "distilcli.predictors.answerer",
    "Chooser": "distilcli.predictors.chooser",
    "Classifier": "distilcli.predictors.classifier",
    "Embedder": "distilcli.predictors.embedder",
    "MaskFiller": "distilcli.predictors.mask_filler",
    "Tagger": "distilcli.predictors.tagger",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
