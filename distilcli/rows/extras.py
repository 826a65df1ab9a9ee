"""Packages that only extras install."""

import importlib
from types import ModuleType

from distilcli.errors import UsageError


def require(module: str, purpose: str, extra: str) -> ModuleType:
    """Return a module of an extra; raise `UsageError` with the command that installs it.

    `purpose` begins the message, as in "zstd files need".
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UsageError(
            f"{purpose} the {package} package: pip install 'distilcli[{extra}]'"
        ) from error


def require_zstd() -> ModuleType:
    """Return `zstandard`."""
    return require("zstandard", "zstd files need", "zstd")


def require_parquet() -> tuple[ModuleType, ModuleType]:
    """Return `pyarrow` and `pyarrow.parquet`."""
    names = ("pyarrow", "pyarrow.parquet")
    arrow, parquet = (require(name, "Parquet needs", "parquet") for name in names)
    return arrow, parquet


def require_excel() -> ModuleType:
    """Return `openpyxl`."""
    return require("openpyxl", "workbooks need", "excel")
