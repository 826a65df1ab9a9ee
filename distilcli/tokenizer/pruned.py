"""The files of a tokenizer with fewer tokens, whose ids follow each other from 0."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from distilcli.checkpoint.folder import TokenizerFiles
from distilcli.checkpoint.json_file import JsonObject, read_object
from distilcli.tokenizer.tokenizer import Tokenizer

_DECODER = "added_tokens_decoder"


def tokens_to_keep(tokenizer: Tokenizer, used: Iterable[int]) -> list[int]:
    """Return the ids to keep, sorted: those in use, what spells new words, and special ones.

    Every text whose tokens are kept is read as before, because WordPiece takes the longest token
    that fits. What spells new words are the single letters of kept tokens, also as continuations.
    """
    kept = {*used} & tokenizer.tokens.keys()
    letters = {letter for number in kept for letter in tokenizer.tokens[number]}
    spelling = {
        number
        for number, token in tokenizer.tokens.items()
        if len(letter := token.removeprefix("##")) == 1 and letter in letters
    }
    special = {*tokenizer.special, *tokenizer.special_numbers, *tokenizer.options.added_tokens}
    return sorted((kept | spelling | special) & tokenizer.tokens.keys())


def pruned_files(
    files: TokenizerFiles, tokenizer: Tokenizer, kept: Sequence[int]
) -> dict[str, object]:
    """Return the files that change, by name: objects for JSON, lines of text for `vocab.txt`.

    `kept` are sorted ids; the first becomes 0, and so on.
    """
    new = {old: number for number, old in enumerate(kept)}
    changed: dict[str, object] = {}
    if files.vocab_txt is not None:
        # A line for each id, also of tokens that were added in another file.
        changed["vocab.txt"] = [tokenizer.tokens[old] for old in kept]
    if files.tokenizer_json is not None:
        changed["tokenizer.json"] = _with_new_ids(read_object(files.tokenizer_json), new)
    if files.tokenizer_config is not None:
        settings = read_object(files.tokenizer_config)
        if settings.get(_DECODER):
            decoder = {int(old): token for old, token in settings[_DECODER].items()}
            settings[_DECODER] = {str(new[old]): decoder[old] for old in decoder if old in new}
            changed["tokenizer_config.json"] = settings
    if files.added_tokens is not None:
        added = read_object(files.added_tokens)
        changed["added_tokens.json"] = {
            token: new[old] for token, old in added.items() if old in new
        }
    return changed


def _with_new_ids(raw: JsonObject, new: Mapping[int, int]) -> JsonObject:
    """Return the content of a `tokenizer.json` with new ids, without the tokens that have none."""
    model = raw["model"]
    vocabulary = sorted(model["vocab"].items(), key=lambda item: item[1])
    raw["model"] = {**model, "vocab": {token: new[old] for token, old in vocabulary if old in new}}
    raw["added_tokens"] = [
        {**token, "id": new[token["id"]]}
        for token in raw.get("added_tokens") or []
        if token["id"] in new
    ]
    if (padding := raw.get("padding")) and padding.get("pad_id") in new:
        raw["padding"] = {**padding, "pad_id": new[padding["pad_id"]]}
    if processor := raw.get("post_processor"):
        raw["post_processor"] = _processor_with_new_ids(processor, new)
    return raw


def _processor_with_new_ids(raw: JsonObject, new: Mapping[int, int]) -> JsonObject:
    """Return what frames sequences with new ids: a template, or BERT's own processor."""
    changed: dict[str, Any] = dict(raw)
    for role in ("cls", "sep"):
        if isinstance(raw.get(role), list):
            token, old = raw[role]
            changed[role] = [token, new[old]]
    if isinstance(raw.get("special_tokens"), dict):
        changed["special_tokens"] = {
            name: {**token, "ids": [new[old] for old in token["ids"]]}
            for name, token in raw["special_tokens"].items()
        }
    return changed
