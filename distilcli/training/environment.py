"""On what a run ran: the processor, the versions, the device, and how long it took."""

import platform
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import torch

from distilcli import __version__
from distilcli.tasks.settings import available_cores

_CPU_INFO = Path("/proc/cpuinfo")


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
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        precision=precision,
        torch=torch.__version__,
        distil=__version__,
        python=platform.python_version(),
        date=datetime.now(timezone.utc).date().isoformat(),
        seconds=round(seconds, 1),
    )


def cpu_name(info: Path = _CPU_INFO) -> str:
    """Return what the processor is called: by Linux, or else by what Python knows of it."""
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
