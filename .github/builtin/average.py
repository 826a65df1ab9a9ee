"""Averages the weights of several runs of one architecture.

    python .github/builtin/average.py RUN RUN... OUTPUT

Runs that start from the same weights, or from each other, lie in one valley of the loss: their mean
is often better than each, at the same cost (Izmailov et al. 2018; Wortsman et al. 2022).
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from distilcli.checkpoint.folder import SAFETENSORS_NAME, describe_folder
from distilcli.checkpoint.sentence_transformers import SENTENCE_NAMES, sentence_files
from distilcli.errors import ModelError, UsageError
from distilcli.model.saving import write_weights
from distilcli.model.weights import read_file


def average(runs: Sequence[Path], output: Path) -> None:
    """Write the mean of the `runs` to the folder `output`, with the files of the first one.

    Raises `UsageError` for fewer than two runs or an existing `output`, `ModelError` for runs of
    different architectures.
    """
    if len(runs) < 2:  # noqa: PLR2004
        raise UsageError("give at least two runs, and the folder to write")
    if output.exists():
        raise UsageError(f"{output}: exists; give another folder")
    first = describe_folder(str(runs[0]), runs[0])
    mean = read_file(runs[0] / SAFETENSORS_NAME)
    for count, run in enumerate(runs[1:], start=2):
        weights = read_file(run / SAFETENSORS_NAME)
        if _shapes(weights) != _shapes(mean):
            raise ModelError(
                f"{run}: has another architecture than {runs[0]}; use runs of one model"
            )
        for name, weight in weights.items():
            mean[name].lerp_(weight, 1 / count)
    output.mkdir(parents=True)
    for path in (first.config_path, *first.tokenizer_files):
        shutil.copyfile(path, output / path.name)
    for part in (*SENTENCE_NAMES, *sentence_files(runs[0])):
        if (runs[0] / part).is_file():
            (output / part).parent.mkdir(exist_ok=True)
            shutil.copyfile(runs[0] / part, output / part)
    write_weights(output / SAFETENSORS_NAME, mean)


def _shapes(weights: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in weights.items()}


if __name__ == "__main__":
    *runs, output = map(Path, sys.argv[1:])
    average(runs, output)
