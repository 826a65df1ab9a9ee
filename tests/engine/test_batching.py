import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distilcli.engine.batching import Piece, cut_batches, pad, padded_size

CPU = torch.device("cpu")


@pytest.mark.slow
@given(
    lengths=st.lists(st.integers(0, 40), max_size=60),
    max_tokens=st.integers(1, 100),
    max_rows=st.none() | st.integers(1, 9),
)
def test_batches_hold_every_piece_once_within_the_budget(lengths, max_tokens, max_rows):
    batches = list(cut_batches(lengths, max_tokens=max_tokens, max_rows=max_rows))

    flat = [position for batch in batches for position in batch]
    assert flat == sorted(range(len(lengths)), key=lambda n: (-lengths[n], n))
    for batch in batches:
        assert len(batch) == 1 or padded_size([lengths[n] for n in batch]) <= max_tokens
        assert max_rows is None or len(batch) <= max_rows


def test_batches_are_as_large_as_the_budget_allows():
    assert list(cut_batches([5, 9, 5, 1], max_tokens=10, max_rows=None)) == [[1], [0, 2], [3]]
    assert list(cut_batches([5, 9, 5, 1], max_tokens=99, max_rows=3)) == [[1, 0, 2], [3]]


def test_pad_fills_up_to_the_longest_with_the_pad_id():
    batch = pad([Piece([5, 6, 7]), Piece([8])], pad_token_id=3, device=CPU)

    assert batch.input_ids.tolist() == [[5, 6, 7], [8, 3, 3]]
    assert batch.attention_mask is not None
    assert batch.attention_mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.input_ids.dtype == batch.attention_mask.dtype == torch.int64
    assert batch.token_type_ids is None
    assert [len(piece) for piece in batch.pieces] == [3, 1]


def test_pieces_of_one_length_need_no_mask():
    assert pad([Piece([5, 6]), Piece([7, 8])], pad_token_id=0, device=CPU).attention_mask is None


def test_token_types_are_padded_with_zero():
    pieces = [Piece([5, 6], [0, 1]), Piece([7], [1])]
    batch = pad(pieces, pad_token_id=9, device=CPU)
    assert batch.token_type_ids is not None
    assert batch.token_type_ids.tolist() == [[0, 1], [1, 0]]


def test_pieces_with_and_without_token_types_do_not_mix():
    with pytest.raises(ValueError, match="token_type_ids"):
        pad([Piece([5], [0]), Piece([7])], pad_token_id=0, device=CPU)


@pytest.mark.parametrize("types", [None, [0, 1]])
def test_inputs_are_in_the_order_of_models(types: list[int] | None):
    batch = pad([Piece([5, 6], types), Piece([7], types and types[:1])], pad_token_id=9, device=CPU)
    assert batch.inputs == (batch.input_ids, batch.attention_mask, batch.token_type_ids)
    assert (batch.inputs[2] is None) == (types is None)


@pytest.mark.parametrize("types", [None, [0, 1]])
def test_some_rows_of_a_batch_are_a_batch_of_their_own(types: list[int] | None):
    pieces = [Piece([5] * n, types and (types * n)[:n]) for n in (3, 2, 7, 1)]
    batch = pad(pieces, pad_token_id=9, device=CPU).rows(slice(1, None, 2))
    alone = pad(pieces[1::2], pad_token_id=9, device=CPU)
    assert batch.pieces == alone.pieces
    assert batch.device == CPU
    for ours, expected in zip(batch.inputs, alone.inputs, strict=True):
        assert (ours is None and expected is None) or torch.equal(ours, expected)
