"""`distil classify` against transformers' text-classification pipeline, fp32 on the CPU.

    python tests/benchmarks/classify_vs_transformers.py [--file REVIEWS] [--column NAME]

Both label the same rows with the same DistilBERT-base of random weights, on all cores that the
process may use. Ours reads the file, tokenizes, runs, and writes a file; the pipeline gets a list
of texts. Loading is left out on both sides. Needs the extra `peers`.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

from _models import mixed_reviews, write_csv, write_distilbert_base
from _report import alternate, median_ratio, report

TARGETS = {"pipeline, batch_size=1": 1.25, "pipeline, batch_size=32": 3.5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", help="a CSV or JSONL of reviews; made up if left out")
    parser.add_argument("--column", help="its text column")
    parser.add_argument("--rows", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    import transformers
    from transformers.utils import logging

    from distilcli.rows import cell_text, open_rows
    from distilcli.tasks.classifier import Classifier

    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_distilbert_base(folder / "model")
        if options.file:
            source = open_rows([options.file], text_column=options.column, limit=options.rows)
            texts = [cell_text(row, source.text_column) for row in source]
        else:
            texts = mixed_reviews(options.rows)
        write_csv(folder / "reviews.csv", texts)
        classifier = Classifier(str(folder / "model"), device="cpu")
        pipeline = transformers.pipeline(
            "text-classification", model=str(folder / "model"), device="cpu"
        )

        def ours() -> None:
            label_file(classifier, folder)

        def theirs(batch_size: int) -> None:
            pipeline(texts, batch_size=batch_size, truncation=True, max_length=512)

        classifier(texts[:4])
        pipeline(texts[:4], truncation=True, max_length=512)
        seconds = alternate(
            {
                "distil classify": ours,
                "pipeline, batch_size=1": lambda: theirs(1),
                "pipeline, batch_size=32": lambda: theirs(32),
            },
            rounds=options.rounds,
        )
    ratios = {peer: median_ratio(seconds[peer], seconds["distil classify"]) for peer in TARGETS}
    report(
        "classify, fp32, DistilBERT-base, mixed review lengths",
        [
            {
                "who": who,
                "rows/s": len(texts) / median(times),
                "distil is faster by": ratios.get(who, 1.0),
                "wanted": TARGETS.get(who, ""),
            }
            for who, times in seconds.items()
        ],
        {
            "rows": len(texts),
            "rows_per_second": {who: len(texts) / median(t) for who, t in seconds.items()},
            "ratios": ratios,
            "transformers": transformers.__version__,
        },
    )


def label_file(classifier: object, folder: Path) -> None:
    """Do what the command does: read, label and write a file."""
    from distilcli.rows import open_rows, open_writer
    from distilcli.stats import RunStats
    from distilcli.tasks.classify import ClassificationColumns
    from distilcli.tasks.files import run_files, texts_from

    source = open_rows([str(folder / "reviews.csv")])
    columns = ClassificationColumns(classifier.labels, classifier.kind)
    engine = classifier.engine(texts_from(source.text_column, None))
    writer = open_writer(
        folder / "labelled.csv",
        columns=source.columns,
        new_columns=columns.names,
        input_format=source.format,
        force=True,
    )
    with source, writer:
        run_files(
            source, engine, writer, names=columns.names, values=columns.values, stats=RunStats()
        )


if __name__ == "__main__":
    main()
