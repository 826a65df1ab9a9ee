"""Both engines give what transformers gives, and it reads what `--train` writes."""

import warnings
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra [peers]")

from distilcli.checkpoint.folder import describe_tokenizer
from distilcli.tokenizer.loading import EngineName, load_tokenizer
from distilcli.tokenizer.options import TokenizerOptions
from distilcli.tokenizer.training import save_tokenizer
from distilcli.tokenizer.windows import cut, frame_encodings
from tests.tokenizer._texts import VOCABULARY

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from transformers import AutoTokenizer, BertTokenizer

pytestmark = pytest.mark.parity

TEXTS = [
    "The New fun, isn't it?",
    "naïve İstanbul ΣΑΣ ß 中国 가나 の",
    "a [MASK] b[SEP]c [unk]",
    "👩\u200d👩\u200d👧 👍🏽 e\u0301\u0327 \u200b \x00 \t\n",
    "a" * 100 + " " + "b" * 101,
    "",
    "   ",
]
ENGINES: tuple[EngineName, ...] = ("fast", "wordpiece")


@pytest.fixture(params=[{}, {"do_lower_case": False}, {"strip_accents": False}], ids=str)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    options = TokenizerOptions(**request.param, model_max_length=20)
    save_tokenizer(VOCABULARY, options, tmp_path / "saved")
    return tmp_path / "saved"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loader", [AutoTokenizer, BertTokenizer])
def test_sequences(folder: Path, engine: EngineName, loader: type) -> None:
    theirs = loader.from_pretrained(folder)  # type: ignore[attr-defined]
    ours = load_tokenizer(describe_tokenizer("saved", folder), engine=engine)
    assert ours.max_length == theirs.model_max_length == 20
    for text, encoding in zip(TEXTS, ours.encode(TEXTS), strict=True):
        expected = theirs(text, truncation=True, return_offsets_mapping=True)
        cuts = cut(len(encoding), None, max_length=20, long="truncate")
        (window,) = frame_encodings(encoding, None, cuts, special=ours.special)
        assert window.input_ids == expected["input_ids"]
        assert window.offsets == expected["offset_mapping"]
        assert window.word_ids == expected.word_ids()


@pytest.mark.parametrize("long", ["truncate", "window"])
def test_pairs(folder: Path, long: str) -> None:
    theirs = AutoTokenizer.from_pretrained(folder)
    ours = load_tokenizer(describe_tokenizer("saved", folder), engine="wordpiece")
    first, second = "the fun", "a b c d e f g h i j k l m n o p q r s t u v w x y z"
    a, b = ours.encode([first, second])
    cuts = cut(len(a), len(b), max_length=20, long=long, stride=3)  # type: ignore[arg-type]
    found = frame_encodings(a, b, cuts, special=ours.special)
    windowed = {"stride": 3, "return_overflowing_tokens": True} if long == "window" else {}
    expected = theirs(
        first,
        second,
        truncation="only_second" if windowed else "longest_first",
        max_length=20,
        return_token_type_ids=True,
        **windowed,
    )
    as_list = (lambda value: value) if windowed else (lambda value: [value])
    assert [window.input_ids for window in found] == as_list(expected["input_ids"])
    assert [window.token_type_ids for window in found] == as_list(expected["token_type_ids"])


def test_decode(folder: Path) -> None:
    theirs = AutoTokenizer.from_pretrained(folder)
    ours = load_tokenizer(describe_tokenizer("saved", folder))
    for text in ("the fun is n't un ##ly", "naive 中 国 . a , b ! c ?", "a [MASK] b"):
        ids = theirs(text)["input_ids"]
        expected = theirs.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=True)
        assert ours.decode(ids) == expected.strip()
