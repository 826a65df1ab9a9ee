import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import UsageError
from distilcli.model.pooling import MODES, Pooling, parse_pooling, pool

NUMBERS = st.floats(-100, 100, width=32)
ROWS = st.lists(  # rows of 1 to 6 tokens of 3 numbers
    st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=6),
    min_size=1,
    max_size=4,
)


def by_hand(mode: str, places: list[int], tokens: list[list[float]]) -> list[float]:
    """What a mode makes of the tokens that count; `places` are theirs in the row, from 1."""
    columns = list(zip(*tokens, strict=True))
    count = len(tokens)
    if mode == "cls":
        return tokens[0]
    if mode == "last-token":
        return tokens[-1]
    if mode == "max":
        return [max(column) for column in columns]
    if mode == "mean":
        return [sum(column) / count for column in columns]
    if mode == "mean-sqrt":
        return [sum(column) / math.sqrt(count) for column in columns]
    weighed = [[p * x for p, x in zip(places, column, strict=True)] for column in columns]
    return [sum(column) / sum(places) for column in weighed]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@given(rows=ROWS, data=st.data())
def test_modes_by_hand(mode: str, rows: list[list[list[float]]], data: st.DataObject) -> None:
    longest = max(map(len, rows))
    states = torch.full((len(rows), longest, 3), 1e6)  # padding that would be noticed
    mask = torch.zeros(len(rows), longest, dtype=torch.int64)
    expected = []
    for number, row in enumerate(rows):
        skipped = data.draw(st.integers(0, len(row) - 1), label="tokens left out at the start")
        states[number, : len(row)] = torch.tensor(row)
        mask[number, skipped : len(row)] = 1
        places = list(range(skipped + 1, len(row) + 1))
        expected.append(by_hand(mode, places, row[skipped:]))
    found = pool(states, mask, [mode])
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_padding_never_counts(mode: str) -> None:
    states, mask = torch.randn(2, 5, 4), torch.tensor([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
    found = pool(states, mask, [mode])
    padding = mask[:, :, None] == 0
    assert torch.equal(found, pool(torch.where(padding, -7e5, states), mask, [mode]))
    for row, length in enumerate([3, 1]):
        alone = pool(states[row : row + 1, :length], mask[row : row + 1, :length], [mode])
        torch.testing.assert_close(found[row : row + 1], alone)


def test_several_modes_stand_side_by_side() -> None:
    states, mask = torch.randn(2, 3, 4), torch.tensor([[1, 1, 0], [1, 1, 1]])
    names = list(MODES)
    found = pool(states, mask, names)
    assert found.shape == (2, 4 * len(names))
    for number, mode in enumerate(names):
        part = found[:, 4 * number : 4 * number + 4]
        assert torch.equal(part, pool(states, mask, [mode]))


def test_names() -> None:
    for mode in MODES:
        assert parse_pooling(mode) == Pooling((mode,), layers=1)
    assert parse_pooling("last-4") == Pooling(("mean",), layers=4)


@pytest.mark.parametrize(
    "name", ["", "Mean", "mean,cls", "last-0", "last-", "last--1", "last-1000", "last-4 ", "first"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unknown `pooling`") as caught:
        parse_pooling(name)
    assert "\n" not in str(caught.value)


def test_when_the_first_token_is_enough() -> None:
    assert Pooling(("cls",)).needs_first_token_only
    assert not Pooling(("cls",), layers=2).needs_first_token_only
    assert not Pooling(("cls", "mean")).needs_first_token_only
    assert not Pooling(("mean",)).needs_first_token_only
