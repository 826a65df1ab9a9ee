"""The error among the answers over their coverage, drawn by matplotlib."""

import numpy as np

from distilcli.evaluation.abstention import Found
from distilcli.pictures import BLUE, GREY, ORANGE, drawn

_LEAST_ANSWERS = 20  # the error of fewer jumps


def plot_risk_coverage(found: Found, path: str, *, title: str) -> None:
    """Draw the error of the surest answers, from few to all, and where the threshold is."""
    made = found.decisions
    order = np.argsort(-made.scores, kind="stable")
    counts = np.arange(1, len(order) + 1)
    errors = made.wrong[order].cumsum() / counts
    coverages = counts / max(1, len(order))
    shown = slice(min(_LEAST_ANSWERS, len(order)) - 1, None)
    with drawn(path) as figure:
        figure.set_size_inches(7, 4.5)
        axes = figure.add_subplot()
        axes.set_title(title)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.plot(coverages[shown], errors[shown], color=BLUE, linewidth=2)
        axes.axhline(found.max_error, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"at most {found.max_error:.1%}", (0, found.max_error), xytext=(3, 3),
            textcoords="offset points", color=GREY, fontsize=9,
        )  # fmt: skip
        if (threshold := found.metrics.get("threshold")) is not None:
            answered = int((made.scores >= threshold).sum())
            place = (answered / len(order), errors[answered - 1])
            axes.plot(*place, "o", color=ORANGE, markersize=8)
            axes.annotate(
                f"score {threshold:.4g}: {place[0]:.1%} answered", place, xytext=(-8, 8),
                textcoords="offset points", ha="right", color=ORANGE,
            )  # fmt: skip
        axes.set(xlim=(0, 1.01), ylim=(0, None))
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.1%}")
        axes.set_xlabel("coverage: share that is answered, the surest first")
        axes.set_ylabel("error: share of answers that are wrong")
