"""The options of a BERT tokenizer, as spelled in `tokenizer_config.json` and related files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, TypeVar, get_args

from distilcli.checkpoint.folder import TokenizerFiles
from distilcli.checkpoint.json_file import JsonObject, read_object, shown
from distilcli.errors import ModelError

ROLES = ("unk", "sep", "pad", "cls", "mask")

Side = Literal["left", "right"]
Kind = TypeVar("Kind")

_KINDS: dict[type, str] = {
    bool: "true or false",
    list: "a list",
    dict: "an object",
    str: "a text",
    int: "a whole number",
}

_ID = re.compile("[0-9]{1,10}")
_LARGEST_ID = 2**31 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
_ABSURD_LENGTH = 100_000  # transformers writes 1e30 for no limit


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A token that is matched in the text before any other step.

    `normalized` matches it in the normalized text instead, `single_word` only without a letter or
    digit beside it; `lstrip` and `rstrip` include the whitespace beside it.
    """

    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False
    special: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerOptions:
    """All that decides how a text becomes tokens, apart from the vocabulary.

    `strip_accents` None follows `do_lower_case`. Words of `never_split` between whitespace are
    kept whole; they, and every option up to `do_split_on_punc`, need `do_basic_tokenize`.
    With `split_special_tokens` special tokens in a text are split like any other text.
    `model_max_length` None means unknown, `truncation_side` is where longer texts are cut.
    """

    do_basic_tokenize: bool = True
    do_lower_case: bool = True
    strip_accents: bool | None = None
    tokenize_chinese_chars: bool = True
    do_split_on_punc: bool = True
    never_split: tuple[str, ...] = ()
    max_input_chars_per_word: int = 100
    unk_token: str = "[UNK]"
    sep_token: str = "[SEP]"
    pad_token: str = "[PAD]"
    cls_token: str = "[CLS]"
    mask_token: str = "[MASK]"
    clean_up_tokenization_spaces: bool = True
    split_special_tokens: bool = False
    truncation_side: Side = "right"
    model_max_length: int | None = None
    extra_special_tokens: tuple[str, ...] = ()
    added_tokens: Mapping[int, AddedToken] = field(default_factory=dict)

    @property
    def strips_accents(self) -> bool:
        """Whether accents are stripped, with None resolved."""
        return self.do_lower_case if self.strip_accents is None else self.strip_accents

    def rules(self) -> tuple[object, ...]:
        """Return the options that decide how plain words become tokens."""
        if not self.do_basic_tokenize:
            return (self.split_special_tokens,)
        return (
            self.split_special_tokens,
            self.do_lower_case,
            self.strips_accents,
            self.tokenize_chinese_chars,
            self.do_split_on_punc,
            self.never_split,
        )

    def special_tokens(self) -> dict[str, str]:
        """Return the special tokens by their role."""
        return {role: getattr(self, f"{role}_token") for role in ROLES}


_FLAGS = (
    "do_basic_tokenize",
    "do_lower_case",
    "strip_accents",
    "tokenize_chinese_chars",
    "do_split_on_punc",
    "clean_up_tokenization_spaces",
    "split_special_tokens",
)
_EXTRA = ("additional_special_tokens", "extra_special_tokens")
"""The keys of special tokens without a role, in `transformers` 4 and 5."""


def read_options(
    files: TokenizerFiles,
    *,
    base: TokenizerOptions,
    overrides: Mapping[str, object],
    max_length: int | None = None,
) -> TokenizerOptions:
    """Read the options of a tokenizer from the JSON files beside its vocabulary.

    `base` holds the defaults, `overrides` settings that come before those of the files, and
    `max_length` replaces a missing or absurd `model_max_length`. Raises `ModelError` naming the
    file and the key that is wrong.
    """
    options = base
    for path in (files.special_tokens_map, files.tokenizer_config):
        if path is not None:
            options = _override(options, read_object(path), str(path))
    options = _override(options, overrides, files.name)
    if files.added_tokens is not None:
        added = _added_by_content(files.added_tokens, options)
        options = replace(options, added_tokens={**added, **options.added_tokens})
    if options.model_max_length is None:
        options = replace(options, model_max_length=max_length)
    return options


