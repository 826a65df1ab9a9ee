import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.training.label_typos import find_typos

LABELS = st.text("abcdefgh", min_size=5, max_size=12)


@pytest.mark.parametrize(
    "typo", ["postive", "possitive", "pozitive", "psoitive", "positiv", "Positive", " positive"]
)
def test_a_rare_label_near_a_frequent_one_is_a_typo(typo: str) -> None:
    assert find_typos({typo: 1, "negative": 12, "positive": 10}) == {typo: "positive"}


@pytest.mark.parametrize(
    ("one", "other"), [("Positive", "positive"), ("card_lost", "Card Lost"), ("it", "IT")]
)
def test_labels_of_other_case_or_separators_are_the_same_at_any_frequency(
    one: str, other: str
) -> None:
    assert find_typos({one: 50, other: 40}) == {other: one}


@pytest.mark.parametrize(
    ("rare", "frequent"),
    [
        ("2 stars", "3 stars"),
        ("label_1", "label_11"),
        ("car", "cat"),
        ("unhappy", "happy"),
        ("negative", "positive"),
    ],
)
def test_labels_that_are_others_are_left_alone(rare: str, frequent: str) -> None:
    assert find_typos({rare: 1, frequent: 1_000}) == {}


@pytest.mark.parametrize("labels", [("-1", "1"), ("-1.0", "0", "1.0"), ("-2", "2")])
def test_numbers_of_other_signs_are_others(labels: tuple[str, ...]) -> None:
    assert find_typos(dict.fromkeys(labels, 30)) == {}
    assert find_typos({"+1": 5, "1": 30}) == {"+1": "1"}


def test_a_label_that_is_not_much_rarer_is_left_alone() -> None:
    assert find_typos({"sport": 11, "sports": 100}) == {}
    assert find_typos({"sport": 10, "sports": 100}) == {"sport": "sports"}


def test_a_near_label_does_not_hide_the_same_one() -> None:
    assert find_typos({"sports": 1_000, "sport": 500, "Sport": 400}) == {"Sport": "sport"}


@given(LABELS, st.data())
def test_every_slip_of_one_letter_is_found(label: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(label) - 2))
    letter = data.draw(st.sampled_from("xyz"))
    slips = {
        label[:place] + label[place + 1 :],
        label[:place] + letter + label[place:],
        label[:place] + letter + label[place + 1 :],
        label[:place] + label[place + 1] + label[place] + label[place + 2 :],
    } - {label}
    for slip in slips:
        assert find_typos({label: 10, slip: 1}) == {slip: label}


@given(st.dictionaries(LABELS, st.integers(1, 100), max_size=8))
def test_what_was_meant_is_no_typo_itself(counts: dict[str, int]) -> None:
    typos = find_typos(counts)
    for typo, meant in typos.items():
        assert meant not in typos
        assert counts[typo] <= counts[meant]
