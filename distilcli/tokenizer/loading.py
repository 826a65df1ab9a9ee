"""A tokenizer from a model's files: `tokenizer.json`, or `vocab.txt` with the files beside it.

All of them are read into a vocabulary and options, from which either engine is built.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from distilcli.checkpoint.folder import TokenizerFiles
from distilcli.checkpoint.json_file import JsonObject, read_object, shown
from distilcli.errors import ModelError
from distilcli.tokenizer.fast import FastTokenizer
from distilcli.tokenizer.options import (
    AddedToken,
    TokenizerOptions,
    added_token,
    checked,
    checked_id,
    encodable,
    has_surrogate,
    is_id,
    read_options,
)
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.tokenizer.vocabulary import Vocabulary, has_capitals, read_vocabulary
from distilcli.tokenizer.wordpiece import WordPieceTokenizer

_LONGEST_WORD = 1_000_000
EngineName = Literal["fast", "wordpiece"]


@dataclass(frozen=True, slots=True)
class _Described:
    """The content of a `tokenizer.json`; `oddity` is what only the Rust engine supports."""

    vocabulary: Vocabulary
    options: TokenizerOptions
    oddity: str | None


def load_tokenizer(
    files: TokenizerFiles,
    *,
    engine: EngineName = "fast",
    overrides: Mapping[str, object] | None = None,
) -> Tokenizer:
    """Build the tokenizer of a model; raise `ModelError` if its files cannot be used.

    `tokenizer_config.json` overrides `tokenizer.json`, and `overrides`, which has the same keys,
    both.
    """
    path = files.tokenizer_json or files.vocab_txt
    if path is None:
        raise ModelError("the model has neither tokenizer.json nor vocab.txt; add one of them")
    if files.tokenizer_json is not None:
        described = _describe(files.tokenizer_json)
    else:
        described = _Described(read_vocabulary(path), TokenizerOptions(), None)
    options = read_options(
        files,
        base=described.options,
        overrides=overrides or {},
        max_length=_max_positions(files.config_path),
    )
    return _engine(engine, replace(described, options=options), path)


def load_vocabulary(
    path: Path, *, cased: bool | None = None, engine: EngineName = "fast"
) -> Tokenizer:
    """Build a tokenizer from a `vocab.txt` alone.

    With `cased` None, texts are lower-cased unless the vocabulary has capital letters.
    """
    vocabulary = read_vocabulary(path)
    lowers = not (has_capitals(vocabulary) if cased is None else cased)
    options = TokenizerOptions(do_lower_case=lowers)
    return _engine(engine, _Described(vocabulary, options, None), path)


def _engine(name: EngineName, described: _Described, path: Path) -> Tokenizer:
    vocabulary = described.vocabulary
    options = _with_special_tokens(described.options, vocabulary)
    if name == "fast":
        file = None if described.oddity is None else path
        return FastTokenizer(vocabulary, options, source=str(path), file=file)
    if described.oddity is not None:
        raise ModelError(
            f"{path}: has {described.oddity}, which needs the Rust engine; use `engine` fast"
        )
    return WordPieceTokenizer(vocabulary, options, source=str(path))


def _with_special_tokens(options: TokenizerOptions, vocabulary: Vocabulary) -> TokenizerOptions:
    """Add the special tokens that the files do not list, so that texts may contain them."""
    added = dict(options.added_tokens)
    listed = {token.content for token in added.values()}
    for content in options.special_tokens().values():
        if content in vocabulary and content not in listed:
            added[vocabulary[content]] = AddedToken(content)
    for content in dict.fromkeys(options.extra_special_tokens):
        if content not in listed:
            # As in transformers, one that has no id yet gets the next one.
            free = max((*vocabulary.values(), *added), default=-1) + 1
            added[vocabulary.get(content, free)] = AddedToken(content)
    return replace(options, added_tokens=added)


def _max_positions(config_path: Path | None) -> int | None:
    if config_path is None:
        return None
    positions = read_object(config_path).get("max_position_embeddings")
    return positions if isinstance(positions, int) and positions > 0 else None


def _describe(path: Path) -> _Described:
    raw = read_object(path)
    model = _part(raw, "model")
    kind = model.get("type", "WordPiece" if "continuing_subword_prefix" in model else None)
    if kind != "WordPiece":
        raise ModelError(
            f"{path}: its model is {kind!r}, not 'WordPiece'; BERT and DistilBERT have the latter"
        )
    vocabulary = _vocabulary(model.get("vocab"), path)
    options, oddity = _steps(raw, model, str(path))
    added = raw.get("added_tokens") or []
    try:
        tokens = {
            checked_id(token["id"], "added_tokens.id", str(path)): added_token(
                token, "added_tokens", str(path)
            )
            for token in added
        }
    except (TypeError, KeyError):
        raise ModelError(f"{path}: added_tokens must be objects with an id") from None
    unk = checked(model.get("unk_token", "[UNK]"), str, "model.unk_token", str(path))
    if oddity is not None and unk not in vocabulary:
        raise ModelError(f"{path}: model.vocab has no {shown(unk)}; download the file again")
    return _Described(vocabulary, replace(options, unk_token=unk, added_tokens=tokens), oddity)


def _vocabulary(raw: object, path: Path) -> Vocabulary:
    if not (isinstance(raw, dict) and raw):
        raise ModelError(f"{path}: model.vocab must map tokens to ids; download the file again")
    for token in raw if has_surrogate("".join(raw)) else ():
        encodable(token, str(path))
    for token, number in raw.items():
        if not is_id(number):  # a message for each of 30,000 tokens takes a tenth of a second
            checked_id(number, f"model.vocab maps tokens to ids, but {shown(token)}", str(path))
    if len(set(raw.values())) < len(raw):
        twice = sorted(raw.values())
        token_id = next(a for a, b in itertools.pairwise(twice) if a == b)
        raise ModelError(f"{path}: two tokens have the id {token_id}; each must have its own")
    return raw


def _steps(raw: JsonObject, model: JsonObject, source: str) -> tuple[TokenizerOptions, str | None]:
    """Return the options that the steps of a `tokenizer.json` amount to, and any oddity."""
    normalizer, splitter = _part(raw, "normalizer"), _part(raw, "pre_tokenizer").get("type")
    basic = normalizer.get("type") == "BertNormalizer"
    longest = model.get("max_input_chars_per_word", 100)
    if type(longest) is not int or not 0 <= longest <= _LONGEST_WORD:
        raise ModelError(
            f"{source}: max_input_chars_per_word is {shown(longest)}; it must be a whole number"
        )

    def flag(name: str) -> bool:
        value = normalizer.get(name)
        return True if value is None else checked(value, bool, f"normalizer.{name}", source)

    strips = normalizer.get("strip_accents") if basic else None
    if strips is not None:
        checked(strips, bool, "normalizer.strip_accents", source)
    truncates_left = _part(raw, "truncation").get("direction") == "Left"
    options = TokenizerOptions(
        do_basic_tokenize=basic,
        do_lower_case=basic and flag("lowercase"),
        strip_accents=strips,
        tokenize_chinese_chars=flag("handle_chinese_chars"),
        do_split_on_punc=splitter == "BertPreTokenizer",
        max_input_chars_per_word=longest,
        truncation_side="left" if truncates_left else "right",
    )
    if not (basic or not normalizer):
        return options, f"the normalizer {normalizer.get('type')}"
    if basic and not flag("clean_text"):
        return options, "a normalizer that does not clean"
    if splitter not in ("BertPreTokenizer", "WhitespaceSplit") or not (
        basic or splitter == "WhitespaceSplit"
    ):
        return options, f"the pre-tokenizer {splitter} with {normalizer.get('type', 'none')}"
    if model.get("continuing_subword_prefix", "##") != "##":
        return options, f"the prefix {json.dumps(model['continuing_subword_prefix'])}"
    return options, None


def _part(raw: JsonObject, name: str) -> JsonObject:
    part = raw.get(name)
    return part if isinstance(part, dict) else {}
