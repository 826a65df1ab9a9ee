"""Tokens removed that do not occur in rows, with their vectors."""

from collections.abc import Iterable
from itertools import islice

from distilcli.checkpoint.folder import ModelFiles
from distilcli.errors import InputError, UsageError
from distilcli.model.heads import TaskModel
from distilcli.model.surgery import prune_vocabulary
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.tokenizer.pruned import pruned_files, tokens_to_keep

_AT_ONCE = 1_000


def remove_tokens(model: TaskModel, files: ModelFiles, texts: Iterable[str]) -> dict[str, object]:
    """Keep the tokens that occur in `texts`, and return the tokenizer files that change.

    Raises `InputError` if the texts have no tokens, `UsageError` if they have all of them.
    """
    tokenizer = load_tokenizer(files)
    used: set[int] = set()
    remaining = iter(texts)
    while block := list(islice(remaining, _AT_ONCE)):
        used.update(number for ids in tokenizer.ids(block) for number in ids)
    if not used - {*tokenizer.special_numbers, *tokenizer.special}:
        raise InputError(
            "`prune_vocab`: the rows have no token beside the special ones; give rows with texts"
        )
    kept = [
        number for number in tokens_to_keep(tokenizer, used) if number < model.config.vocab_size
    ]
    if len(kept) == model.config.vocab_size:
        raise UsageError(
            f"`prune_vocab` has no effect: all of the {len(kept):,} tokens occur; leave it out"
        )
    prune_vocabulary(model, kept)
    return pruned_files(files, tokenizer, kept)