def _override(
    options: TokenizerOptions, raw: Mapping[str, object], source: str
) -> TokenizerOptions:
    changes: JsonObject = {}
    for name in _FLAGS:
        if raw.get(name) is not None:
            changes[name] = checked(raw[name], bool, name, source)
    for role in ROLES:
        name = f"{role}_token"
        if raw.get(name) is not None:
            changes[name] = added_token(raw[name], name, source).content
    if raw.get("never_split") is not None:
        words = checked(raw["never_split"], list, "never_split", source)
        changes["never_split"] = tuple(checked(word, str, "never_split", source) for word in words)
    if (side := raw.get("truncation_side")) is not None:
        if side not in get_args(Side):
            raise ModelError(
                f"{source}: truncation_side is {shown(side)}; it must be left or right"
            )
        changes["truncation_side"] = side
    extra = options.extra_special_tokens + _extra_special_tokens(raw, source)
    changes["extra_special_tokens"] = extra
    limit = raw.get("model_max_length")
    if isinstance(limit, int | float) and 0 < limit < _ABSURD_LENGTH:
        changes["model_max_length"] = int(limit)
    if raw.get("added_tokens_decoder") is not None:
        by_id = checked(raw["added_tokens_decoder"], dict, "added_tokens_decoder", source)
        changes["added_tokens"] = {**options.added_tokens, **_added_tokens(by_id, source)}
    return replace(options, **changes)


def _extra_special_tokens(raw: Mapping[str, object], source: str) -> tuple[str, ...]:
    contents: list[str] = []
    for name in _EXTRA:
        given = raw.get(name) or []
        listed = list(given.values()) if isinstance(given, dict) else given
        tokens = checked(listed, list, name, source)
        contents += [added_token(token, name, source).content for token in tokens]
    return tuple(contents)


def _added_by_content(path: Path, options: TokenizerOptions) -> dict[int, AddedToken]:
    """Read `added_tokens.json`, {"token": id}; only special tokens are matched as written."""
    special = {*options.special_tokens().values(), *options.extra_special_tokens}
    tokens = {}
    for content, token_id in read_object(path).items():
        is_special = content in special
        number = checked_id(token_id, repr(content), str(path))
        tokens[number] = AddedToken(
            encodable(content, str(path)), normalized=not is_special, special=is_special
        )
    return tokens


def _added_tokens(by_id: dict[str, object], source: str) -> dict[int, AddedToken]:
    tokens = {}
    for key, raw in by_id.items():
        if not _ID.fullmatch(key):
            raise ModelError(f"{source}: added_tokens_decoder has {shown(key)} where an id belongs")
        tokens[checked_id(int(key), "added_tokens_decoder", source)] = added_token(
            raw, f"added_tokens_decoder.{key}", source
        )
    return tokens


def added_token(raw: object, name: str, source: str) -> AddedToken:
    """Return a token that is written as text, or as an object with `content` and flags."""
    if isinstance(raw, str):
        return AddedToken(encodable(raw, source))
    if not isinstance(raw, dict) or not isinstance(raw.get("content"), str):
        raise ModelError(f"{source}: {name} is {shown(raw)}; it must be a text or have a content")
    known = {flag.name for flag in fields(AddedToken)} - {"content"}
    flags = {flag: checked(raw[flag], bool, name, source) for flag in known & raw.keys()}
    return AddedToken(encodable(raw["content"], source), **flags)


def is_id(value: object) -> bool:
    """Whether a value can be the id of a token."""
    return type(value) is int and 0 <= value <= _LARGEST_ID


def checked_id(value: object, name: str, source: str) -> int:
    """Return the id of a token; raise `ModelError` if the value is not an id."""
    if isinstance(value, int) and is_id(value):
        return value
    raise ModelError(f"{source}: {name} is {shown(value)}; it must be an id")


def has_surrogate(text: str) -> bool:
    """Whether a text has half a surrogate pair."""
    return _SURROGATE.search(text) is not None


def encodable(token: str, source: str) -> str:
    """Return a token; raise `ModelError` for half a surrogate pair, which no text has."""
    if has_surrogate(token):
        raise ModelError(f"{source}: the token {token!a} is not Unicode; download it again")
    return token


def checked(value: object, kind: type[Kind], name: str, source: str) -> Kind:
    """Return a value of the right type; raise `ModelError` for others, also bool for int."""
    if type(value) is kind:
        return value
    raise ModelError(f"{source}: {name} is {shown(value)}; it must be {_KINDS[kind]}")
