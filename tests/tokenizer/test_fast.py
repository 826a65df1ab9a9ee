"""The two engines give the same ids, the same offsets and the same words, whatever the text."""

import itertools
import unicodedata
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli import builtin
from distilcli.tokenizer.fast import FastTokenizer
from distilcli.tokenizer.loading import load_vocabulary
from distilcli.tokenizer.options import AddedToken, TokenizerOptions
from distilcli.tokenizer.tokenizer import Encoding, Tokenizer
from distilcli.tokenizer.wordpiece import WordPieceTokenizer
from tests.shared import shared_vocabularies
from tests.tokenizer._texts import SPECIAL, VOCABULARY, texts

BUILT_IN = Path(builtin.__file__).parent / "shared" / "vocab.txt"
ADDED = {VOCABULARY[token]: AddedToken(token) for token in SPECIAL}


def both(options: TokenizerOptions) -> tuple[Tokenizer, Tokenizer]:
    return (
        FastTokenizer(VOCABULARY, options, source="test"),
        WordPieceTokenizer(VOCABULARY, options, source="test"),
    )


def check_agreement(fast: Tokenizer, ours: Tokenizer, text: str) -> Encoding:
    (expected,), (found,) = fast.encode([text]), ours.encode([text])
    assert found == expected
    assert ours.ids([text]) == fast.ids([text]) == [array("i", expected.ids)]
    return found


OPTIONS = {
    "uncased": TokenizerOptions(added_tokens=ADDED),
    "cased": TokenizerOptions(added_tokens=ADDED, do_lower_case=False),
    "lower, accents kept": TokenizerOptions(added_tokens=ADDED, strip_accents=False),
    "cased, accents stripped": TokenizerOptions(
        added_tokens=ADDED, do_lower_case=False, strip_accents=True
    ),
    "ideographs in words": TokenizerOptions(added_tokens=ADDED, tokenize_chinese_chars=False),
    "punctuation in words": TokenizerOptions(added_tokens=ADDED, do_split_on_punc=False),
    "split at spaces alone": TokenizerOptions(added_tokens=ADDED, do_basic_tokenize=False),
    "short words": TokenizerOptions(added_tokens=ADDED, max_input_chars_per_word=3),
    "never split": TokenizerOptions(added_tokens=ADDED, never_split=("New", "don't", "é")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_any_text(name: str) -> None:
    fast, ours = both(OPTIONS[name])

    @settings(max_examples=150, deadline=None)
    @given(texts)
    def check(text: str) -> None:
        check_agreement(fast, ours, text)

    check()


def test_offsets_stand_in_the_text_in_order() -> None:
    ours = both(OPTIONS["cased"])[1]

    @settings(max_examples=150, deadline=None)
    @given(texts)
    def check(text: str) -> None:
        (encoding,) = ours.encode([text])
        ends = [0, *itertools.chain.from_iterable(encoding.offsets), len(text)]
        assert ends == sorted(ends)
        assert encoding.word_ids == sorted(encoding.word_ids)

    check()


@pytest.mark.parametrize("single_word", [False, True])
@pytest.mark.parametrize("strips", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "<ent>",
        "a <ent> b<ent>c",
        "  <ent>  <ent>\t",
        "<Ent> <ENT> x<ent>",
        "<e\u0301nt> <ent>!",
        "go<ent>1 <ent>_ (<ent>)",
        "",
    ],
)
def test_added_tokens(
    text: str, normalized: bool, strips: tuple[bool, bool], single_word: bool
) -> None:
    token = AddedToken(
        "<ent>",
        single_word=single_word,
        lstrip=strips[0],
        rstrip=strips[1],
        normalized=normalized,
        special=False,
    )
    added = {**ADDED, len(VOCABULARY): token}
    fast, ours = both(TokenizerOptions(added_tokens=added))
    check_agreement(fast, ours, text)


_ALL = map(chr, range(0x110000))
_SPACES = st.sampled_from([c for c in _ALL if c.isspace() or unicodedata.category(c) == "Cf"])
_CONTENTS = ["<ent>", "É", "a", "中", ".", "x\u0301", "foo\u200bbar", "[MASK]x", "\x0b", "\u200b"]
_TOKENS = st.builds(
    AddedToken,
    st.sampled_from(_CONTENTS),
    lstrip=st.booleans(),
    rstrip=st.booleans(),
    special=st.booleans(),
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.lists(texts | _SPACES | st.sampled_from(_CONTENTS), max_size=6).map("".join),
        min_size=1,
        max_size=3,
    ),
    st.lists(_TOKENS, max_size=2, unique_by=lambda token: token.content),
    st.builds(
        TokenizerOptions,
        do_basic_tokenize=st.booleans(),
        do_lower_case=st.booleans(),
        strip_accents=st.none() | st.booleans(),
        tokenize_chinese_chars=st.booleans(),
        do_split_on_punc=st.booleans(),
        split_special_tokens=st.booleans(),
    ),
)
def test_stretches_are_tokenized_like_the_texts_that_they_are_in(
    found: list[str], tokens: list[AddedToken], options: TokenizerOptions
) -> None:
    added, free = dict(ADDED), itertools.count(len(VOCABULARY))
    for token in tokens:
        number = VOCABULARY.get(token.content)
        added[next(free) if number is None else number] = token
    fast = FastTokenizer(VOCABULARY, replace(options, added_tokens=added), source="test")
    assert fast._stretches is not None or "\x0b" in {token.content for token in tokens}
    found = [text.encode(errors="ignore").decode() for text in found]  # Rust has no surrogates
    expected = [array("i", encoding.ids) for encoding in fast.encode(found)]
    assert fast.ids(found) == fast.ids(found) == expected


