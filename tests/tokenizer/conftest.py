import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tokenizer._texts import VOCABULARY

Files = Callable[..., Path]


@pytest.fixture
def write_files(tmp_path: Path) -> Files:
    """Return a function that writes tokenizer files into a folder: texts, or objects as JSON."""

    def write(**files: object) -> Path:
        for name, content in files.items():
            stem, _, suffix = name.rpartition("_")
            path = tmp_path / f"{stem}.{suffix}"
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8", newline="")
        return tmp_path

    return write


@pytest.fixture(scope="session")
def vocab_text() -> str:
    return "".join(f"{token}\n" for token in VOCABULARY)


@pytest.fixture
def tokenizer_json() -> dict[str, object]:
    """A `tokenizer.json` as the hub has them, as an object."""
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "truncation": {
            "max_length": 3,
            "strategy": "LongestFirst",
            "stride": 0,
            "direction": "Right",
        },
        "padding": None,
        "added_tokens": [
            {"id": VOCABULARY[token], "content": token, **flags, "special": True}
            for token in special
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": VOCABULARY,
        },
    }
