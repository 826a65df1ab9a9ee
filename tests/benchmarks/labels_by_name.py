"""How often `distil classify --labels` is right, by names alone and by a line of description.

    python tests/benchmarks/labels_by_name.py DATA [--model MODEL] [--only SET]

DATA holds the folders ag_news (train.tsv), banking77 (train.csv), trec (train_5500.label), sst2
(dev.tsv), reviews (sentence_polarity.csv) and amazon_reviews (train.csv). Accuracy, and the
expected calibration error of the scores, for each set.
"""

import argparse
import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from _report import report

from distilcli import LabelMatcher
from distilcli.scores.calibration import expected_calibration_error, reliability

WANTED = {("ag_news", "names"): 0.70, ("ag_news", "described"): 0.78, ("banking77", "names"): 0.60}

Named = Mapping[str, str]

NAMES: dict[str, Named] = {
    "ag_news": {name: name for name in ("World", "Sports", "Business", "Sci/Tech")},
    "trec": {
        "ABBR": "abbreviation", "DESC": "description", "ENTY": "entity", "HUM": "human",
        "LOC": "location", "NUM": "number",
    },
    "sst2": {"0": "negative", "1": "positive"},
    "reviews": {"negative": "negative", "positive": "positive"},
    "amazon_reviews": {
        "books": "books", "dvd": "DVD", "electronics": "electronics", "kitchen": "kitchen",
    },
}  # fmt: skip
DESCRIBED: dict[str, Named] = {
    "ag_news": {
        "World": "politics, government, wars and conflicts, and international affairs.",
        "Sports": "games, teams, players, matches, scores and championships.",
        "Business": "companies, markets, stocks, oil prices, the economy and finance.",
        "Sci/Tech": "science and technology: computers, software, the internet, space, research "
        "and gadgets.",
    },
    "trec": {
        "ABBR": "what letters stand for, an acronym",
        "DESC": "a definition, a meaning, a reason, how something is done",
        "ENTY": "an animal, a thing, a product, a food, a work of art, an event",
        "HUM": "a person, a name of somebody, a group or organization, who",
        "LOC": "a city, a country, a state, a mountain, where",
        "NUM": "a count, a date, how many, how much, how long, when",
    },
    "sst2": {
        "0": "a bad, boring, disappointing film",
        "1": "a good, enjoyable, moving film",
    },
    "amazon_reviews": {
        "books": "novels, authors, chapters and reading",
        "dvd": "films and television series, actors and scenes",
        "electronics": "cameras, headphones, cables and computers",
        "kitchen": "pots, knives, appliances and cooking",
    },
}


def rows_of(name: str, data: Path) -> Iterator[tuple[str, str]]:
    """Yield the texts of a set with their labels."""
    if name == "trec":
        for line in (data / "trec/train_5500.label").read_text("latin-1").splitlines():
            label, _, text = line.partition(" ")
            yield text, label.partition(":")[0]
    elif name in {"ag_news", "sst2"}:
        path = data / name / {"ag_news": "train.tsv", "sst2": "dev.tsv"}[name]
        lines = path.read_text("utf-8").splitlines()
        for line in lines[name == "sst2" :]:
            text, label = line.split("\t")[:2]
            yield text, label
    else:
        path, column = {
            "banking77": ("banking77/train.csv", "category"),
            "reviews": ("reviews/sentence_polarity.csv", "label"),
            "amazon_reviews": ("amazon_reviews/train.csv", "domain"),
        }[name]
        with (data / path).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                yield row["text"], row[column]


def measured(name: str, data: Path, model: str) -> Iterator[dict[str, object]]:
    """Yield the measures of a set by names, and by descriptions where there are any."""
    rows = list(rows_of(name, data))
    gold = [label for _, label in rows]
    names = NAMES.get(name) or {label: label for label in sorted(set(gold))}
    for way, described in (("names", {}), ("described", DESCRIBED.get(name))):
        if described is None:
            continue
        labels = [
            {"name": names[label], "description": described.get(label, "")} for label in names
        ]
        matcher = LabelMatcher(labels, model=model)
        by_name = {names[label]: label for label in names}
        found = list(matcher.stream([text for text, _ in rows]))
        right = np.array(
            [by_name[str(match.label)] == label for match, label in zip(found, gold, strict=True)]
        )
        scores = np.array([match.score for match in found])
        accuracy = float(right.mean())
        wanted = WANTED.get((name, way))
        yield {
            "set": name, "labels": way, "rows": len(rows), "accuracy": round(accuracy, 4),
            "wanted": wanted, "met": None if wanted is None else accuracy >= wanted,
            "mean_score": round(float(scores.mean()), 4),
            "ece": round(expected_calibration_error(reliability(scores, right)), 4),
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--only", action="append", choices=["banking77", *NAMES])
    options = parser.parse_args()
    sets = options.only or ["banking77", *NAMES]
    rows = [row for name in sets for row in measured(name, options.data, options.model)]
    report("labels by name", rows, {"model": options.model, "sets": rows})


if __name__ == "__main__":
    main()
