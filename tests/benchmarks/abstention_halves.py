"""Does the error that `evaluate --max-error` promises hold on rows that it has not seen?

    distil classify reviews.csv --prefix p_ -o reviews.out.csv
    python tests/benchmarks/abstention_halves.py reviews.out.csv

The files have gold labels in `label` and predictions in `p_label` and `p_score`. For each of many
random halves a threshold is found on one half and applied to the other: the promise is kept if the
error there is larger in at most 1 - confidence of the draws. A second line says the same of the
long run: as many rows as a half are drawn from all, and the threshold is applied to all.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from distilcli.scores.abstention import Decisions, answered_at, lowest_threshold


def decisions_of(path: Path) -> Decisions:
    """Read the predictions of a file."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["p_label"]]
    labels = np.array([row["p_label"] for row in rows])
    wrong = labels != np.array([row["label"] for row in rows])
    scores = np.array([float(row["p_score"]) for row in rows])
    return Decisions(labels, scores, wrong, np.arange(len(rows)))


def measured(
    made: Decisions, *, halves: bool, draws: int, max_error: float, confidence: float
) -> str:
    """Return one line: how often a threshold was found, and how often its promise was broken."""
    random, total = np.random.default_rng(0), len(made.scores)
    found, errors, coverages = 0, [], []
    for _ in range(draws):
        order = random.permutation(total)
        chosen = order[: total // 2] if halves else random.integers(total, size=total // 2)
        drawn = made.where(chosen)
        # A row that is drawn twice counts as two.
        drawn = Decisions(drawn.labels, drawn.scores, drawn.wrong, np.arange(len(chosen)))
        best = lowest_threshold(drawn, max_error=max_error, confidence=confidence)
        if best is None:
            continue
        found += 1
        others = made.where(order[total // 2 :]) if halves else made
        answered = answered_at(others, best.threshold)
        errors.append(answered.error)
        coverages.append(answered.coverage)
    broken = sum(error > max_error for error in errors) / draws
    where = "the other half" if halves else "all rows"
    if not found:
        return f"  {where}: no threshold in any of {draws:,} draws"
    return (
        f"  {where}: threshold found in {found / draws:.1%} of {draws:,} draws, mean coverage "
        f"{np.mean(coverages):.1%}, mean error {np.mean(errors):.2%}, "
        f"above {max_error:.0%} in {broken:.1%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--max-error", type=float, default=0.02)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args()
    for path in options.files:
        made = decisions_of(path)
        print(f"{path.name}: {len(made.scores):,} rows, error {made.wrong.mean():.1%}")
        for halves in (True, False):
            print(
                measured(
                    made, halves=halves, draws=options.draws,
                    max_error=options.max_error, confidence=options.confidence,
                )
            )  # fmt: skip


if __name__ == "__main__":
    main()
