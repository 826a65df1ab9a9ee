"""The panels of a run's picture: functions that draw into matplotlib's axes.

Colours are Okabe and Ito's, safe for colour blindness; lines are labelled at their ends.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np

from distilcli.pictures import BLUE, GREY, ORANGE
from distilcli.scores.calibration import Bin, expected_calibration_error
from distilcli.training.report.model_card import metric_words

Axes = Any  # matplotlib's, an extra
LABELS_WITH_COUNTS = 15  # with more, counts would not fit into the cells
_COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_FEW_POINTS = 40
_LONGEST_LABEL = 28
_LETTERS_IN_A_ROW = 36  # under a panel
_NO_METRICS = {"step", "epoch", "best"}
_SHARES = (0, 0.05, 0.2, 0.5, 1)
_DARK = 0.4  # a share whose blue is dark


class Curves(NamedTuple):
    """Lines for one panel: (step, value) of each name."""

    title: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    best_step: float | None


def sort_curves(history: Sequence[Mapping[str, float]]) -> list[Curves]:
    """Sort the numbers of a history into panels: losses, values from -1 to 1, and the rest."""
    names = list(dict.fromkeys(name for entry in history for name in entry))
    series = {
        name: [(entry["step"], entry[name]) for entry in history if _is_number(entry.get(name))]
        for name in names
        if name not in _NO_METRICS
    }
    losses, shares, others = {}, {}, {}
    for name, points in series.items():
        if not points:
            continue
        if "loss" in name:
            losses[name] = points
        elif all(-1 <= value <= 1 for _, value in points):
            shares[name] = points
        else:
            others[name] = points
    best = next((entry["step"] for entry in reversed(history) if entry.get("best")), None)
    on_validation = "On the validation rows"
    kinds = ((losses, "Loss"), (shares, on_validation), (others, on_validation))
    return [Curves(title, found, best) for found, title in kinds if found]


def draw_curves(axes: Axes, *, curves: Curves) -> None:
    """Draw lines over the steps, labelled at their ends, with the best step marked."""
    from matplotlib.ticker import MaxNLocator

    axes.set_title(curves.title)
    axes.set_xlabel("step (numbers: at the best step)" if curves.best_step else "step")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    ends = []
    for colour, (name, points) in zip(cycle(_COLOURS), curves.series.items(), strict=False):
        steps, values = zip(*points, strict=True)
        marker = "o" if len(points) <= _FEW_POINTS else ""
        axes.plot(steps, values, color=colour, linewidth=2, marker=marker, markersize=4)
        at_best = next((value for step, value in points if step == curves.best_step), None)
        words = metric_words(name)
        ends.append((values[-1], words if at_best is None else f"{words} {at_best:.4g}", colour))
    if len({step for points in curves.series.values() for step, _ in points}) == 1:
        axes.set_xticks([points[0][0]])
    if curves.best_step is not None:
        axes.axvline(curves.best_step, color=GREY, linewidth=1, linestyle=(0, (2, 2)), zorder=1)
        axes.annotate(
            f"best: step {curves.best_step:,}",
            (curves.best_step, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            color=GREY,
            fontsize=9,
        )
    _label_ends(axes, ends)


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Label each line at its end, without overlaps."""
    low, high = axes.get_ylim()
    gap, last = 0.07 * (high - low), -math.inf
    for value, words, colour in sorted(ends):
        last = max(value, last + gap)
        axes.annotate(
            words,
            (1, last),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )


def draw_reliability(axes: Axes, *, bins: Sequence[Bin]) -> None:
    """Draw accuracy over score, and the difference of the two."""
    filled = [found for found in bins if found.count]
    total = sum(found.count for found in filled)
    error = expected_calibration_error(filled)
    axes.set_title("Reliability of the scores")
    axes.plot([0, 1], [0, 1], color="#B0B0B0", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    scores = [found.confidence for found in filled]
    accuracies = [found.accuracy for found in filled]
    areas = [20 + 400 * found.count / total for found in filled]
    axes.vlines(scores, scores, accuracies, color=ORANGE, linewidth=1.5, zorder=2)
    axes.scatter(scores, accuracies, s=areas, color=BLUE, edgecolor="white", zorder=3)
    quiet = {"color": GREY, "fontsize": 9, "transform": axes.transAxes}
    axes.text(0.03, 0.97, "right more often than scored", va="top", **quiet)
    axes.text(0.97, 0.12, "less often than scored", ha="right", **quiet)
    axes.text(0.97, 0.03, f"calibration error {error:.3f}", ha="right", transform=axes.transAxes)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal", anchor="W")
    axes.set_xlabel("score (area: number of rows)")
    axes.set_ylabel("accuracy")


def draw_confusion(
    axes: Axes, *, counts: np.ndarray, totals: np.ndarray, labels: Sequence[str], of: int
) -> None:
    """Draw a square for each pair of labels, as dark as its share of the first label's rows.

    `totals` (N) are all rows of each label, more than the sum of its `counts` (N, N) if only N
    `of` more labels are shown.
    """
    from matplotlib.colors import PowerNorm

    shares = counts / np.maximum(totals, 1)[:, None]
    n_labels = len(labels)
    # The root of the share shows rare errors.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    title = "Confusion between labels"
    axes.set_title(title if n_labels == of else f"{title}: the {n_labels} most confused of {of}")
    small = 9 if n_labels > LABELS_WITH_COUNTS else 10
    is_short = sum(map(len, labels)) <= _LETTERS_IN_A_ROW
    turned = {} if is_short else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    labels = [_shortened(label) for label in labels]
    axes.set_xticks(range(n_labels), labels, fontsize=small, **turned)
    axes.set_yticks(range(n_labels), labels, fontsize=small)
    axes.set_xlabel("predicted", labelpad=8)
    axes.set_ylabel("label of the row")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(n_labels - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(n_labels - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2 if n_labels <= LABELS_WITH_COUNTS else 0.5)
    axes.tick_params(which="minor", length=0)
    if n_labels > LABELS_WITH_COUNTS:
        bar = axes.figure.colorbar(
            image, ax=axes, shrink=0.4, anchor=(0, 1), ticks=_SHARES, format="{x:.0%}"
        )
        bar.set_label("share of the label's rows")
        bar.outline.set_visible(False)
        return
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            colour = "white" if shares[row, column] > _DARK else "black"
            text = f"{counts[row, column]:,}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=small)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _shortened(label: str) -> str:
    """Cut the middle out of a long label: labels often differ at the end."""
    half = _LONGEST_LABEL // 2
    return label if len(label) <= _LONGEST_LABEL else f"{label[:half]}…{label[1 - half :]}"
