"""`distil classify` against OpenVINO on the CPU, in fp32, bf16 and int8.

    python tests/benchmarks/classify_vs_openvino.py [--file REVIEWS] [--column NAME]

Both label the same rows with the same DistilBERT-base with random weights, on all available cores.
OpenVINO runs an export of transformers' model with rows sorted by length in batches of as many
tokens as ours, and a stream on each core. For int8, NNCF quantises it statically on eight batches
of the rows, the rest in fp32 or bf16. Ours reads and writes files; the peer gets a list of texts.
Loading, export and quantisation are not timed. Needs the extra `peers`.
"""

from pathlib import Path

from _classify import Ours, our_side, parser_of, supported
from _peers import (
    Peer,
    batches,
    by_length,
    export_onnx,
    openvino_engine,
    quantise_static,
    race_against,
)
from _report import require

WANTED = {"fp32": 0.95, "bf16": 0.95, "int8": 0.85}
HINTS = {"fp32": "f32", "bf16": "bf16"}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--tokens", type=int, default=512, help="tokens per batch of the peer")
    options = parser.parse_args()
    versions = require("openvino", "nncf", "onnx", "transformers")
    with our_side(options) as side:
        exported = side.folder / "model.onnx"
        export_onnx(side.model, exported)
        peers = {
            precision: compiled(precision, exported, side, tokens=options.tokens)
            for precision in side.classifiers
        }
        race_against(
            "OpenVINO",
            peers,
            side,
            WANTED,
            rounds=options.rounds,
            result={"tokens": options.tokens, **versions},
        )


def compiled(precision: str, exported: Path, side: Ours, *, tokens: int) -> dict[str, Peer]:
    """Return OpenVINO in a precision; int8 with the rest in each float precision."""
    cut = by_length(tokens)

    def peer(model: object, floats: str) -> Peer:
        engine = openvino_engine(model, precision=HINTS[floats], threads=side.threads)
        return Peer(side.model, cut, engine)

    if precision != "int8":
        return {f"OpenVINO, {precision}": peer(exported, precision)}
    quantised = quantise_static(exported, batches(side.model, side.texts, cut)[1])
    return {f"OpenVINO, int8 and {name}": peer(quantised, name) for name in supported([*HINTS])}


if __name__ == "__main__":
    main()
