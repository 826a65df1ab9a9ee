from array import array
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distilcli.checkpoint.config import ModelConfig
from distilcli.checkpoint.folder import describe_tokenizer
from distilcli.engine.batching import Piece
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.tasks.sequences import Framer, encode_each, most_context, or_error, pool_windows
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.tokenizer.tokenizer import Encoding
from distilcli.tokenizer.windows import Window, cut, frame_encodings


def windows_of(count: int, max_length: int, stride: int) -> list[Window]:
    """Windows as a text of so many tokens gets them: ids are 100 and the token's number."""
    cuts = cut(count, None, max_length=max_length, long="window", stride=stride)
    return [
        Window([1, *range(100 + part.start, 100 + part.stop), 2], [], [], [], part.start)
        for part in cuts.first
    ]


@given(count=st.integers(0, 60), size=st.integers(1, 12), data=st.data())
def test_every_token_once_in_order_with_most_context(
    count: int, size: int, data: st.DataObject
) -> None:
    windows = windows_of(count, size + 2, data.draw(st.integers(0, size - 1)))
    best = most_context(windows)
    assert [windows[number].input_ids[place] - 100 for number, place in best] == list(range(count))
    for token, (number, place) in enumerate(best):
        contexts = []
        for window in windows:
            inside = range(window.start, window.start + len(window.input_ids) - 2)
            is_here = token in inside
            contexts.append(min(token - inside.start, inside.stop - 1 - token) if is_here else -1)
        assert number == contexts.index(max(contexts))
        assert windows[number].start + place - 1 == token


def test_one_window_is_taken_as_it_is() -> None:
    assert most_context(windows_of(3, 10, 2)) == [(0, 1), (0, 2), (0, 3)]


def test_the_first_of_equals() -> None:
    # Tokens 0 to 3 and 2 to 5: numbers 2 and 3 are one from an end in both, or nearer in one.
    assert most_context(windows_of(6, 6, 2)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (1, 4)]


def test_tokens_that_share_their_place_in_the_text(tmp_path: Path) -> None:
    """A Hangul syllable is taken apart into its letters, which all lie on one character."""
    letters = ["\u1112", "\u1161", "\u11ab", "\u1100", "\u1173", "\u11af"]
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{x}" for x in letters)]
    (tmp_path / "vocab.txt").write_text("\n".join(entries) + "\n", encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    tokenizer = load_tokenizer(describe_tokenizer("hangul", tmp_path))
    (encoding,) = tokenizer.encode(["한글 한글"])
    assert len(encoding) == 12
    assert len(set(encoding.offsets)) < len(encoding)
    cuts = cut(len(encoding), None, max_length=6, long="window", stride=2)
    windows = frame_encodings(encoding, None, cuts, special=tokenizer.special)
    best = most_context(windows)
    assert [windows[number].input_ids[place] for number, place in best] == list(encoding.ids)
    assert [windows[number].offsets[place] for number, place in best] == list(encoding.offsets)


ROWS = torch.tensor([[1.0, 8.0], [4.0, 2.0]])
PIECES = [Piece([0] * 6), Piece([0] * 3)]


def test_windows_are_weighed_by_their_length() -> None:
    assert pool_windows(ROWS, PIECES, "mean").tolist() == pytest.approx([2.0, 6.0])
    assert pool_windows(ROWS, PIECES, "max").tolist() == [4.0, 8.0]
    assert pool_windows(ROWS, PIECES, "first").tolist() == [1.0, 8.0]


@pytest.mark.parametrize("how", ["mean", "max", "first"])
def test_one_window_is_itself(how: str) -> None:
    assert torch.equal(pool_windows(ROWS[:1], PIECES[:1], how), ROWS[0])  # type: ignore[arg-type]


def _text(item: str) -> str:
    if item == "none":
        raise RowError("no text")
    return item


def test_items_without_content_keep_their_places() -> None:
    seen: list[list[str]] = []

    def encode(texts: list[str]) -> list[Encoded | RowError]:
        seen.append(list(texts))
        return [Encoded([Piece([len(text)])]) for text in texts]

    found = encode_each(["a", "none", "bcd", "none"], _text, encode)  # type: ignore[arg-type]
    assert seen == [["a", "bcd"]]
    assert [isinstance(each, RowError) for each in found] == [False, True, False, True]
    assert [each.pieces[0].input_ids for each in found if isinstance(each, Encoded)] == [[1], [3]]


def test_only_row_errors_are_values() -> None:
    assert or_error(_text, "a") == "a"
    assert str(or_error(_text, "none")) == "no text"

    def broken(item: str) -> str:
        raise ValueError(item)

    with pytest.raises(ValueError, match="a"):
        or_error(broken, "a")


def framer(folder: Path, **settings: int) -> Framer:
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nnew\n")
    (folder / "tokenizer_config.json").write_text('{"truncation_side": "left"}')
    tokenizer = load_tokenizer(describe_tokenizer("m", folder))
    config = ModelConfig(**{"vocab_size": 8, "max_position_embeddings": 6, **settings})
    return Framer(tokenizer, config, LongTexts())


def test_texts_are_truncated_where_the_tokenizer_says(tmp_path: Path) -> None:
    encoded = framer(tmp_path).frame(array("i", [5, 5, 6, 5, 6]))
    assert [list(piece.input_ids) for piece in encoded.pieces] == [[2, 5, 6, 5, 6, 3]]
    assert encoded.truncated


def test_tokens_are_not_truncated_from_the_left(tmp_path: Path) -> None:
    short = Encoding([5, 6], [(0, 1), (2, 3)], [0, 1])
    assert framer(tmp_path).windows(short)[0][0].input_ids == [2, 5, 6, 3]
    long = Encoding([5] * 9, [(0, 1)] * 9, [0] * 9)
    with pytest.raises(RowError, match="truncates from the left"):
        framer(tmp_path).windows(long)


def test_a_token_without_an_embedding_is_an_error_of_its_row(tmp_path: Path) -> None:
    cut_off = framer(tmp_path, vocab_size=7)
    assert list(cut_off.frame(array("i", [5, 6])).pieces[0].input_ids) == [2, 5, 6, 3]
    with pytest.raises(RowError, match=r"no embedding for the token 'new' \(id 7\)"):
        cut_off.frame(array("i", [5, 7]))
    with pytest.raises(RowError, match="no embedding for the token 'new'"):
        cut_off.windows(Encoding([5, 7], [(0, 1), (2, 5)], [0, 1]))


def test_items_are_encoded_one_by_one_where_one_fails() -> None:
    def encode(texts: list[str]) -> list[Encoded | RowError]:
        if "bad" in texts:
            raise RowError("cannot be tokenized")
        return [Encoded([Piece([len(text)])]) for text in texts]

    found = encode_each(["a", "bad", "none", "bcd"], _text, encode)  # type: ignore[arg-type]
    assert [
        str(each) if isinstance(each, RowError) else each.pieces[0].input_ids for each in found
    ] == [[1], "cannot be tokenized", "no text", [3]]