@pytest.mark.parametrize("content", ["New York", " New", "New\u2003", "\tNew"])
def test_a_token_with_whitespace_is_found(content: str) -> None:
    token = AddedToken(content, special=False)
    options = TokenizerOptions(added_tokens={**ADDED, len(VOCABULARY): token})
    fast, ours = both(options)
    text = f"a{content} York. In{content}"
    assert len(VOCABULARY) in check_agreement(fast, ours, text).ids


def test_what_was_tokenized_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distilcli.tokenizer.fast._REMEMBERED", 100)
    fast, ours = both(OPTIONS["uncased"])
    stretches: list[str] = []
    tokenize = fast._rust_ids  # type: ignore[attr-defined]

    def counting(texts: list[str]) -> object:
        stretches.extend(texts)
        return tokenize(texts)

    fast._stretches._tokenize = counting  # type: ignore[attr-defined]
    for _ in range(2):
        assert fast.ids(["fun film", "film  fun"]) == ours.ids(["fun film", "film  fun"])
    assert sorted(stretches) == ["film", "fun"]
    texts = [f"w{number} is fun" for number in range(50)]
    assert [fast.ids([text])[0] for text in texts] == ours.ids(texts)
    assert len(fast._stretches._known) < 10  # type: ignore[attr-defined]


def test_threads_share_what_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distilcli.tokenizer.fast._REMEMBERED", 500)  # forgotten again and again
    fast, ours = both(OPTIONS["uncased"])
    parts = [[f"w{n} is fun w{n % 7}" for n in range(start, start + 20)] for start in range(60)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(fast.ids, parts))
    assert found == list(map(ours.ids, parts))


def test_a_normalized_token_reaches_over_spaces() -> None:
    token = AddedToken("New York", normalized=True, special=False)
    options = TokenizerOptions(added_tokens={**ADDED, len(VOCABULARY): token})
    fast, ours = both(options)
    encoding = check_agreement(fast, ours, "a nEw yórk, new\u200b York")
    assert encoding.ids.count(len(VOCABULARY)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [BUILT_IN, *shared_vocabularies()], ids=lambda path: path.parent.name
)
def test_real_vocabularies(path: Path) -> None:
    fast, ours = load_vocabulary(path), load_vocabulary(path, engine="wordpiece")

    @settings(max_examples=100, deadline=None)
    @given(texts)
    def check(text: str) -> None:
        check_agreement(fast, ours, text)

    check()
