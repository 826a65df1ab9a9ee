"""Texts tokenized part by part, or only as far as needed, have the tokens of the whole text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.errors import RowError
from distilcli.tokenizer import borders
from distilcli.tokenizer import tokenizer as base
from distilcli.tokenizer.fast import FastTokenizer
from distilcli.tokenizer.options import AddedToken, TokenizerOptions
from distilcli.tokenizer.tokenizer import Encoding, Tokenizer
from distilcli.tokenizer.wordpiece import WordPieceTokenizer
from tests.tokenizer._texts import VOCABULARY, texts
from tests.tokenizer.test_fast import ADDED, OPTIONS

NEXT = len(VOCABULARY)
OPTIONS = {
    **OPTIONS,
    "a token with a blank": TokenizerOptions(
        added_tokens={**ADDED, NEXT: AddedToken("un the", special=False)}
    ),
    "a normalized token": TokenizerOptions(
        added_tokens={**ADDED, NEXT: AddedToken("Á-b c", normalized=True, special=False)}
    ),
    "a normalized ideograph": TokenizerOptions(
        added_tokens={**ADDED, NEXT: AddedToken("中国", normalized=True, special=False)}
    ),
    "a token that takes blanks": TokenizerOptions(
        added_tokens={**ADDED, NEXT: AddedToken("<x>", lstrip=True, rstrip=True)}
    ),
    "a token by itself": TokenizerOptions(
        added_tokens={**ADDED, NEXT: AddedToken("!the", single_word=True, special=False)}
    ),
}
ENGINES = (FastTokenizer, WordPieceTokenizer)
PIECES = st.sampled_from(
    [
        *("un the", "a-b c", "Á-B C", "A\u0301-b\u200b c", "<x>", " <x>  ", "!the", "a!the b"),
        *(
            "≠",
            "a≮b",
            "中国",
            "a" * 40,
            "\x00" * 40,
            "a" + "\u0301" * 40,
            "中" * 30,
            " " * 40,
            "\u3000",
        ),
    ]
)
TEXTS = st.lists(texts | PIECES, max_size=8).map("".join)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is long."""
    monkeypatch.setattr(borders, "PART", 8)
    monkeypatch.setattr(borders, "_LONGEST", 30)
    monkeypatch.setattr(borders, "_STEP", 3)
    monkeypatch.setattr(base, "PART", 8)
    monkeypatch.setattr(base, "_CHARACTERS", 1)


def made(engine: type, name: str) -> Tokenizer:
    tokenizer: Tokenizer = engine(VOCABULARY, OPTIONS[name], source="test")
    return tokenizer


def whole(tokenizer: Tokenizer, text: str) -> Encoding:
    (found,) = tokenizer._whole_encodings([text])
    return found


def plain(encoding: Encoding) -> Encoding:
    return Encoding(list(encoding.ids), list(encoding.offsets), list(encoding.word_ids))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", OPTIONS)
def test_any_text(engine: type, name: str) -> None:
    tokenizer = made(engine, name)

    @settings(max_examples=40, deadline=None)
    @given(TEXTS, st.integers(1, 12))
    def check(text: str, count: int) -> None:
        expected = whole(tokenizer, text)
        try:
            (ids,), (encoding,) = tokenizer.ids([text]), tokenizer.encode([text])
        except RowError:
            return
        assert list(ids) == expected.ids
        assert plain(encoding) == expected
        (first,) = tokenizer.some_ids([text], count, "right")
        assert len(first) >= min(count, len(ids))
        assert list(first) == expected.ids[: len(first)]
        (last,) = tokenizer.some_ids([text], count, "left")
        assert len(last) >= min(count, len(ids))
        assert list(last) == expected.ids[len(ids) - len(last) :]
        (tokens,) = tokenizer.first_tokens([text], count)
        assert len(tokens) >= min(count, len(ids))
        upto = slice(0, len(tokens))
        found = Encoding(expected.ids[upto], list(expected.offsets[upto]), expected.word_ids[upto])
        assert plain(tokens) == found

    check()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "text"),
    [("cased", "≠0" + "b" * 100), ("a token that takes blanks", " <x>  " + "\x00" * 40)],
)
def test_a_long_stretch_is_not_cut_where_a_token_begins(engine: type, name: str, text: str) -> None:
    tokenizer = made(engine, name)
    expected = whole(tokenizer, text)
    assert list(tokenizer.ids([text])[0]) == expected.ids
    assert plain(tokenizer.encode([text])[0]) == expected


def test_a_text_is_tokenized_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    tokenizer = made(FastTokenizer, "uncased")
    whole_ids = tokenizer._whole_ids
    monkeypatch.setattr(
        tokenizer, "_whole_ids", lambda texts: (seen.extend(texts), whole_ids(texts))[1]
    )
    text = "fun fun, the fun; great " * 3
    assert list(tokenizer.ids([text, "fun"])[0]) == whole(tokenizer, text).ids
    assert "".join(seen[1:]) == text
    assert max(map(len, seen)) <= 8
    seen.clear()
    assert len(tokenizer.some_ids([text * 9], 3, "right")[0]) >= 3
    assert sum(map(len, seen)) < 30


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("text", ["[SEP]" + "\x00" * 40, "!" + "[MASK]" + "\x00" * 40])
def test_an_added_token_before_a_long_stretch_is_kept_whole(engine: type, text: str) -> None:
    tokenizer = made(engine, "uncased")
    assert list(tokenizer.ids([text])[0]) == whole(tokenizer, text).ids
