"""Latency of one text against transformers on the CPU: many single calls, in alternation.

    python tests/benchmarks/latency_vs_peers.py [--tokens 128] [--calls 100]
        [--precision fp32,bf16,int8] [--threads N]

The same DistilBERT-base with random weights, and a text of exactly --tokens tokens. The model, from
ids to scores, is compared with transformers' model in the same precision with its better attention
(int8: torch's dynamic quantisation), on as many threads. `Classifier`, from text to label, is also
compared with the pipeline. Needs the extra `peers`.
"""

import argparse
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from _classify import PRECISIONS, precision_list, supported, warm
from _models import mixed_reviews, write_distilbert_base
from _peers import token_ids
from _report import alternate, report, require

WANTED = 1.05
ATTENTIONS = ("sdpa", "eager")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--tokens", type=int, default=128, help="tokens of the text, with special ones"
    )
    parser.add_argument(
        "--calls", type=int, default=100, help="calls of each contender, at least 2"
    )
    parser.add_argument("--precision", type=precision_list(*PRECISIONS), default=list(PRECISIONS))
    parser.add_argument("--threads", type=int, help="default: all cores")
    options = parser.parse_args()
    versions = require("transformers")

    import torch
    from transformers.utils import logging

    from distilcli.model.hardware import available_cores

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    threads = options.threads or available_cores()
    torch.set_num_threads(threads)
    runs: dict[str, Callable[[], object]] = {}
    against: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_distilbert_base(folder)
        text, ids = text_of(folder, options.tokens)
        for precision in supported(options.precision):
            ours = our_calls(folder, precision, text, ids, threads=threads)
            peers = peer_calls(folder, precision, ids)
            pipelines = pipeline_calls(folder, precision, text)
            runs |= {**ours, **peers, **pipelines}
            model, classifier = ours
            against |= {model: list(peers), classifier: [*peers, *pipelines]}
    with torch.inference_mode():
        alternate(runs, rounds=3, tells=False)
        seconds = alternate(runs, rounds=options.calls, tells=False)
    p50 = {who: median(times) for who, times in seconds.items()}
    ratios = {who: {peer: p50[who] / p50[peer] for peer in peers} for who, peers in against.items()}
    best = {who: min(peers, key=p50.__getitem__) for who, peers in against.items()}
    report(
        f"latency of one text of {len(ids[0])} tokens, DistilBERT-base, {threads} threads",
        [
            {
                "who": who,
                "p50 ms": p50[who] * 1_000,
                "p95 ms": p95(times) * 1_000,
                "p50 times": ratios[who][best[who]] if who in best else "",
                "wanted": WANTED if who in best else "",
                "as": best.get(who, ""),
            }
            for who, times in seconds.items()
        ],
        {
            "calls": options.calls,
            "threads": threads,
            "p50_seconds": p50,
            "p95_seconds": {who: p95(times) for who, times in seconds.items()},
            "ratios": ratios,
            "best_peers": best,
            "wanted_at_most": WANTED,
            **versions,
        },
    )


def text_of(folder: Path, tokens: int) -> tuple[str, Any]:
    """Return a text of this many tokens, with special ones, and its ids (1, tokens)."""
    import torch

    words = " ".join(mixed_reviews(50)).split()
    texts = [" ".join(words[:count]) for count in range(1, tokens)]
    for text, ids in zip(texts, token_ids(folder, texts), strict=True):
        if len(ids) == tokens:
            return text, torch.tensor([ids])
    raise SystemExit(f"no text of just {tokens} tokens was found; take some more or less")


def our_calls(
    folder: Path, precision: str, text: str, ids: Any, *, threads: int
) -> dict[str, Callable[[], object]]:
    """Return a call of the model and a call of the classifier."""
    classifier = warm(folder, [text], precision=precision, threads=threads)
    return {
        f"our model, {precision}": lambda: classifier._models[0](ids),
        f"Classifier, {precision}": lambda: classifier([text]),
    }


def peer_calls(folder: Path, precision: str, ids: Any) -> dict[str, Callable[[], object]]:
    """Return calls of transformers' model with each of its attentions."""
    return {
        f"transformers, {precision}, {attention}": lambda model=model: model(ids)
        for attention in ATTENTIONS
        for model in [peer_model(folder, precision, attention)]
    }


def pipeline_calls(folder: Path, precision: str, text: str) -> dict[str, Callable[[], object]]:
    """Return a call of transformers' pipeline."""
    from transformers import AutoTokenizer, pipeline

    labels = pipeline(
        "text-classification",
        model=peer_model(folder, precision, ATTENTIONS[0]),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        device="cpu",
    )
    return {f"pipeline, {precision}": lambda: labels(text)}


def peer_model(folder: Path, precision: str, attention: str) -> Any:
    """Load transformers' model in a precision."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        folder,
        dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
        attn_implementation=attention,
    ).eval()
    if precision != "int8":
        return model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, but torch has no substitute
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, torch.qint8)


def p95(times: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return quantiles(times, n=20, method="inclusive")[-1]


if __name__ == "__main__":
    main()
