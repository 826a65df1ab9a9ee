"""The races of `distil classify`: our side, and the report.

Our side reads a file, tokenizes, runs and writes a file, as the command does. Loading is not timed
on either side, nor is the comparison of int8 with fp32 on the first rows: both happen once.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from _models import add_text_options, texts_of, write_csv, write_distilbert_base
from _report import alternate, median_ratio, report

PRECISIONS = ("fp32", "bf16", "int8")


@dataclass(frozen=True)
class Ours:
    """DistilBERT-base in several precisions, ready to run over one file of texts.

    `folder` holds the model and may take more files; `classifiers` are by precision.
    """

    folder: Path
    texts: list[str]
    threads: int
    device: str
    classifiers: Mapping[str, Any]

    @property
    def model(self) -> Path:
        """The folder of the model, also for the peers."""
        return self.folder / "model"

    def runs(self) -> dict[str, Callable[[], object]]:
        """Return a function that labels the file for each of our contenders, by name."""
        return {
            ours(precision): lambda classifier=classifier: label_file(classifier, self.folder)
            for precision, classifier in self.classifiers.items()
        }


def ours(precision: str) -> str:
    """Return the name of our contender in a precision."""
    return f"distil classify, {precision}"


def parser_of(doc: str, *, precisions: Sequence[str] = PRECISIONS, rows: int = 150) -> Any:
    """Return a parser of a race's options; `precisions` are the possible ones."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    add_text_options(parser, rows=rows)
    parser.add_argument("--threads", type=int, help="cores for each side (default: all)")
    parser.add_argument(
        "--precision",
        type=precision_list(*precisions),
        default=list(precisions),
        help="our precisions; bf16 is skipped if the processor lacks it",
    )
    return parser


def precision_list(*known: str) -> Callable[[str], list[str]]:
    """Return a parser of comma-separated precisions."""

    def read(names: str) -> list[str]:
        if unknown := [name for name in names.split(",") if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r}; known are {', '.join(known)}")
        return names.split(",")

    return read


def supported(precisions: Sequence[str], device: str = "cpu") -> list[str]:
    """Drop what the device lacks: bf16 on some processors, int8 on a GPU."""
    import torch

    from distilcli.errors import ResourceError
    from distilcli.model.precision import require_precision

    found = []
    for precision in precisions:
        with suppress(ResourceError):
            require_precision(precision, torch.device(device))
            found.append(precision)
    return found


@contextmanager
def our_side(options: Any) -> Iterator[Ours]:
    """Write the model and the file, and warm up a classifier in each precision."""
    import torch

    from distilcli.model.hardware import available_cores

    device = getattr(options, "device", "cpu")
    threads = options.threads or available_cores()
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_distilbert_base(folder / "model")
        texts = texts_of(options)
        write_csv(folder / "reviews.csv", texts)
        classifiers = {
            precision: warm(
                folder / "model", texts, precision=precision, threads=threads, device=device
            )
            for precision in supported(options.precision, device)
        }
        yield Ours(folder, texts, threads, device, classifiers)


def warm(
    model: str | Path, texts: list[str], *, precision: str, threads: int, device: str = "cpu"
) -> Any:
    """Load a classifier; int8 compares its whole sample, whatever the result."""
    from distilcli.predictors.classifier import Classifier
    from distilcli.tasks.settings import BatchOptions

    classifier = Classifier(
        str(model),
        device=device,
        precision=precision,
        min_agreement=0,
        batches=BatchOptions(threads=threads),
    )
    classifier(texts[:4])
    some = cycle(texts)
    while precision == "int8" and not classifier.agreement.is_complete:
        classifier([next(some)])
    return classifier


def label_file(classifier: Any, folder: Path) -> None:
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
        run_files(source, engine, writer, columns, stats=RunStats())


@dataclass(frozen=True)
class Duel:
    """One of ours against the best of some peers; `wanted` is the required speedup."""

    peers: Sequence[str]
    wanted: float | None = None


def race(
    title: str,
    texts: Sequence[str],
    contenders: Mapping[str, Callable[[], object]],
    duels: Mapping[str, Duel],
    *,
    rounds: int,
    result: Mapping[str, object],
) -> None:
    """Alternate between the contenders and report; `duels` are by our contender's name.

    The best of several peers has the shortest median time.
    """
    seconds = alternate(contenders, rounds=rounds)
    best = {
        name: min(duel.peers, key=lambda peer: median(seconds[peer]))
        for name, duel in duels.items()
    }
    ratios = {
        name: {peer: median_ratio(seconds[peer], seconds[name]) for peer in duel.peers}
        for name, duel in duels.items()
    }
    wanted = {name: duel.wanted for name, duel in duels.items() if duel.wanted}
    report(
        title,
        [
            {
                "who": who,
                "rows/s": len(texts) / median(times),
                "times as fast": ratios[who][best[who]] if who in duels else "",
                "wanted": wanted.get(who, ""),
                "as": best.get(who, ""),
            }
            for who, times in seconds.items()
        ],
        {
            "rows": len(texts),
            "rounds": rounds,
            "rows_per_second": {who: len(texts) / median(times) for who, times in seconds.items()},
            "seconds": seconds,
            "best_peers": best,
            "ratios": ratios,
            "wanted": wanted,
            **result,
        },
    )
