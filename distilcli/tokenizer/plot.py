"""The lengths of a file as a histogram, drawn by matplotlib."""

from distilcli.errors import ResourceError
from distilcli.tokenizer.statistics import LengthReport


def plot_lengths(report: LengthReport, path: str, *, title: str) -> None:
    """Draw the histogram of lengths, with the model's limit marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    bins = report.histogram
    axes.bar(range(len(bins)), [found.rows for found in bins], width=0.9, color="#4c78a8")
    axes.set_xticks(range(len(bins)), [f"{found.last:,}" for found in bins], rotation=45)
    over = sum(found.last <= report.limit for found in bins) - 0.5
    if report.longest > report.limit:
        axes.axvline(over, color="#e45756", linestyle="--")
        axes.annotate(
            f" over {report.limit:,}: {report.share_over_limit:.1%}",
            (over, 1),
            xycoords=("data", "axes fraction"),
            va="top",
            color="#e45756",
        )
    axes.set_title(title, loc="left")
    axes.set_xlabel("tokens in a row, up to")
    axes.set_ylabel("rows")
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written: {error.strerror}") from None
