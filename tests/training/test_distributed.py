import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import make_tiny
from tests.training._shared_runs import losses, rows_of, torchrun, train

pytestmark = pytest.mark.slow

Make = Callable[..., Path]


def runs_of_all_kinds(model: Path, teacher: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Runs by what each is the example of; those with a teacher learn from some rows unlabelled."""
    labelled = rows_of("classify")
    taught = [
        {**row, "label": row["label"] if index % 3 else ""} for index, row in enumerate(labelled)
    ]
    return {}
