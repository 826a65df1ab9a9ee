"""Our tokenizers against their peers, on the same texts and cores.

    python tests/benchmarks/tokenizer_vs_peers.py [--vocab vocab.txt] [--file ROWS] [--rows N]

The fast engine and `distil tokenize`, from file to file, against `tokenizers.encode_batch_fast`
called directly; our WordPiece in plain Python against the Python BertTokenizer of the installed
transformers (4.57 is the last to have one). All alternate; ours is faster if a ratio is above 1.
Nothing is installed.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _models import add_text_options, texts_of
from _report import alternate, median_ratio, report

from distilcli.app import main as distil
from distilcli.checkpoint.locate import locate_tokenizer
from distilcli.tokenizer.fast import FastTokenizer, use_all_cores
from distilcli.tokenizer.loading import load_vocabulary


def python_bert_tokenizer(vocab: Path) -> tuple[str, Any]:
    """Return transformers' tokenizer in Python, and its name with the version."""
    import transformers

    name = f"transformers {transformers.__version__} BertTokenizer in Python"
    try:
        from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy
    except ImportError:
        return name, transformers.BertTokenizer(str(vocab))
    return f"{name} (legacy)", BertTokenizerLegacy(str(vocab))


def compare(
    ours: dict[str, Callable[[], object]], peer: str, run: Callable[[], object], rounds: int
) -> list[dict[str, object]]:
    """Time the contenders in turn; return a row for each of ours."""
    seconds = alternate({peer: run, **ours}, rounds=rounds)
    return [
        {
            "ours": name,
            "peer": peer,
            "seconds": round(min(seconds[name]), 3),
            "peer_seconds": round(min(seconds[peer]), 3),
            "ratio": round(median_ratio(seconds[peer], seconds[name]), 2),
        }
        for name in ours
    ]


def main() -> None:
    """Run the three comparisons and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocab", type=Path)
    add_text_options(parser, rows=2000, rounds=5)
    options = parser.parse_args()
    vocab = options.vocab or locate_tokenizer("sentiment").vocab_txt
    texts = texts_of(options)

    use_all_cores()
    fast = load_vocabulary(vocab)
    assert isinstance(fast, FastTokenizer)
    backend = fast._backend
    tokens = sum(map(len, fast.ids(texts)))

    def direct() -> object:
        return backend.encode_batch_fast(texts, add_special_tokens=False)

    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder, "in.jsonl")
        given.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))

        def command(*arguments: str) -> Callable[[], object]:
            files = [str(given), "-o", str(Path(folder, "out.jsonl")), "--force", "-q"]
            whole = ["tokenize", *files, "--vocab", str(vocab), *arguments]
            return lambda: distil(whole) and sys.exit("distil tokenize failed")

        rows = compare(
            {
                "fast engine, ids": lambda: fast.ids(texts),
                "distil tokenize, file to file, --columns ids": command("--columns", "ids"),
                "distil tokenize, file to file, tokens and ids": command("--columns", "tokens,ids"),
                "distil tokenize, file to file, all columns": command(),
                "the same with --engine wordpiece": command("--engine", "wordpiece"),
            },
            "tokenizers.encode_batch_fast",
            direct,
            options.rounds,
        )
    peer_name, peer = python_bert_tokenizer(vocab)
    some = texts[: max(1, len(texts) // 10)]
    warm = load_vocabulary(vocab, engine="wordpiece")
    rows += compare(
        {
            "our WordPiece, nothing remembered": lambda: load_vocabulary(
                vocab, engine="wordpiece"
            ).ids(some),
            "our WordPiece": lambda: warm.ids(some),
            "our WordPiece with offsets": lambda: warm.encode(some),
        },
        peer_name,
        lambda: [peer.convert_tokens_to_ids(peer.tokenize(text)) for text in some],
        options.rounds,
    )
    report(
        f"Tokenizers over {len(texts):,} rows, {tokens:,} tokens",
        rows,
        {"tokens": tokens, "results": rows},
    )


if __name__ == "__main__":
    main()
