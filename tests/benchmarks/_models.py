"""Models and texts for benchmarks: base models with random weights, reviews of real lengths."""

import argparse
import csv
import random
from pathlib import Path
from typing import Any

REVIEWS = Path(__file__).parent.parent / "data" / "reviews.csv"


LABELS = ("negative", "positive")


def write_distilbert_base(folder: Path, head: Any = None) -> None:
    """Write a DistilBERT-base with seeded random weights and a real tokenizer.

    `head` is one of `distilcli.model.heads`, by default a classifier.
    """
    _write(folder, head, labels=LABELS, problem_type="single_label_classification")


def write_bert_base(folder: Path) -> None:
    """Write a BERT-base classifier in the same way."""
    _write(folder, None, model_type="bert", n_layers=12, type_vocab_size=2, labels=LABELS)


def _write(folder: Path, head: Any, **shape: Any) -> None:
    import torch

    from distilcli.checkpoint.config import ModelConfig
    from distilcli.checkpoint.locate import locate
    from distilcli.model.heads import SequenceClassifier
    from distilcli.model.saving import save_model

    torch.manual_seed(0)
    model = (head or SequenceClassifier)(ModelConfig(**shape))
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, folder, tokenizer_files=locate("sentiment").tokenizer_files)


def add_text_options(parser: argparse.ArgumentParser, *, rows: int, rounds: int = 3) -> None:
    """Add the options for the texts and the number of rounds."""
    parser.add_argument("--file", help="CSV or JSONL of texts (default: made-up reviews)")
    parser.add_argument("--column", help="its text column")
    parser.add_argument("--rows", type=int, default=rows)
    parser.add_argument("--rounds", type=int, default=rounds)


def texts_of(options: argparse.Namespace) -> list[str]:
    """Return the first texts of the given file, or made-up reviews."""
    from distilcli.rows import cell_text, open_rows

    if not options.file:
        return mixed_reviews(options.rows)
    source = open_rows([options.file], text_column=options.column, limit=options.rows)
    return [cell_text(row, source.text_column) for row in source]


def mixed_reviews(count: int, *, seed: int = 0) -> list[str]:
    """Make up reviews of real lengths: log-normal, median 118 tokens, 95 % below 616."""
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
