"""The names of devices that users may give, checked without torch."""

import re

from distilcli.errors import UsageError

_NAME = re.compile(r"auto|cpu|mps|cuda(:(all|\d{1,2}))?")
ALL_CUDA = "cuda:all"


def check_device_name(name: str) -> None:
    """Raise `UsageError` for a name that is not one of a device."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"`device` {name}: known are auto, cpu, cuda, cuda:N, cuda:all and mps")
