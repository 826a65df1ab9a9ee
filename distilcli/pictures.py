"""Pictures that matplotlib draws: checked before the work, in one style, saved whole."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distilcli.errors import ResourceError, UsageError
from distilcli.rows import check_destination, is_same_file

PLOT_SUFFIXES = (".png", ".svg")
GREY, BLUE, ORANGE = "#6E6E6E", "#0072B2", "#D55E00"
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 20,
    "axes.labelcolor": GREY,
    "axes.edgecolor": "#B0B0B0",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#E8E8E8",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "text.parse_math": False,  # a label may hold dollar signs
    "svg.hashsalt": "distil",
}


def check_plot(path: str, *, force: bool, made: str | None = None) -> None:
    """Raise `UsageError` if no picture can be saved as `path`, before any work is done.

    The folder `made` may be created later.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise UsageError("`plot` needs matplotlib: pip install 'distilcli[plot]'") from None
    if Path(path).suffix.lower() not in PLOT_SUFFIXES:
        raise UsageError(
            f"{path}: `plot` draws {' and '.join(PLOT_SUFFIXES)} files; choose one of these"
        )
    if made is None or Path(made).exists() or not is_same_file(Path(path).parent, made):
        check_destination(path, force=force)


@contextmanager
def drawn(path: str) -> Iterator[Any]:
    """Give a matplotlib figure in our style, and save what was drawn to `path`.

    The suffix is the format; the same drawing gives the same bytes. Raises `ResourceError` if it
    cannot be written; an older file then stays.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    target = Path(path)
    temporary = target.with_name(f".{target.stem}.tmp{target.suffix}")
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # in a label of another script
        figure = Figure(layout="constrained")
        yield figure
        try:
            # An SVG would otherwise contain its date.
            is_svg = target.suffix.lower() == ".svg"
            figure.savefig(temporary, dpi=150, metadata={"Date": None} if is_svg else None)
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise ResourceError(f"{path}: cannot be written: {error.strerror}") from None
