"""A classifier's temperature: fitted on rows, and saved where `classify` finds it."""

import json
from collections.abc import Mapping
from pathlib import Path

from distilcli.checkpoint.abstention import KEY as ABSTENTION
from distilcli.checkpoint.config import TEMPERATURE, read_config
from distilcli.checkpoint.folder import CONFIG_NAME
from distilcli.checkpoint.json_file import read_object
from distilcli.checkpoint.locate import builtin_names, is_of_user
from distilcli.errors import UsageError, tell
from distilcli.evaluation.results.base import Results
from distilcli.evaluation.results.classify import ClassifyResults
from distilcli.evaluation.results.multilabel import MultilabelResults
from distilcli.rows.output import check_destination, write_text


def check_calibration(model: str) -> None:
    """Raise `UsageError` for a model that cannot be written to."""
    path = Path(model).expanduser() / CONFIG_NAME
    if not is_of_user(model):
        kind = "a built-in model" if model in builtin_names() else "not a folder of yours"
        raise UsageError(f"`calibrate`: {model} is {kind}, so it stays as it is; give a folder")
    check_destination(str(path), force=True)


def save_calibrated(model: str, results: Results) -> dict[str, float]:
    """Fit the temperature on the results of a model and save it; return it as a metric.

    The logits were divided by the temperature that the model had: the new one is the product.
    Labels do not change, nor does the order of the labels of a row. Thresholds, which were of the
    old scores, are removed.
    """
    if not isinstance(results, ClassifyResults | MultilabelResults):
        raise UsageError("`calibrate` is for labels with probabilities")
    path = Path(model).expanduser() / CONFIG_NAME
    temperature = results.temperature() * read_config(path).temperature
    save_temperature(path, temperature)
    return {"temperature": temperature}


def save_temperature(path: Path, temperature: float) -> None:
    """Write the temperature to a `config.json`, without thresholds of other scores."""
    if ABSTENTION in read_object(path):
        tell(f"{path}: its thresholds belonged to the old scores and were removed; find new ones")
    save_in_config(path, {TEMPERATURE: temperature, ABSTENTION: None})


def save_in_config(path: Path, changes: Mapping[str, object]) -> None:
    """Set keys of a `config.json`, which is replaced atomically; None removes one."""
    content = {**read_object(path), **changes}
    kept = {key: value for key, value in content.items() if changes.get(key, ...) is not None}
    write_text(str(path), json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
