"""How often a question's nearest paragraph is the one that answers it, and how near others are.

    python tests/benchmarks/find_passages.py SQUAD [--model MODEL]... [--questions 1500]

SQUAD is a file of SQuAD's JSON. The candidates are all of its paragraphs.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
from _report import report

from distilcli import Embedder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("squad", type=Path)
    parser.add_argument("--model", action="append")
    parser.add_argument("--questions", type=int, default=1_500)
    arguments = parser.parse_args()
    articles = json.loads(arguments.squad.read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    asked = [
        (answered["question"], index)
        for index, paragraph in enumerate(paragraphs)
        for answered in paragraph["qas"]
    ]
    random.Random(0).shuffle(asked)
    questions, gold = zip(*asked[: arguments.questions], strict=True)
    rows = []
    for model in arguments.model or ["embed"]:
        embedder = Embedder(model)
        passages = embedder([paragraph["context"] for paragraph in paragraphs])
        cosines = embedder(list(questions)) @ passages.T
        nearest = cosines.argmax(axis=1)
        rows.append(
            {
                "model": model,
                "questions": len(questions),
                "paragraphs": len(paragraphs),
                "nearest is right": float((nearest == np.array(gold)).mean()),
                "mean cosine": float(cosines.mean()),
            }
        )
    report("find passages", rows, {"models": rows})


if __name__ == "__main__":
    main()
