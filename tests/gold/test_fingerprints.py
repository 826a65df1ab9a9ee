import numpy as np

from distilcli.gold.fingerprints import EMPTY, row_keys


def test_case_and_white_space_make_no_other_row() -> None:
    one, other = row_keys(["A  good\tfilm ", "a GOOD film"])
    assert one == other


def test_rows_with_other_words_have_other_keys() -> None:
    assert len(set(row_keys(["a good film", "a bad film", "agood film"]).tolist())) == 3


def test_the_second_text_of_a_pair_counts_and_is_not_the_first() -> None:
    keys = row_keys(["a b", "a", "a", "a"], ["", "b", "B ", "c"])
    assert keys[1] == keys[2]
    assert len(set(keys.tolist())) == 3


def test_a_text_alone_is_another_row_than_a_pair_with_nothing() -> None:
    assert row_keys(["a"])[0] != row_keys(["a"], [""])[0]


def test_keys_are_whole_numbers_of_8_bytes_the_same_on_every_machine() -> None:
    keys = row_keys(["a good film"])
    assert keys.dtype == np.uint64
    assert keys.tolist() == [4876373373115988710]


def test_an_empty_text_has_the_empty_key() -> None:
    assert (row_keys(["", " \n"], ["x", "y"]) == EMPTY).all()


def test_text_with_half_a_surrogate_pair_has_a_key() -> None:
    assert row_keys(["\ud800"])[0] != EMPTY
