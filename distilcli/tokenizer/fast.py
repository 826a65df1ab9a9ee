"""The engine `fast`: the Rust tokenizer of the `tokenizers` package.

It is built from the same vocabulary and options as the engine in plain Python, so that options
have the same effect in both. Truncation and special tokens are left to `windows.py`, so that all
tasks cut long texts alike.

No token reaches over whitespace, and the words of a language come again and again. So the ids of
each stretch between whitespace are remembered, and only new ones are tokenized: a text of 20 tokens
takes a tenth of the time.
"""

import os
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from distilcli.errors import ModelError
from distilcli.tokenizer.characters import OTHER_WHITESPACE, WHITESPACE
from distilcli.tokenizer.options import TokenizerOptions
from distilcli.tokenizer.tokenizer import Encoding, Ids, Tokenizer
from distilcli.tokenizer.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer as RustTokenizer

_POOL = "TOKENIZERS_PARALLELISM"
_POOL_IS_CHOSEN = _POOL in os.environ
_REMEMBERED = 1 << 20  # characters of stretches, of which each counts as some more
_OF_A_STRETCH = 16


def use_all_cores() -> None:
    """Tokenize batches on all cores from now on, unless the user has decided otherwise."""
    if not _POOL_IS_CHOSEN:
        os.environ[_POOL] = "true"


class FastTokenizer(Tokenizer):
    """Tokenizes batches of texts in Rust."""

    engine = "fast"

    def __init__(
        self,
        vocabulary: Vocabulary,
        options: TokenizerOptions,
        *,
        source: str,
        file: Path | None = None,
    ) -> None:
        """Build the tokenizer, or read it unchanged from a `tokenizer.json`.

        Raises `ModelError` if the vocabulary lacks a special token.
        """
        backend = _build(vocabulary, options, source) if file is None else _read(file)
        backend.encode_special_tokens = options.split_special_tokens
        # A file is read as it is if it has steps that the options cannot describe.
        unknown_steps = file is not None
        super().__init__(backend.get_vocab(), options, source=source, unknown_steps=unknown_steps)
        # The model engine has its own threads; a second pool would compete for cores.
        os.environ.setdefault(_POOL, "false")
        self._backend = backend
        self._stretches = None
        if not (unknown_steps or _may_span_whitespace(options)):
            self._stretches = _Stretches(self._rust_ids, cleaned=options.do_basic_tokenize)

    def _plain_ids(self, texts: Sequence[str]) -> list[Ids]:
        if self._stretches is None:
            return self._rust_ids(texts)
        return self._stretches.ids(texts)

    def _rust_ids(self, texts: Sequence[str]) -> list[Ids]:
        with _panics_told(self.source):
            encodings = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [array("i", encoding.ids) for encoding in encodings]

    def _plain_encodings(self, texts: Sequence[str]) -> list[Encoding]:
        with _panics_told(self.source):
            encodings = self._backend.encode_batch(list(texts), add_special_tokens=False)
        return [
            Encoding(found.ids, found.offsets, cast("list[int]", found.word_ids))
            for found in encodings
        ]


class _Stretches:
    """The ids of texts from those of their stretches without whitespace, which are remembered.

    Texts that are not `cleaned` of control characters have more kinds of whitespace. Several
    threads may tokenize at once: a call keeps the table it began with, and none is ever emptied.
    """

    def __init__(
        self, tokenize: Callable[[Sequence[str]], Sequence[Ids]], *, cleaned: bool
    ) -> None:
        self._tokenize = tokenize
        self._pattern = re.compile(f"[^{WHITESPACE}{OTHER_WHITESPACE * (not cleaned)}]+")
        self._known: dict[str, bytes] = {}
        self._size = 0

    def ids(self, texts: Sequence[str]) -> list[Ids]:
        """Return the ids of each text."""
        known = self._known
        split = self._pattern.findall
        # Of all whitespace, only the space is printable.
        texts_split = [text.split() if text.isprintable() else split(text) for text in texts]
        if new := list(set(chain.from_iterable(texts_split)).difference(known)):
            found = self._tokenize(new)
            known.update((stretch, ids.tobytes()) for stretch, ids in zip(new, found, strict=True))
            self._size += sum(map(len, new)) + len(new) * _OF_A_STRETCH
            if self._size > _REMEMBERED:
                self._known, self._size = {}, 0
        of_stretch = known.__getitem__
        return [array("i", b"".join(map(of_stretch, stretches))) for stretches in texts_split]


def _may_span_whitespace(options: TokenizerOptions) -> bool:
    """Return whether a token that is matched in the text may reach over whitespace."""
    return any(
        token.normalized or token.content.split() != [token.content]
        for token in options.added_tokens.values()
    )


@contextmanager
def _panics_told(source: str) -> Iterator[None]:
    """Turn a panic of the Rust engine, from a pattern that never ends on a text, into one line."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ModelError(
            f"{source}: cannot tokenize a text: {error}; "
            "use the tokenizer that belongs to the model"
        ) from None


def _build(vocabulary: Vocabulary, options: TokenizerOptions, source: str) -> "RustTokenizer":
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

    model = models.WordPiece(
        vocabulary,
        unk_token=options.unk_token,
        max_input_chars_per_word=options.max_input_chars_per_word,
    )
    if options.unk_token not in vocabulary:
        raise ModelError(
            f"{source}: the vocabulary has no {options.unk_token}, which stands for unknown words; "
            "add it, or name another unk_token in tokenizer_config.json"
        )
    backend = Tokenizer(model)
    if options.do_basic_tokenize:
        backend.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=options.tokenize_chinese_chars,
            strip_accents=options.strips_accents,
            lowercase=options.do_lower_case,
        )
    splits = options.do_basic_tokenize and options.do_split_on_punc
    backend.pre_tokenizer = (
        pre_tokenizers.BertPreTokenizer() if splits else pre_tokenizers.WhitespaceSplit()
    )
    for number, token in sorted(options.added_tokens.items()):
        added = AddedToken(
            token.content,
            single_word=token.single_word,
            lstrip=token.lstrip,
            rstrip=token.rstrip,
            normalized=token.normalized,
            special=token.special,
        )
        (backend.add_special_tokens if token.special else backend.add_tokens)([added])
        if backend.token_to_id(token.content) != number:
            raise ModelError(
                f"{source}: the added token {token.content!r} has id {number}, which does not "
                "follow the vocabulary; number added tokens from its end"
            )
    return backend


def _read(path: Path) -> "RustTokenizer":
    from tokenizers import Tokenizer

    try:
        backend = Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 - the package raises bare Exception
        raise ModelError(f"{path}: cannot be read as a tokenizer.json: {error}") from None
    backend.no_truncation()
    backend.no_padding()
    return backend
