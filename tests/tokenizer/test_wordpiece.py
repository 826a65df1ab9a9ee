import pytest

from distilcli.tokenizer.options import AddedToken, TokenizerOptions
from distilcli.tokenizer.wordpiece import BasicTokenizer, WordPiece, WordPieceTokenizer
from tests.tokenizer._texts import SPECIAL, VOCABULARY


def words(text: str, **options: object) -> list[str]:
    basic = BasicTokenizer(TokenizerOptions(**options))  # type: ignore[arg-type]
    signs = basic.normalize(text)
    spans = basic.words(signs.text, 0, len(signs.text))
    return [signs.text[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", ["hello", ",", "world", "!"]),
        ("don't\tstop", ["don", "'", "t", "stop"]),
        ("naïve ÀÉÎ", ["naive", "aei"]),
        ("a中国b", ["a", "中", "国", "b"]),
        ("zero\u200bwidth \x00nul", ["zerowidth", "nul"]),
        ("a\ud800b", ["ab"]),
        ("ΟΔΟΣ", ["οδοσ"]),
        ("", []),
        (" \t\n", []),
        ("¿qué?", ["¿", "que", "?"]),
        ("a+b=c $5 ^_^", ["a", "+", "b", "=", "c", "$", "5", "^", "_", "^"]),
    ],
)
def test_basic_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_each_option_has_its_effect() -> None:
    text = "É 中国 a.b"
    assert words(text) == ["e", "中", "国", "a", ".", "b"]
    assert words(text, do_lower_case=False) == ["É", "中", "国", "a", ".", "b"]
    assert words(text, strip_accents=False) == ["é", "中", "国", "a", ".", "b"]
    assert words(text, do_lower_case=False, strip_accents=True)[0] == "E"
    assert words(text, tokenize_chinese_chars=False) == ["e", "中国", "a", ".", "b"]
    assert words(text, do_split_on_punc=False) == ["e", "中", "国", "a.b"]
    assert words(text, do_basic_tokenize=False) == ["É", "中国", "a.b"]


def pieces(word: str, *vocabulary: str, longest_word: int = 100) -> list[str]:
    ids = {token: number for number, token in enumerate(["[UNK]", *vocabulary])}
    tokens = list(ids)
    wordpiece = WordPiece(ids, unk=0, longest_word=longest_word)
    return [tokens[number] for number, _, _ in wordpiece.pieces(word)]


def test_the_longest_piece_wins() -> None:
    assert pieces("unable", "un", "u", "##able", "##a", "##ble") == ["un", "##able"]


def test_greed_does_not_look_back() -> None:
    assert pieces("abc", "ab", "a", "##bc") == ["[UNK]"]


def test_a_word_is_unknown_as_a_whole() -> None:
    assert pieces("abx", "a", "##b") == ["[UNK]"]


@pytest.mark.parametrize(("length", "expected"), [(100, ["a"] + ["##a"] * 99), (101, ["[UNK]"])])
def test_the_longest_word(length: int, expected: list[str]) -> None:
    assert pieces("a" * length, "a", "##a") == expected


def tokenizer(**options: object) -> WordPieceTokenizer:
    added = {VOCABULARY[token]: AddedToken(token) for token in SPECIAL}
    settings = TokenizerOptions(**{"added_tokens": added, **options})  # type: ignore[arg-type]
    return WordPieceTokenizer(VOCABULARY, settings, source="test")


def tokens(text: str, **options: object) -> list[str]:
    engine = tokenizer(**options)
    return [engine.tokens[number] for number in engine.ids([text])[0]]


def test_places_and_words() -> None:
    engine = tokenizer()
    (encoding,) = engine.encode(["  The naïve\u200b token, played"])
    assert [engine.tokens[number] for number in encoding.ids] == [
        *("the", "naive", "token", ",", "p", "##l", "##a", "##y", "##e", "##d"),
    ]
    assert encoding.offsets[:4] == [(2, 5), (6, 11), (13, 18), (18, 19)]
    assert encoding.word_ids == [0, 1, 2, 3, 4, 4, 4, 4, 4, 4]


def test_special_tokens_in_a_text_are_themselves() -> None:
    assert tokens("a[SEP]b [MASK]") == ["a", "[SEP]", "b", "[MASK]"]
    assert tokens("[sep]")[0] == "["


def test_words_that_are_never_split() -> None:
    assert tokens("New don't") == ["n", "##e", "##w", "don", "'", "t"]
    kept = {"never_split": ("New", "don't")}
    assert tokens("New York don't", **kept)[0] == "New"
    assert tokens("don't", **kept) == ["[UNK]"]
    assert tokens("New,", **kept)[:3] == ["n", "##e", "##w"]


def test_what_was_cut_before_is_remembered_and_right() -> None:
    engine = tokenizer()
    first = engine.encode(["the token", "token the"])
    assert engine.encode(["the token", "token the"]) == first
    assert first[0].offsets != first[1].offsets


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distilcli.tokenizer.wordpiece._CACHED", 4)
    engine = tokenizer()
    texts = [f"t{number}" for number in range(50)]
    expected = [tokenizer().ids([text])[0] for text in texts]
    assert [engine.ids([text])[0] for text in texts * 2] == expected * 2
    assert len(engine._known) <= 4


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("the token playing", "the token playing"),
        ("Un-fun, isn't it?", "un - fun, isn't it?"),
        ("naïve 中国", "naive 中 国"),
        ("a [MASK]", "a"),
        ("Ж", "[UNK]"),
    ],
)
def test_decode(text: str, decoded: str) -> None:
    engine = tokenizer()
    special = engine.special
    assert engine.decode([special.cls, *engine.ids([text])[0], special.sep]) == decoded


def test_decode_with_special_tokens() -> None:
    engine = tokenizer(clean_up_tokenization_spaces=False)
    ids = [engine.special.cls, *engine.ids(["a ."])[0], engine.special.sep]
    assert engine.decode(ids, skip_special=False) == "[CLS] a . [SEP]"
