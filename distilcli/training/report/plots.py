"""A run as a picture, drawn by matplotlib: curves, confusion between labels, reliability.

Tasks other than classify only have curves. The same run gives the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from distilcli.pictures import drawn
from distilcli.scores.calibration import Bin
from distilcli.training.report.panels import (
    LABELS_WITH_COUNTS,
    Axes,
    draw_confusion,
    draw_curves,
    draw_reliability,
    sort_curves,
)

MOST_LABELS = 30
_LABELS_BESIDE = 5  # of a confusion that fits beside another panel
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
    """Draw the picture to `path`; see `pictures.drawn`."""
    with drawn(path) as figure:
        _draw(figure, picture)


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
