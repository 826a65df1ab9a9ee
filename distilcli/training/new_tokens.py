"""Tokens that a model's vocabulary lacks, added before it learns.

They are matched in texts as whole words, in any case if the tokenizer lower-cases. The vector of a
new token begins as the mean of those of the pieces that it was split into.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from distilcli.checkpoint.folder import TokenizerFiles
from distilcli.checkpoint.json_file import JsonObject, read_object
from distilcli.errors import InputError, UsageError, tell
from distilcli.gold.labels import some
from distilcli.rows.row import is_blank
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.tokenizer.options import AddedToken
from distilcli.tokenizer.tokenizer import Tokenizer

_DECODER = "added_tokens_decoder"


def parse_tokens(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return the tokens in a list, in a text with commas, or one per line in the file it names.

    Raises `UsageError` if there is none.
    """
    if isinstance(given, str) and Path(given).is_file():
        try:
            given = Path(given).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{given}: cannot be read: {error}") from None
    parts = given.split(",") if isinstance(given, str) else given
    tokens = tuple(dict.fromkeys(part.strip() for part in parts if not is_blank(part)))
    if not tokens:
        raise UsageError("`add_tokens` has no tokens; give some, or a file with one on each line")
    return tokens


@dataclass(frozen=True, slots=True)
class NewTokens:
    """A tokenizer with new tokens, and what a model and its folder need of them.

    `pieces` are the old ids of each new token, whose own ids follow from `first`; `files` are the
    JSON files of the tokenizer that change, by name.
    """

    tokenizer: Tokenizer
    first: int
    pieces: tuple[tuple[int, ...], ...]
    files: dict[str, object]


def add_tokens(
    files: TokenizerFiles, tokens: Sequence[str], *, max_length: int | None = None
) -> NewTokens:
    """Add tokens to a model's tokenizer; those that it has already are told and left out.

    `max_length` replaces the longest text, in tokens, of its settings.

    Raises `UsageError` for a token that no text is read as, and if none is new.
    """
    old = load_tokenizer(files)
    pieces = {
        token: tuple(map(int, ids)) for token, ids in zip(tokens, old.ids(tokens), strict=True)
    }
    known = [token for token, ids in pieces.items() if len(ids) == 1 and ids[0] != old.special.unk]
    if known:
        tell(f"`add_tokens`: the vocabulary already has {some(known)}; nothing is added for them")
    new = [token for token in tokens if token not in known]
    if not new:
        raise UsageError(
            "`add_tokens` has no effect: the model has all of these tokens; leave it out"
        )
    first = old.vocab_size
    added = {
        first + number: AddedToken(token, single_word=True, normalized=True, special=False)
        for number, token in enumerate(new)
    }
    decoder = {str(number): asdict(token) for number, token in added.items()}
    tokenizer = load_tokenizer(files, overrides={_DECODER: decoder})
    for number, ids in enumerate(tokenizer.ids(new)):
        if list(ids) != [first + number]:
            # Of two that are read alike, such as b and B, either may win; the later one is named.
            later = max(number, ids[0] - first) if len(ids) == 1 else number
            raise UsageError(
                f"`add_tokens`: {new[later]!r} would not be read as one token of its own; "
                "leave it out"
            )
    changed = _files(files, added, max_length)
    return NewTokens(tokenizer, first, tuple(pieces[token] for token in new), changed)


def _files(
    files: TokenizerFiles, added: Mapping[int, AddedToken], max_length: int | None
) -> dict[str, object]:
    """Return the files with which the tokenizer is loaded again, here and by `transformers`."""
    objects = [{"id": number, **asdict(token)} for number, token in added.items()]
    settings: JsonObject = (
        {} if files.tokenizer_config is None else read_object(files.tokenizer_config)
    )
    if max_length is not None:
        settings["model_max_length"] = max_length
    before = settings.get(_DECODER) or {}
    decoder = {str(number): asdict(token) for number, token in added.items()}
    found: dict[str, object] = {
        "tokenizer_config.json": {**settings, _DECODER: {**before, **decoder}}
    }
    if files.tokenizer_json is not None:
        raw = read_object(files.tokenizer_json)
        raw["added_tokens"] = [*(raw.get("added_tokens") or []), *objects]
        found["tokenizer.json"] = raw
    return found
