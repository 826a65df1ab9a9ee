"""`distil classify` against onnxruntime on the CPU, in fp32 and in int8.

    python tests/benchmarks/classify_vs_onnxruntime.py [--file REVIEWS] [--column NAME]

Both label the same rows with the same DistilBERT-base with random weights, on all available cores.
onnxruntime runs an export of transformers' model, dynamically quantised for int8: rows in file
order at several batch sizes, and rows sorted by length in batches of as many tokens as ours. Sorted
batches run in two ways: each on all cores, or one on each core. Ours reads and writes files; the
peer gets a list of texts. Loading, export and quantisation are not timed. Needs the extra `peers`.
"""

from pathlib import Path

from _classify import Ours, our_side, parser_of
from _peers import (
    Peer,
    by_length,
    export_onnx,
    in_file_order,
    onnxruntime_engine,
    quantise_dynamic,
    race_against,
)
from _report import require

BATCH_SIZES = (8, 16, 32)
WANTED = {"int8": 1.3}


def main() -> None:
    parser = parser_of(__doc__, precisions=("fp32", "int8"))
    parser.add_argument(
        "--tokens", type=int, default=512, help="tokens per sorted batch of the peer"
    )
    options = parser.parse_args()
    versions = require("onnxruntime", "onnx", "transformers")
    with our_side(options) as side:
        exported = side.folder / "model.onnx"
        export_onnx(side.model, exported)
        peers = {
            precision: sessions(precision, exported, side, tokens=options.tokens)
            for precision in side.classifiers
        }
        race_against(
            "onnxruntime",
            peers,
            side,
            WANTED,
            rounds=options.rounds,
            result={"tokens": options.tokens, **versions},
        )


def sessions(precision: str, exported: Path, side: Ours, *, tokens: int) -> dict[str, Peer]:
    """Return onnxruntime in a precision, with every order and way of running."""
    path, name = exported, f"onnxruntime, {precision}"
    if precision == "int8":
        path = exported.with_name("int8.onnx")
        quantise_dynamic(exported, path)
    over_all = onnxruntime_engine(path, threads=side.threads, side_by_side=False)
    on_each = onnxruntime_engine(path, threads=side.threads, side_by_side=True)
    peers = {
        f"{name}, sorted, over all cores": Peer(side.model, by_length(tokens), over_all),
        f"{name}, sorted, a batch on each core": Peer(side.model, by_length(tokens), on_each),
    }
    for size in BATCH_SIZES if precision == "int8" else ():
        peers[f"{name}, in file order, batch_size={size}"] = Peer(
            side.model, in_file_order(size), over_all
        )
    return peers


if __name__ == "__main__":
    main()
