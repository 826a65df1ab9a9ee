"""How many flipped labels `distil clean` finds, and how early.

    python tests/benchmarks/clean.py ROWS.csv --label-column NAME [--share 0.05] [--seed 0]

A share of the labels of ROWS is replaced by another one, drawn at random. Counted is how many of
these rows are among the first tenth of all rows in the order of the output.
"""

import argparse
import csv
import random
import tempfile
from pathlib import Path

from _report import report

from distilcli.app import main as distil

WANTED = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--label-column", default="label")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    column = options.label_column
    with options.rows.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    draw = random.Random(options.seed)
    names = sorted({row[column] for row in rows})
    flipped = set(draw.sample(range(len(rows)), round(options.share * len(rows))))
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder, "given.csv"), Path(folder, "out.csv")
        with given.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["row", *rows[0]])
            writer.writeheader()
            for number, row in enumerate(rows):
                others = [name for name in names if name != row[column]]
                label = draw.choice(others) if number in flipped else row[column]
                writer.writerow({"row": number, **row, column: label})
        code = distil(["clean", str(given), "--label-column", column, "-o", str(out)])
        assert code == 0, code
        with out.open(newline="", encoding="utf-8") as file:
            suspects = list(csv.DictReader(file))
    first = suspects[: len(rows) // 10]
    share = sum(int(row["row"]) in flipped for row in first) / len(flipped)
    right = [row for row in suspects if int(row["row"]) in flipped]
    restored = sum(row["suggested_label"] == rows[int(row["row"])][column] for row in right) / len(
        flipped
    )
    table = {
        "rows": len(rows), "flipped": len(flipped), "suspects": len(suspects),
        "in the first tenth": round(share, 4), "right label suggested": round(restored, 4),
        "wanted": WANTED, "met": share >= WANTED,
    }  # fmt: skip
    report("clean", [table], {"file": options.rows.name, **table})


if __name__ == "__main__":
    main()
