"""`distil embed` against sentence-transformers' `encode(batch_size=32)`, fp32 on the CPU.

    python tests/benchmarks/embed_vs_sentence_transformers.py --model all-MiniLM-L6-v2
        [--file TEXTS] [--column NAME] [--rows 300] [--rounds 3]

Both embed the same texts of mixed lengths with the same weights, on all available cores. Ours reads
the file, tokenizes, runs and writes a file of vectors; `encode` gets a list of texts and keeps its
vectors. Loading is not timed. Needs the extra `peers`.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from _models import add_text_options, texts_of, write_csv
from _report import alternate, median_ratio, report, require


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a sentence-transformers folder or hub id")
    add_text_options(parser, rows=300)
    options = parser.parse_args()
    versions = require("sentence_transformers", "transformers")

    import sentence_transformers
    from transformers.utils import logging

    from distilcli.predictors.embedder import Embedder

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = texts_of(options)
        write_csv(folder / "texts.csv", texts)
        embedder = Embedder(options.model, device="cpu")
        peer = sentence_transformers.SentenceTransformer(options.model, device="cpu")
        theirs: list[np.ndarray] = []

        def encode() -> None:
            theirs[:] = [peer.encode(texts, batch_size=32, show_progress_bar=False)]

        embedder(texts[:4])
        peer.encode(texts[:4])
        seconds = alternate(
            {"distil embed": lambda: embed_file(embedder, folder), "encode": encode},
            rounds=options.rounds,
        )
        difference = float(np.abs(np.load(folder / "vectors.npy") - theirs[0]).max())
    ratio = median_ratio(seconds["encode"], seconds["distil embed"])
    report(
        f"embed, fp32, {embedder.config.n_layers} layers of {embedder.config.dim}, mixed lengths",
        [{"who": who, "rows/s": len(texts) / median(times)} for who, times in seconds.items()],
        {
            "rows": len(texts),
            "ratio": ratio,
            "wanted": 1.3,
            "largest_difference": difference,
            "wanted_difference": 1e-5,
            **versions,
        },
    )


def embed_file(embedder: object, folder: Path) -> None:
    """Do what the command does: read, embed and write a file of vectors."""
    from distilcli.rows import open_rows
    from distilcli.stats import RunStats
    from distilcli.tasks.embed import EmbeddingColumns
    from distilcli.tasks.files import run_files, text_from
    from distilcli.vectors.writer import VectorColumns, VectorWriter

    source = open_rows([str(folder / "texts.csv")])
    columns = EmbeddingColumns(layout="array")
    engine = embedder.engine(text_from(source.text_column))
    writer = VectorWriter(
        str(folder / "vectors.npy"),
        "npy",
        VectorColumns(vector="embedding", identity=None, text=source.text_column),
        blank=embedder.blank(),
        about=embedder.about(),
        force=True,
    )
    with source, writer:
        run_files(source, engine, writer, columns, stats=RunStats())


if __name__ == "__main__":
    main()
