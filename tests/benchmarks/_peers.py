"""Peers that run an ONNX export of our weights: the export, batching, and their engines.

A peer gets a list of texts, tokenizes them with the `tokenizers` package, cuts batches and runs
them. An engine maps batches to their scores, with any number of threads.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from _classify import Duel, Ours, ours, race

Feed = dict[str, np.ndarray]
Engine = Callable[[Sequence[Feed]], Sequence[np.ndarray]]
Cut = Callable[[Sequence[int]], Iterable[Sequence[int]]]

MAX_LENGTH = 512


def in_file_order(rows: int) -> Cut:
    """Return a function that cuts batches of `rows` in file order."""
    return lambda lengths: (
        range(start, min(start + rows, len(lengths))) for start in range(0, len(lengths), rows)
    )


def by_length(tokens: int) -> Cut:
    """Return a function that cuts batches like ours: by length, `tokens` positions each."""
    from distilcli.engine.batching import cut_batches

    return lambda lengths: cut_batches(lengths, max_tokens=tokens, max_rows=None)


@dataclass(frozen=True)
class Peer:
    """A model in another engine; `folder` holds the tokenizer."""

    folder: Path
    cut: Cut
    engine: Engine

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probability of each label, (rows, labels), in the order of the texts."""
        places, feeds = batches(self.folder, texts, self.cut)
        logits = np.concatenate(self.engine(feeds)).astype(np.float64)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        found = np.empty_like(powers)
        found[places] = powers / powers.sum(axis=1, keepdims=True)
        return found


def batches(folder: Path, texts: Sequence[str], cut: Cut) -> tuple[list[int], list[Feed]]:
    """Tokenize texts and cut batches; return the index of each row in them, and the batches."""
    ids = token_ids(folder, texts)
    cuts = [list(places) for places in cut([len(row) for row in ids])]
    feeds = [_padded([ids[place] for place in places]) for places in cuts]
    return [place for places in cuts for place in places], feeds


def token_ids(folder: Path, texts: Sequence[str]) -> list[list[int]]:
    """Tokenize texts with a model's tokenizer, truncated to its limit, with special tokens."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_LENGTH)
    tokenizer.no_padding()
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]


def _padded(rows: Sequence[Sequence[int]]) -> Feed:
    """Pad rows with 0 ([PAD]) to one array."""
    shape = (len(rows), max(map(len, rows)))
    ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def export_onnx(folder: Path, path: Path) -> None:
    """Export the model as transformers computes it, with dynamic rows and lengths."""
    import warnings

    import torch
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    model.config.return_dict = False
    ids = torch.randint(1_000, 2_000, (2, 16))
    shape = {0: "rows", 1: "tokens"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every constant
        torch.onnx.export(
            model,
            (ids, torch.ones_like(ids)),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"input_ids": shape, "attention_mask": shape, "logits": {0: "rows"}},
            opset_version=17,
            dynamo=False,  # the new exporter needs another package
        )


def onnxruntime_engine(path: Path, *, threads: int, side_by_side: bool) -> Engine:
    """Return onnxruntime on all cores: for each batch, or with a batch on each core."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1 if side_by_side else threads
    settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    # A session of one thread computes on the calling thread.
    callers = threads if side_by_side else 1

    def run(feeds: Sequence[Feed]) -> list[np.ndarray]:
        with ThreadPoolExecutor(callers) as pool:
            return [found[0] for found in pool.map(lambda feed: session.run(None, feed), feeds)]

    return run


def quantise_dynamic(path: Path, quantised: Path) -> None:
    """Write onnxruntime's int8 model: quantised weights, activations quantised at run time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(path, quantised, weight_type=QuantType.QInt8, per_channel=True)


def openvino_engine(model: Any, *, precision: str, threads: int) -> Engine:
    """Return OpenVINO with a stream on each core; `precision` is f32 or bf16.

    `model` is the path of an ONNX file, or a model quantised by NNCF.
    """
    import openvino

    core = openvino.Core()
    settings: Mapping[str, object] = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": threads,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
    }
    queue = openvino.AsyncInferQueue(core.compile_model(model, "CPU", settings), threads)

    def run(feeds: Sequence[Feed]) -> list[np.ndarray]:
        found: dict[int, np.ndarray] = {}

        def keep(request: Any, number: int) -> None:
            found[number] = request.get_output_tensor(0).data.copy()

        queue.set_callback(keep)
        for number, feed in enumerate(feeds):
            queue.start_async(feed, number)
        queue.wait_all()
        return [found[number] for number in range(len(feeds))]

    return run


def quantise_static(path: Path, feeds: Sequence[Feed], *, batches: int = 8) -> Any:
    """Return OpenVINO's model in int8, calibrated by NNCF on batches spread over `feeds`."""
    import nncf
    import openvino

    chosen = list(islice(feeds, 0, None, max(1, len(feeds) // batches)))[:batches]
    with redirect_stdout(sys.stderr):  # its progress bars
        return nncf.quantize(
            openvino.Core().read_model(path),
            nncf.Dataset(chosen),
            subset_size=len(chosen),
            model_type=nncf.ModelType.TRANSFORMER,
        )


def race_against(
    name: str,
    peers: Mapping[str, Mapping[str, Peer]],
    side: Ours,
    wanted: Mapping[str, float],
    *,
    rounds: int,
    result: Mapping[str, object],
) -> None:
    """Compare ours in each precision with the best of its `peers`, which are by precision.

    Peers warm up on all texts, because their engines prepare for each batch shape; their answers
    are compared with ours in the same precision.
    """
    every = {who: peer for some in peers.values() for who, peer in some.items()}
    differences = {}
    for precision, some in peers.items():
        found = side.classifiers[precision](side.texts)
        expected = np.array([classification.scores for classification in found])
        for who, peer in some.items():
            differences[who] = float(np.abs(peer.probabilities(side.texts) - expected).max())
    race(
        f"classify, DistilBERT-base, mixed review lengths, against {name}",
        side.texts,
        {
            **side.runs(),
            **{
                who: lambda peer=peer: peer.probabilities(side.texts) for who, peer in every.items()
            },
        },
        {
            ours(precision): Duel(list(some), wanted.get(precision))
            for precision, some in peers.items()
        },
        rounds=rounds,
        result={"largest_differences": differences, **result},
    )
