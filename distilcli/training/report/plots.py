"""A run as a picture, drawn by matplotlib: curves, confusion between labels, reliability.

Tasks other than classify only have curves. The same run gives the same bytes.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from distilcli.errors import ResourceError
from distilcli.scores.calibration import Bin
from distilcli.training.report.panels import (
    GREY,
    LABELS_WITH_COUNTS,
    Axes,
    draw_confusion,
    draw_curves,
    draw_reliability,
    sort_curves,
)

MOST_LABELS = 30
_LABELS_BESIDE = 5  # of a confusion that fits beside another panel
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


Panel = Callable[[Axes], None]
"""A function that draws into axes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPicture:
    """What is drawn of a run; panels without data are omitted.

    `history` are the lines of metrics.jsonl. `confusion` counts rows by the indices of their gold
    label (first) and of the predicted one; `reliability` bins them by the best probability.
    """

    title: str
    history: Sequence[Mapping[str, float]]
    labels: Sequence[str] = ()
    confusion: Sequence[Sequence[int]] | None = None
    reliability: Sequence[Bin] | None = None


def plot_run(picture: RunPicture, path: str) -> None:
    """Draw the picture to `path`, in the format of its suffix (see `tokenizer.plot.check_plot`).

    Raises `ResourceError` if it cannot be written; an older file then stays.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    target = Path(path)
    temporary = target.with_name(f".{target.stem}.tmp{target.suffix}")
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # in a label of another script
        figure = Figure(layout="constrained")
        _draw(figure, picture)
        try:
            # An SVG would otherwise contain its date.
            is_svg = target.suffix.lower() == ".svg"
            figure.savefig(temporary, dpi=150, metadata={"Date": None} if is_svg else None)
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise ResourceError(f"{path}: cannot be written: {error.strerror}") from None


def most_confused(confusion: np.ndarray, most: int = MOST_LABELS) -> list[int]:
    """Return the indices of the `most` labels with most errors, in the order of the labels.

    An error counts for the gold label and for the predicted one.
    """
    errors = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * confusion.diagonal()
    return sorted(np.argsort(-errors, kind="stable")[:most].tolist())


def _draw(figure: Any, picture: RunPicture) -> None:
    """Lay the panels out in rows of two; a confusion between many labels has a row of its own."""
    panels: list[Panel] = [partial(draw_curves, curves=c) for c in sort_curves(picture.history)]
    if any(found.count for found in picture.reliability or ()):
        panels.append(partial(draw_reliability, bins=picture.reliability or ()))
    wide: list[tuple[float, int, list[Panel]]] = []
    if picture.confusion is not None:
        counts = np.asarray(picture.confusion)
        shown = most_confused(counts)
        panel = partial(
            draw_confusion,
            counts=counts[np.ix_(shown, shown)],
            totals=counts.sum(axis=1)[shown],
            labels=[picture.labels[index] for index in shown],
            of=len(picture.labels),
        )
        if len(shown) <= _LABELS_BESIDE:
            panels.append(panel)
        else:
            cell = 0.5 if len(shown) <= LABELS_WITH_COUNTS else 0.24
            wide.append((2.8 + cell * len(shown), 1, [panel]))
    # Each row: height in inches, number of columns, panels.
    rows = [(4.0, 2, panels[start : start + 2]) for start in range(0, len(panels), 2)] + wide
    heights = [height for height, _, _ in rows]
    figure.set_size_inches(11.5, sum(heights) + 0.5)
    figure.suptitle(picture.title, x=0.015, ha="left", fontsize=15, fontweight="bold")
    # Each row is a subfigure: long labels in one do not narrow the others.
    parts = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, (_, columns, row) in zip(parts, rows, strict=True):
        for column, draw in enumerate(row, start=1):
            draw(part.add_subplot(1, columns, column))
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.15)
