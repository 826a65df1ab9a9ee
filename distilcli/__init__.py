"""Run DistilBERT over texts: the library behind the `distil` command.

    from distilcli import Classifier

Each task has a class that loads a model once and maps texts to plain values. Names are imported
when they are first used (PEP 562), so that `import distilcli` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distilcli.errors import (
        DistilError,
        GateError,
        HeadError,
        InputError,
        ModelError,
        ResourceError,
        RowError,
        UsageError,
    )
    from distilcli.evaluation.run import evaluate
    from distilcli.predictors.answerer import Answerer
    from distilcli.predictors.chooser import Chooser
    from distilcli.predictors.classifier import Classifier
    from distilcli.predictors.embedder import Embedder
    from distilcli.predictors.frame import to_frame
    from distilcli.predictors.mask_filler import MaskFiller
    from distilcli.predictors.matcher import LabelMatcher
    from distilcli.predictors.tagger import Tagger
    from distilcli.tasks.settings import BatchOptions, LongTexts
    from distilcli.training.run import finetune

__version__ = "0.2.0"
__all__ = [
    "Answerer", "BatchOptions", "Chooser", "Classifier", "DistilError", "Embedder", "GateError",
    "HeadError", "InputError", "LabelMatcher", "LongTexts", "MaskFiller", "ModelError",
    "ResourceError", "RowError", "Tagger", "UsageError", "__version__", "evaluate", "finetune",
    "to_frame",
]  # fmt: skip

_MODULES = {
    "errors": (
        "DistilError", "GateError", "HeadError", "InputError", "ModelError", "ResourceError",
        "RowError", "UsageError",
    ),
    "evaluation.run": ("evaluate",),
    "predictors.answerer": ("Answerer",),
    "predictors.chooser": ("Chooser",),
    "predictors.classifier": ("Classifier",),
    "predictors.embedder": ("Embedder",),
    "predictors.frame": ("to_frame",),
    "predictors.mask_filler": ("MaskFiller",),
    "predictors.matcher": ("LabelMatcher",),
    "predictors.tagger": ("Tagger",),
    "tasks.settings": ("BatchOptions", "LongTexts"),
    "training.run": ("finetune",),
}  # fmt: skip
_HOMES = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
