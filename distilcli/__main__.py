"""The `distil` program, also `python -m distilcli`: Ctrl-C is understood from the start."""

import sys


def main() -> int:
    """Run `distil` and return its exit code."""
    try:
        from distilcli.app import main as run  # noqa: PLC0415 (an interrupt may come meanwhile)

        return run()
    except KeyboardInterrupt:
        from distilcli.interrupt import EXIT_INTERRUPTED  # noqa: PLC0415

        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
