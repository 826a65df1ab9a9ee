"""Peak memory of each file command over some short rows, and over ten times as many.

    python tests/benchmarks/memory.py [--commands classify embed ...] [--rows N] [--times 10]

Models are tiny, with random weights. Each run has its own process and reports its peak in its
statistics.
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

from _models import REVIEWS
from _report import peak_of, report

HEADS = {
    "classify": "SequenceClassifier",
    "embed": "BaseModel",
    "tag": "TokenClassifier",
    "qa": "QuestionAnswerer",
    "fill": "MaskedLanguageModel",
    "choose": "MultipleChoice",
}
SUFFIXES = {"embed": "npy"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", nargs="+", choices=HEADS, default=list(HEADS))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    peaks: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for command in options.commands:
            write_tiny(folder / command, HEADS[command])
            counts = (options.rows, options.rows * options.times)
            peaks[command] = [peak_memory(folder, command, count) for count in counts]
    report(
        f"peak memory over {options.rows:,} short rows and {options.times} times as many",
        [
            {
                "command": command,
                "few MiB": few / 2**20,
                "many MiB": many / 2**20,
                "ratio": many / few,
            }
            for command, (few, many) in peaks.items()
        ],
        {"peak_bytes": peaks, "wanted": "at most 1.05 times"},
    )


def write_tiny(folder: Path, head: str) -> None:
    """Write a model of one thin layer with this head, and the built-in tokenizer."""
    import torch

    from distilcli.checkpoint.config import ModelConfig
    from distilcli.checkpoint.locate import locate
    from distilcli.model import heads
    from distilcli.model.saving import save_model

    torch.manual_seed(0)
    config = ModelConfig(
        dim=16, n_layers=1, n_heads=2, hidden_dim=32, labels=("O", "B-X"), problem_type=None
    )
    folder.mkdir()
    model = getattr(heads, head)(config)
    save_model(model, folder, tokenizer_files=locate("sentiment").tokenizer_files)


def peak_memory(folder: Path, command: str, rows: int) -> int:
    """Run a command over `rows` short rows in its own process; return its peak in bytes."""
    words = REVIEWS.read_text(encoding="utf-8").replace('"', " ").replace(",", " ").split()
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "question", "context", "prompt", "options"])
        for place in range(rows):
            text = " ".join(words[place % 500 : place % 500 + 3 + place % 5])
            masked = f"{text} [MASK]"
            writer.writerow([masked, "what is it", text, text, json.dumps([text, "another"])])
    output = folder / f"out.{SUFFIXES.get(command, 'csv')}"
    line = [command, str(folder / "rows.csv"), "-o", str(output), "--force"]
    return peak_of([*line, "--model", str(folder / command)], folder / "stats.json")


if __name__ == "__main__":
    main()
