"""The Rust tokenizer of the `tokenizers` package, from `tokenizer.json` or built from `vocab.txt`.

Only texts to ids is asked of it; special tokens, truncation and windows are put around the ids by
`windows.py`, so that every task cuts long texts in one way.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distilcli.errors import ModelError

# The engine runs its own threads; a second pool inside the tokenizer would fight them for cores.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_ABSURD_LENGTH = 100_000  # transformers writes 1e30 where a tokenizer has no limit


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """The ids that frame a sequence and fill a batch."""

    cls: int
    sep: int
    pad: int
    unk: int


class FastTokenizer:
    """Texts to token ids, without special tokens."""

    def __init__(self, backend: Any, *, special: SpecialIds, max_length: int | None) -> None:
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self.special = special
        self.max_length = max_length
        self.vocab_size: int = backend.get_vocab_size()

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text."""
        encodings = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]


def load_tokenizer(
    *, tokenizer_json: Path | None, vocab_txt: Path | None, tokenizer_config: Path | None
) -> FastTokenizer:
    """Load a tokenizer from a model's files; raise `ModelError` if they cannot be used."""
    settings = _read_settings(tokenizer_config)
    if tokenizer_json is not None:
        backend, source = _from_json(tokenizer_json), tokenizer_json
    elif vocab_txt is not None:
        backend, source = _from_vocab(vocab_txt, settings), vocab_txt
    else:
        raise ModelError("the model has neither tokenizer.json nor vocab.txt")
    limit = settings.get("model_max_length")
    sane = isinstance(limit, int | float) and 0 < limit < _ABSURD_LENGTH
    return FastTokenizer(
        backend,
        special=_special_ids(backend, settings, source),
        max_length=int(limit) if sane else None,
    )


def _read_settings(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None
    if not isinstance(settings, dict):
        raise ModelError(f"{path}: holds no JSON object")
    return settings


def _from_json(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 - the package raises bare Exception
        raise ModelError(f"{path}: is no tokenizer.json that can be read: {error}") from None


def _from_vocab(path: Path, settings: dict[str, Any]) -> Any:
    from tokenizers.implementations import BertWordPieceTokenizer

    try:
        tokens = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None
    vocab = {token.rstrip("\r"): index for index, token in enumerate(tokens) if token}
    wordpiece = BertWordPieceTokenizer(
        vocab,
        lowercase=settings.get("do_lower_case", True),
        strip_accents=settings.get("strip_accents"),
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        unk_token=_token_text(settings, "unk"),
    )
    return wordpiece._tokenizer


def _special_ids(backend: Any, settings: dict[str, Any], source: Path) -> SpecialIds:
    ids = {}
    for role in ("cls", "sep", "pad", "unk"):
        token = _token_text(settings, role)
        ids[role] = backend.token_to_id(token)
        if ids[role] is None:
            raise ModelError(f"{source}: the vocabulary has no {token}")
    return SpecialIds(**ids)


def _token_text(settings: dict[str, Any], role: str) -> str:
    token = settings.get(f"{role}_token") or f"[{role.upper()}]"
    return token["content"] if isinstance(token, dict) else str(token)
