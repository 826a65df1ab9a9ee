"""On what a run ran: the processor, the versions, the device, and how long it took."""

import platform
from dataclasses import dataclass
from datetime import datetime, timezone

import torch

from distilcli import __version__
from distilcli.model.hardware import cpu_name, device_name
from distilcli.tasks.settings import available_cores


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """What figures depend on beside the data; `date` is the day of the end, in UTC."""

    cpu: str
    cores: int
    device: str
    precision: str
    torch: str
    distil: str
    python: str
    date: str
    seconds: float


def read_environment(device: torch.device, *, precision: str, seconds: float) -> Environment:
    """Describe this machine, and a run on `device` that took `seconds`."""
    return Environment(
        cpu=cpu_name(),
        cores=available_cores(),
        device=device_name(device),
        precision=precision,
        torch=torch.__version__,
        distil=__version__,
        python=platform.python_version(),
        date=datetime.now(timezone.utc).date().isoformat(),
        seconds=round(seconds, 1),
    )
