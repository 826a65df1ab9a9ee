"""The frozen tables are those of the Rust engine, character for character."""

import itertools
import unicodedata

from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from distilcli.tokenizer.characters import (
    ACCENTS,
    CHINESE,
    COMPOSED_LATER,
    OTHER_COMBINING,
    PUNCTUATION,
    REMOVED,
    WHITESPACE,
)

# Every plane that has assigned characters, without surrogates (which no Rust string holds) and
# without the digit that stands between them below.
POINTS = itertools.chain(
    range(0xD800), range(0xE000, 0x33480), range(0xE0000, 0xE0200), (0xF0000, 0x10FFFD)
)
EVERY = [chr(point) for point in POINTS if chr(point) != "0"]


def each_normalized(**steps: bool) -> list[str]:
    """Return what the Rust normalizer makes of every character."""
    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False}
    normalizer = BertNormalizer(**{**off, "lowercase": False, **steps})
    return str(normalizer.normalize_str("0".join(EVERY))).split("0")


def test_cleaning() -> None:
    cleaned = ["" if REMOVED.match(s) else " " if s in WHITESPACE else s for s in EVERY]
    assert each_normalized(clean_text=True) == cleaned


def test_ideographs() -> None:
    apart = [f" {sign} " if CHINESE.match(sign) else sign for sign in EVERY]
    assert each_normalized(handle_chinese_chars=True) == apart


def test_accents() -> None:
    for sign, found in zip(EVERY, each_normalized(strip_accents=True), strict=True):
        parts = sign if COMPOSED_LATER.match(sign) else unicodedata.normalize("NFD", sign)
        assert found == "".join(part for part in parts if not ACCENTS.match(part)), ascii(sign)


def test_the_order_of_marks() -> None:
    # A mark that the Rust engine knows changes places with one of a higher or a lower rank.
    ranked = [sign for sign in EVERY if unicodedata.combining(sign)]
    alone = [sign for sign in ranked if unicodedata.normalize("NFD", sign) == sign]
    text = "0".join(f"a\u0345{sign}0{sign}\u0334" for sign in alone)
    ordered = str(NFD().normalize_str(text)).split("0")
    for sign, after, before in zip(alone, ordered[::2], ordered[1::2], strict=True):
        moves = (after, before) != (f"a\u0345{sign}", f"{sign}\u0334")
        assert moves == bool(ACCENTS.match(sign) or OTHER_COMBINING.match(sign)), ascii(sign)


def test_punctuation() -> None:
    visible = [s for s in EVERY if not REMOVED.match(s) and s.strip() and not CHINESE.match(s)]
    pieces = BertPreTokenizer().pre_tokenize_str("0".join(visible))
    apart = {piece for piece, _ in pieces if len(piece) == 1}
    assert apart - {"0"} == {sign for sign in visible if PUNCTUATION.match(sign)}
