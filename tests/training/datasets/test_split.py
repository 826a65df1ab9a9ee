import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import InputError
from distilcli.training.datasets.split import split


@given(st.integers(2, 200), st.floats(0.001, 0.9), st.integers(0, 99))
def test_every_row_is_in_one_part_in_its_order(count: int, share: float, seed: int) -> None:
    wanted = max(1, round(share * count))
    if wanted == count:
        with pytest.raises(InputError, match="too few"):
            split(range(count), share=share, seed=seed)
        return
    kept, aside = split(range(count), share=share, seed=seed)
    assert sorted(kept + aside) == list(range(count))
    assert (kept, aside) == (sorted(kept), sorted(aside))
    assert len(aside) == wanted
    assert (kept, aside) == split(range(count), share=share, seed=seed)


@given(
    st.lists(st.sampled_from("aab"), min_size=20, max_size=80).filter(
        lambda labels: min(labels.count("a"), labels.count("b")) >= 5
    ),
    st.integers(0, 5),
)
def test_every_stratum_gives_its_share(labels: list[str], seed: int) -> None:
    rows = list(enumerate(labels))
    kept, aside = split(rows, share=0.2, seed=seed, stratum_of=lambda row: row[1])
    assert sorted(kept + aside) == rows
    assert (kept, aside) == (sorted(kept), sorted(aside))
    for label in "ab":
        found = sum(each == label for _, each in aside)
        assert abs(found - labels.count(label) * 0.2) <= 0.5
    assert (kept, aside) == split(rows, share=0.2, seed=seed, stratum_of=lambda row: row[1])


@given(st.integers(0, 9))
def test_rows_of_a_group_stay_together(seed: int) -> None:
    rows = list(range(40))
    kept, aside = split(rows, share=0.25, seed=seed, group_of=lambda row: row % 8)
    assert len(aside) == 10
    assert not {row % 8 for row in kept} & {row % 8 for row in aside}


def test_another_seed_sets_other_rows_aside() -> None:
    assert split(range(100), share=0.2, seed=0) != split(range(100), share=0.2, seed=1)


def test_rows_are_the_same_with_every_version_of_python_and_pandas() -> None:
    rows = [(number, "ab"[number % 2]) for number in range(20)]
    _, aside = split(rows, share=0.2, seed=3, stratum_of=lambda row: row[1])
    assert aside == [(5, "b"), (6, "a"), (11, "b"), (16, "a")]


def test_a_row_without_a_stratum_is_never_set_aside_nor_is_its_group() -> None:
    rows = list(range(20))
    _, aside = split(
        rows, share=0.5, seed=0, group_of=lambda row: row // 2,
        stratum_of=lambda row: None if row < 4 or row == 9 else True,
    )  # fmt: skip
    assert len(aside) == 8  # of 7 groups with a stratum
    assert min(aside) >= 4
    assert 8 not in aside


@pytest.mark.parametrize(("rows", "share"), [("ab", 0.1), ("aabb", 1.0)])
def test_too_few_rows_are_refused(rows: str, share: float) -> None:
    message = r"^[24] rows are too few to set 10+% of each label aside; give a `valid` file$"
    with pytest.raises(InputError, match=message):
        split(rows, share=share, seed=0, stratum_of=str)
    with pytest.raises(InputError, match=r"^1 row is too few to set 50% aside"):
        split("a", share=0.5, seed=0)


def test_strata_that_are_too_small_give_a_share_of_all_together() -> None:
    rows = [(number, number // 3) for number in range(60)]  # 20 strata of 3
    kept, aside = split(rows, share=0.1, seed=0, stratum_of=lambda row: row[1])
    assert (len(kept), len(aside), len({stratum for _, stratum in aside})) == (54, 6, 6)
    assert (kept, aside) == split(rows, share=0.1, seed=0, stratum_of=lambda row: row[1])
    assert aside != split(rows, share=0.1, seed=1, stratum_of=lambda row: row[1])[1]
    # One row of a label stays to be learned.
    assert len(split("abbc", share=0.1, seed=0, stratum_of=str)[1]) == 1
    assert split("abbc", share=0.1, seed=0, stratum_of=str)[1] == ["b"]


def test_rows_without_labels_are_refused() -> None:
    with pytest.raises(InputError, match="no row has a label to validate on; give a `valid` file"):
        split("ab", share=0.5, seed=0, stratum_of=lambda _: None)
