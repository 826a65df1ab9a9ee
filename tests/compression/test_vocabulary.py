from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.checkpoint.folder import describe_folder
from distilcli.compression.vocabulary import remove_tokens
from distilcli.errors import InputError, UsageError
from distilcli.model.heads import SequenceClassifier
from distilcli.model.loading import load_model

Make = Callable[..., Path]


def test_texts_without_tokens_are_refused(make_model: Make) -> None:
    files = describe_folder("m", make_model())
    model = load_model(files, SequenceClassifier).model
    for texts in ([], ["", " "], ["[MASK]"]):
        with pytest.raises(InputError, match="no token beside the special ones"):
            remove_tokens(model, files, texts)


def test_texts_with_every_token_are_refused(make_model: Make, vocab: list[str]) -> None:
    files = describe_folder("m", make_model())
    model = load_model(files, SequenceClassifier).model
    # Each word of one letter, and each letter twice for its continuation.
    words = [token.replace("##", "z") for token in vocab if not token.startswith("[")]
    with pytest.raises(UsageError, match="no effect"):
        remove_tokens(model, files, [" ".join(words)])


def test_the_vectors_of_kept_tokens_stay(make_model: Make, vocab: list[str]) -> None:
    files = describe_folder("m", make_model())
    model = load_model(files, SequenceClassifier).model
    before = model.distilbert.embeddings.word_embeddings.weight.detach().clone()
    changed = remove_tokens(model, files, ["the film was good"])
    kept = changed["vocab.txt"]
    assert isinstance(kept, list)
    assert {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "film", "was", "good"} <= {*kept}
    assert "bad" not in kept
    after = model.distilbert.embeddings.word_embeddings.weight
    assert len(after) == len(kept) == model.config.vocab_size
    assert (after == before[[vocab.index(token) for token in kept]]).all()
