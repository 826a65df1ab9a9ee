"""Models and texts for benchmarks: DistilBERT-base with random weights, reviews of real lengths."""

import csv
import random
from pathlib import Path
from typing import Any

REVIEWS = Path(__file__).parent.parent / "data" / "reviews.csv"


def write_distilbert_base(folder: Path, head: Any = None) -> None:
    """Write a model of DistilBERT-base's shape, seeded random weights, a real tokenizer.

    `head` is one of `distilcli.model.heads`, a classifier if left out.
    """
    import torch

    from distilcli.checkpoint.config import ModelConfig
    from distilcli.checkpoint.locate import locate
    from distilcli.model.heads import SequenceClassifier
    from distilcli.model.saving import save_model, tokenizer_files

    torch.manual_seed(0)
    config = ModelConfig(
        labels=("negative", "positive"), problem_type="single_label_classification"
    )
    folder.mkdir(parents=True, exist_ok=True)
    builtin = locate("sentiment")
    save_model(
        (head or SequenceClassifier)(config), folder, tokenizer_files=tokenizer_files(builtin)
    )


def mixed_reviews(count: int, *, seed: int = 0) -> list[str]:
    """Make reviews as long as real ones: log-normal, median 118 tokens, 95 % below 616."""
    rng = random.Random(seed)
    with REVIEWS.open(newline="", encoding="utf-8") as file:
        sentences = [row["text"] for row in csv.DictReader(file)]
    reviews = []
    for _ in range(count):
        words_wanted = rng.lognormvariate(4.55, 1.0)  # about 1.25 tokens a word
        words: list[str] = []
        while len(words) < words_wanted:
            words += rng.choice(sentences).split()
        reviews.append(" ".join(words[: max(1, round(words_wanted))]))
    return reviews


def write_csv(path: Path, texts: list[str]) -> None:
    """Write texts as a CSV of one column."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text"])
        writer.writerows([text] for text in texts)
