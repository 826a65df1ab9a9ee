"""A classifier's temperature: fitted on rows, and saved where `classify` finds it."""

import json
from pathlib import Path

from distilcli.checkpoint.config import TEMPERATURE, read_config
from distilcli.checkpoint.folder import CONFIG_NAME
from distilcli.checkpoint.json_file import read_object
from distilcli.checkpoint.locate import builtin_names
from distilcli.errors import UsageError
from distilcli.evaluation.results.base import Results
from distilcli.evaluation.results.classify import ClassifyResults
from distilcli.evaluation.results.multilabel import MultilabelResults
from distilcli.rows.output import check_destination, write_text


def check_calibration(model: str, task: str) -> None:
    """Raise `UsageError` for what cannot be calibrated: it takes a classifier in a folder."""
    if task not in {"classify", "multilabel"}:
        raise UsageError(f"--calibrate is for labels with probabilities, not for {task}")
    path = Path(model).expanduser() / CONFIG_NAME
    if not path.is_file():
        kind = "a built-in model" if model in builtin_names() else "no folder of yours"
        raise UsageError(
            f"--calibrate: {model} is {kind} and is not written to; give a model's folder"
        )
    check_destination(str(path), force=True)


def save_calibrated(model: str, measured: Results) -> dict[str, float]:
    """Fit the temperature on what a model gave and save it; return what to say of it.

    The model's logits were divided by the temperature that it had: the new one is their product.
    Labels stay as they are; for one label of several, so does their order.
    """
    if not isinstance(measured, ClassifyResults | MultilabelResults):
        raise UsageError("--calibrate is for labels with probabilities")
    path = Path(model).expanduser() / CONFIG_NAME
    temperature = measured.temperature() * read_config(path).temperature
    save_temperature(path, temperature)
    return {"temperature": temperature}


def save_temperature(path: Path, temperature: float) -> None:
    """Put the temperature into a `config.json`, which is replaced whole or not at all."""
    text = json.dumps({**read_object(path), TEMPERATURE: temperature}, indent=2, ensure_ascii=False)
    write_text(str(path), text + "\n")
