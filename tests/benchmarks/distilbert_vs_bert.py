"""DistilBERT-base's shape against BERT-base's, both by `distil classify`: speed and memory.

    python tests/benchmarks/distilbert_vs_bert.py [--file REVIEWS] [--column NAME]
        [--precision fp32,bf16,int8] [--threads N]

Both label the same file with random weights, from file to file, in turn; loading is left out. The
peak memory is that of the command over the file in a process of its own, loading included. The
paper's own figure (Sanh et al. 2019, one text at a time) is 1.63 times as fast.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

from _classify import PRECISIONS, label_file, precision_list, supported, warm
from _models import add_text_options, texts_of, write_bert_base, write_csv, write_distilbert_base
from _report import alternate, median_ratio, peak_of, report

IN_THE_PAPER = 1.63
SHAPES = {"DistilBERT": write_distilbert_base, "BERT": write_bert_base}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_text_options(parser, rows=150)
    parser.add_argument("--precision", type=precision_list(*PRECISIONS), default=["fp32"])
    parser.add_argument("--threads", type=int, help="all cores if left out")
    options = parser.parse_args()

    from distilcli.model.hardware import available_cores

    threads = options.threads or available_cores()
    precisions = supported(options.precision)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = texts_of(options)
        write_csv(folder / "reviews.csv", texts)
        for shape, write in SHAPES.items():
            write(folder / shape)
        peaks = {
            (shape, precision): peak_memory(folder, shape, precision, threads=threads)
            for precision in precisions
            for shape in SHAPES
        }
        classifiers = {
            (shape, precision): warm(folder / shape, texts, precision=precision, threads=threads)
            for shape, precision in peaks
        }
        seconds = alternate(
            {
                f"{shape}, {precision}": lambda classifier=classifier: label_file(
                    classifier, folder
                )
                for (shape, precision), classifier in classifiers.items()
            },
            rounds=options.rounds,
        )
    ratios = {
        precision: {
            "speed": median_ratio(
                seconds[f"BERT, {precision}"], seconds[f"DistilBERT, {precision}"]
            ),
            "peak_memory": peaks["DistilBERT", precision] / peaks["BERT", precision],
        }
        for precision in precisions
    }
    report(
        "classify, DistilBERT-base against BERT-base, mixed review lengths",
        [
            {
                "who": f"{shape}, {precision}",
                "rows/s": len(texts) / median(seconds[f"{shape}, {precision}"]),
                "times as fast": ratios[precision]["speed"] if shape == "DistilBERT" else 1.0,
                "peak MiB": peak / 2**20,
                "of BERT's": ratios[precision]["peak_memory"] if shape == "DistilBERT" else 1.0,
            }
            for (shape, precision), peak in peaks.items()
        ],
        {
            "rows": len(texts),
            "threads": threads,
            "seconds": seconds,
            "peak_bytes": {f"{shape}, {precision}": n for (shape, precision), n in peaks.items()},
            "ratios": ratios,
            "in_the_paper": IN_THE_PAPER,
        },
    )


def peak_memory(folder: Path, shape: str, precision: str, *, threads: int) -> int:
    """Return the peak in bytes of the command over the file, in a process of its own."""
    line = ["classify", str(folder / "reviews.csv"), "-o", str(folder / "out.csv"), "--force"]
    line += ["--model", str(folder / shape), "--device", "cpu", "--threads", str(threads)]
    line += ["--precision", precision]
    line += ["--min-agreement", "0"] if precision == "int8" else []
    return peak_of(line, folder / "stats.json")


if __name__ == "__main__":
    main()
