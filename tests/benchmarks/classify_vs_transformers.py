"""`distil classify` against transformers' text-classification pipeline, on the CPU or a GPU.

    python tests/benchmarks/classify_vs_transformers.py [--file REVIEWS] [--column NAME]
        [--precision fp32,bf16,int8] [--peer-precision fp32,bf16] [--device cuda --rows 200000]

Both label the same rows with the same DistilBERT-base with random weights, on all available cores.
Ours reads the file, tokenizes, runs and writes a file; the pipeline gets a list of texts, at
several batch sizes, of which the best counts. Loading is not timed. The built-in sentiment model
then labels the rows in each precision, to see how many labels agree with fp32. Needs the extra
`peers`.
"""

from collections.abc import Callable
from typing import Any

from _classify import Duel, Ours, our_side, ours, parser_of, precision_list, race, warm
from _report import require

BATCH_SIZES = {"cpu": (1, 8, 32), "cuda": (32, 128, 512)}
WANTED = {
    "cpu": {"fp32": 1.25, "bf16": 2.3, "int8": 3.8},
    "cuda": {"bf16": 8.0},  # on an H200, against bf16
}
WANTED_AGREEMENT = 0.99


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--peer-precision",
        type=precision_list("fp32", "bf16"),
        help="of the pipeline (default: fp32, and bf16 where it is faster)",
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    versions = require("transformers")
    with our_side(options) as side:
        peers = pipelines(side, options.peer_precision or worth_trying(side.device))
        race(
            "classify, DistilBERT-base, mixed review lengths, against transformers' pipeline",
            side.texts,
            {**side.runs(), **peers},
            {
                ours(name): Duel(list(peers), WANTED[side.device].get(name))
                for name in side.classifiers
            },
            rounds=options.rounds,
            result={"agreement": agreement(side), "wanted_agreement": WANTED_AGREEMENT, **versions},
        )


def worth_trying(device: str) -> list[str]:
    """Return the precisions in which torch is fast on the device."""
    import torch

    from distilcli.model.precision import is_bf16_faster

    return ["fp32", *(["bf16"] if is_bf16_faster(torch.device(device)) else [])]


def pipelines(side: Ours, precisions: list[str]) -> dict[str, Callable[[], object]]:
    """Return a pipeline for each precision and batch size, warmed up."""
    import torch
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
    runs: dict[str, Callable[[], object]] = {}
    for precision in precisions:
        pipeline = transformers.pipeline(
            "text-classification",
            model=str(side.model),
            device=side.device,
            dtype=dtypes[precision],
        )

        def label(batch_size: int, texts: list[str], pipeline: Any = pipeline) -> None:
            pipeline(texts, batch_size=batch_size, truncation=True, max_length=512)

        label(1, side.texts[:4])
        for size in BATCH_SIZES[side.device]:
            name = f"pipeline, {precision}, batch_size={size}"
            runs[name] = lambda size=size, label=label: label(size, side.texts)
    return runs


def agreement(side: Ours) -> dict[str, float]:
    """Return the share of rows for which the built-in model agrees with fp32."""
    labels = {}
    for precision in {"fp32": None, **side.classifiers}:
        classifier = warm(
            "sentiment",
            side.texts,
            precision=precision,
            threads=side.threads,
            device=side.device,
        )
        labels[precision] = [found.label for found in classifier(side.texts)]
    wanted = labels.pop("fp32")
    return {
        precision: sum(a == b for a, b in zip(found, wanted, strict=True)) / len(wanted)
        for precision, found in labels.items()
    }


if __name__ == "__main__":
    main()
