"""The `distil` program, also `python -m distilcli`; it handles signals from the start."""

import os
from typing import NoReturn

_STREAMS = 3


def main() -> NoReturn:
    """Run `distil` and end with its exit code."""
    _occupy_closed_streams()
    try:
        from distilcli.interrupt import end_on_signals, leave  # noqa: PLC0415 (a signal may come)

        end_on_signals()
    except KeyboardInterrupt:
        os._exit(130)
    from distilcli.app import main as run  # noqa: PLC0415 (a signal may come)
    from distilcli.memory import check_memory_before_torch  # noqa: PLC0415

    check_memory_before_torch()
    leave(run())


def _occupy_closed_streams() -> None:
    """Open the null device in place of each stream that the shell has closed (`2>&-`).

    Otherwise the next file to be opened would get its number, and what a library writes to it.
    """
    while (lowest := os.open(os.devnull, os.O_RDWR)) < _STREAMS:
        pass
    os.close(lowest)


if __name__ == "__main__":
    main()
