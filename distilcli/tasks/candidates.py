"""Which tokens of a vocabulary may fill a mask."""

import re
from collections.abc import Sequence

from distilcli.errors import ModelError, UsageError
from distilcli.tokenizer.filled import is_piece
from distilcli.tokenizer.tokenizer import Tokenizer

_UNUSED = re.compile(r"\[unused\d+\]")  # reserved in BERT's vocabularies


def mask_id(tokenizer: Tokenizer) -> int:
    """Return the id of the mask; raise `ModelError` if the vocabulary has none."""
    number = tokenizer.mask
    if number is None:
        raise ModelError(
            f"{tokenizer.source}: the vocabulary has no {tokenizer.options.mask_token}, so "
            "nothing can be filled in; name another mask_token in tokenizer_config.json"
        )
    return number


def candidate_ids(
    tokenizer: Tokenizer,
    vocab_size: int,
    *,
    targets: Sequence[str] | None = None,
    whole_word: bool = False,
) -> list[int] | None:
    """Return the ids that may fill a mask, in order; None for all rows of the model's table.

    `targets` are the only ones, if given. `whole_word` excludes pieces of words, special tokens and
    tokens without a letter or digit. Raises `UsageError` for a target that is not a single token.
    """
    if targets is not None:
        if whole_word:
            raise UsageError("`targets` lists the tokens that count; leave out `whole_word`")
        return _target_ids(tokenizer, targets)
    tokens = tokenizer.tokens
    if whole_word:
        special = tokenizer.special_numbers
        return sorted(n for n, token in tokens.items() if n not in special and _is_word(token))
    # A model may have more rows than there are tokens: the rest are unused.
    return None if len(tokens) == vocab_size else sorted(tokens)


def _is_word(token: str) -> bool:
    has_letters = any(char.isalnum() for char in token)
    return has_letters and not is_piece(token) and not _UNUSED.fullmatch(token)


def _target_ids(tokenizer: Tokenizer, targets: Sequence[str]) -> list[int]:
    if not targets:
        raise UsageError("`targets` names no token; give some, separated by commas")
    return list(dict.fromkeys(_target_id(tokenizer, target) for target in targets))


def _target_id(tokenizer: Tokenizer, target: str) -> int:
    """Return the id of a token, or of a word that becomes one token (when lowercased, say)."""
    number = tokenizer.id_of(target)
    if number is not None:
        return number
    (ids,) = tokenizer.ids([target])
    if len(ids) == 1 and ids[0] != tokenizer.special.unk:
        return ids[0]
    pieces = " ".join(tokenizer.tokens[number] for number in ids) or "nothing"
    raise UsageError(
        f"`targets`: {target!r} is not one token of the vocabulary but {pieces}; "
        "name tokens, or use another word"
    )
