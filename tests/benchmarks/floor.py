"""How close `distil classify` comes to the time of its matrix products, on the CPU.

    python tests/benchmarks/floor.py [--file REVIEWS] [--column NAME]
        [--precision fp32,bf16,int8] [--threads N]

First the ceiling: products of 512 tokens with DistilBERT-base's linear layers, by the fastest of
torch's ways for each size, with single-threaded workers in parallel and as one product on all
cores. Then the floor: the time of all products of the model over the file at the better of these
rates (attention's count at the same rate). Last, the share of the floor's rows per second that
`distil classify` reaches, from file to file. Each round measures both, and shares compare within a
round. Ours skips what the last block computes for tokens other than the first; the share for its
own work is reported as well.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from _classify import label_file, our_side, parser_of
from _peers import token_ids
from _report import report

WANTED = {"fp32": 0.92}
TOKENS = 512
LAYERS, DIM, HIDDEN = 6, 768, 3_072
# Inputs and outputs of a layer's linear maps, and how many it has of them.
MAPS = {(DIM, DIM): 4, (DIM, HIDDEN): 1, (HIDDEN, DIM): 1}
SECONDS = 0.15  # for which each product is repeated

Product = Callable[[], object]


@dataclass(frozen=True)
class Round:
    """The ceilings in FLOP/s, and our seconds for the file."""

    side_by_side: float
    over_all: float
    seconds: float

    def share(self, work: float) -> float:
        """Return the share of the ceiling for this much work in FLOP."""
        return work / max(self.side_by_side, self.over_all) / self.seconds


def main() -> None:
    options = parser_of(__doc__).parse_args()
    with our_side(options) as side:
        lengths = [len(ids) for ids in token_ids(side.model, side.texts)]
        rounds: dict[str, list[Round]] = {precision: [] for precision in side.classifiers}
        for _ in range(options.rounds):
            for precision, classifier in side.classifiers.items():
                rates = ceilings(precision, side.threads)
                started = perf_counter()
                label_file(classifier, side.folder)
                rounds[precision].append(Round(*rates, perf_counter() - started))
    work, own_work = flop(lengths), flop(lengths, skips=True)
    shares = {name: median(found.share(work) for found in rounds[name]) for name in rounds}
    report(
        f"classify against the floor of its matrix products, {len(lengths)} rows",
        [
            {
                "precision": name,
                "side by side GFLOP/s": median(one.side_by_side for one in found) / 1e9,
                "over all cores GFLOP/s": median(one.over_all for one in found) / 1e9,
                "floor rows/s": median(
                    len(lengths) * max(one.side_by_side, one.over_all) / work for one in found
                ),
                "distil rows/s": median(len(lengths) / one.seconds for one in found),
                "share": shares[name],
                "wanted": WANTED.get(name, ""),
                "share of own work": median(one.share(own_work) for one in found),
            }
            for name, found in rounds.items()
        ],
        {
            "rows": len(lengths),
            "tokens": sum(lengths),
            "flop": work,
            "own_flop": own_work,
            "threads": side.threads,
            "rounds": {name: [vars(one) for one in found] for name, found in rounds.items()},
            "shares": shares,
            "wanted": WANTED,
        },
    )


def flop(lengths: Sequence[int], *, skips: bool = False) -> float:
    """Count the FLOP of the model's products over texts of these lengths, 2 per multiply-add.

    With `skips`, as ours computes the last block: keys and values for all tokens, the rest only
    for the first.
    """
    weights = sum(count * inputs * outputs for (inputs, outputs), count in MAPS.items())

    def layer(tokens: int) -> float:
        return 2 * tokens * weights + 4 * tokens**2 * DIM

    def last(tokens: int) -> float:
        keys_values = 2 * DIM * DIM
        return 2 * (tokens * keys_values + weights - keys_values) + 4 * tokens * DIM

    blocks = [layer] * (LAYERS - 1) + [last if skips else layer]
    return float(sum(block(tokens) for block in blocks for tokens in lengths))


def ceilings(precision: str, threads: int) -> tuple[float, float]:
    """Return the FLOP/s of a layer's products: in parallel, and on all cores."""
    wholes, side_by_side, over_all = 0.0, 0.0, 0.0
    for (inputs, outputs), count in MAPS.items():
        work = 2.0 * count * TOKENS * inputs * outputs
        wholes += work * threads
        side_by_side += count * min(
            seconds(product, workers=threads)
            for product in products(precision, TOKENS, inputs, outputs)
        )
        over_all += count * min(
            seconds(product, workers=1, threads=threads)
            for product in products(precision, TOKENS * threads, inputs, outputs)
        )
    return wholes / side_by_side, wholes / over_all


def seconds(product: Product, *, workers: int, threads: int = 1) -> float:
    """Return the seconds of a product done by `workers` in parallel, with `threads` each."""
    import torch

    before = torch.get_num_threads()
    barrier = threading.Barrier(workers)
    rates: list[float] = []

    def work() -> None:
        # Asked first, or torch would later overwrite the setting with its default.
        torch.get_num_threads()
        torch.set_num_threads(threads)
        with torch.inference_mode():
            product()
            barrier.wait()
            started, done = perf_counter(), 0
            while perf_counter() < started + SECONDS:
                product()
                done += 1
            rates.append(done / (perf_counter() - started))

    pool = [threading.Thread(target=work) for _ in range(workers)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    torch.set_num_threads(before)
    return workers / sum(rates)


def products(precision: str, tokens: int, inputs: int, outputs: int) -> Iterator[Product]:
    """Yield a product of tokens with a linear layer in each of torch's ways."""
    import torch
    import torch.nn.functional as F

    from distilcli.model.prepacked import PackedLinear, can_pack

    if precision == "int8":
        yield from integer_products(tokens, inputs, outputs)
        return
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    linear = torch.nn.Linear(inputs, outputs).to(dtype).requires_grad_(False)
    x = torch.randn(tokens, inputs).to(dtype)
    yield lambda: F.linear(x, linear.weight, linear.bias)
    if can_pack(dtype):
        packed = PackedLinear(linear)
        yield lambda: packed(x)


def integer_products(tokens: int, inputs: int, outputs: int) -> Iterator[Product]:
    """Yield oneDNN's, with weights laid out for any number of tokens or this one, or a portable."""
    import torch

    from distilcli.model.int8 import Int8Linear, has_kernel, quantise

    x = torch.randn(1, tokens, inputs)
    if not has_kernel():
        linear, codes = Int8Linear(torch.nn.Linear(inputs, outputs)), quantise(x)
        yield lambda: linear(codes)
        return
    operators = torch.ops.onednn
    values = quantise(x).values[0]
    rows = torch.randint(-127, 128, (outputs, inputs), dtype=torch.int8)
    scale, zeros = torch.ones(outputs), torch.zeros(outputs, dtype=torch.int64)
    for hint in (None, [tokens, inputs]):
        weight = operators.qlinear_prepack(rows, hint)
        for dtype in (torch.float32, torch.bfloat16):
            given = (values, 1.0, 128, weight, scale, zeros, None)
            rest = (1.0, 0, dtype, "none", [], "")
            yield lambda given=given, rest=rest: operators.qlinear_pointwise(*given, *rest)


if __name__ == "__main__":
    main()
