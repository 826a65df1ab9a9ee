"""Says which occurrence of an answer is meant, in SQuAD JSON that names the first one always.

    python -m distilcli.training.squad_data TRAIN MODEL OUTPUT

Where an answer stands in its context several times, MODEL, a question answerer, chooses: the
occurrence that it ranks highest becomes the answer's `answer_start`. Where it ranks none of them,
the place stays.
"""

import json
import sys
from pathlib import Path
from typing import Any

from distilcli.tasks.answerer import Answerer

_RANKS = 50


def main(train: Path, model: str, output: Path) -> None:
    """Write the file with the places that are chosen, and print how many are others than before."""
    data = json.loads(train.read_text(encoding="utf-8"))
    asked = [
        (paragraph["context"], question)
        for article in data["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
        if _stands_often(paragraph["context"], question)
    ]
    answerer = Answerer(model, top_k=_RANKS)
    found = answerer([(question["question"], context) for context, question in asked])
    moved = 0
    for (_, question), answers in zip(asked, found, strict=True):
        answer = question["answers"][0]
        starts = [ranked.start for ranked in answers.ranked if ranked.text == answer["text"]]
        if starts and starts[0] != answer["answer_start"]:
            answer["answer_start"] = starts[0]
            moved += 1
    output.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    sys.stdout.write(f"{len(asked):,} answers stand several times; {moved:,} were moved\n")


def _stands_often(context: str, question: dict[str, Any]) -> bool:
    return context.count(question["answers"][0]["text"]) > 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
