"""A small vocabulary, and texts that are hard to tokenize."""

import string
import unicodedata

from hypothesis import strategies as st

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_SIGNS = string.ascii_letters + string.digits + "éßıσςдй中国가나ء"
_WORDS = "the token un great New York fun naive naïve i̇ don playing".split()
_PIECES = "##ing ##ization ##ly ##able ##er ##play ##́ ##̧ ##\u0307".split()

_LETTERS = [*_SIGNS, *(f"##{sign}" for sign in _SIGNS), *string.punctuation]
_TOKENS = [*SPECIAL, *_LETTERS, *_WORDS, *_PIECES, "\u0301", "\u302e", "##\u302e", "##\U0001d165"]

VOCABULARY = {token: number for number, token in enumerate(dict.fromkeys(_TOKENS))}

# Characters that came after this Python's Unicode have no case and no parts here, but may have
# in the Rust engine.
_ANY = st.characters().filter(lambda sign: unicodedata.category(sign) != "Cn")
_MARKS = st.sampled_from([chr(c) for c in range(0x300, 0x370)] + list("\u302e\U0001d165\u1ac0"))
_ODD = st.sampled_from(
    [
        *("\x00", "\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\xad", "\u200b", "\u200d"),
        *("\u2028", "\u3000", "\ufeff", "\ufffd", "\ud800", "\udfff", "\t", "\n", "\r", " "),
        *("İ", "Σ", "ς", "ß", "ﬁ", "é", "e\u0301", "가", "中", "豈", "の", "\U0002b900", "\u0660"),
        *("👩\u200d👩\u200d👧", "👍🏽", "🇫🇷", "❤\ufe0f", "[SEP]", "[MASK]", "[sep]", "##", "[UNK"),
        *("naïve", "playing", "don't", "New York", "a" * 99, "b" * 100, "c" * 101, "é" * 100),
    ]
)
_PLAIN = st.text(string.ascii_letters + string.digits + string.punctuation + "  ", max_size=12)

texts = st.lists(_ANY | _MARKS | _ODD | _PLAIN, max_size=12).map("".join)
