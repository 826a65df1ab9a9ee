"""On what a model runs: what the processor is called, what it can do, and the device's name."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from distilcli import __version__

_CPU_INFO = Path("/proc/cpuinfo")
# The instructions that decide which number formats are fast: on x86, then on ARM.
_TELLING = (
    *("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_bf16", "amx_int8"),
    *("asimddp", "bf16", "i8mm", "sve"),
)


def cpu_name(info: Path = _CPU_INFO) -> str:
    """Return what the processor is called: by Linux, or else by what Python knows of it."""
    names = (value for key, value in _entries(info) if key == "model name")
    return next(names, "") or platform.processor() or platform.machine()


def cpu_flags(info: Path = _CPU_INFO) -> tuple[str, ...]:
    """Return which of the instructions that matter here the processor has.

    Where Linux does not say, it is what torch calls the whole of them.
    """
    listed = (value for key, value in _entries(info) if key in {"flags", "Features"})
    if flags := next(listed, "").split():
        return tuple(name for name in _TELLING if name in flags)
    return (torch.backends.cpu.get_cpu_capability().lower(),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What measurements depend on; `device` is the name of a GPU, or the type of another device."""

    cpu: str
    cpu_flags: tuple[str, ...] = ()
    cores: int
    device: str
    torch: str
    distil: str
    python: str


def read_machine(device: torch.device) -> Machine:
    """Describe this machine, the device and the versions."""
    return Machine(
        cpu=cpu_name(),
        cpu_flags=cpu_flags(),
        cores=available_cores(),
        device=device_name(device),
        torch=torch.__version__,
        distil=__version__,
        python=platform.python_version(),
    )


def available_cores() -> int:
    """Count the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device_name(device: torch.device) -> str:
    """Return what the device is called: a GPU by its own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _entries(info: Path) -> list[tuple[str, str]]:
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    split = (line.partition(":") for line in lines)
    return [(key.strip(), value.strip()) for key, _, value in split]
