import pytest

from distilcli.errors import InputError, UsageError
from distilcli.gold.labels import label_indices, label_map, ordered


def test_numbers_are_ordered_by_value_and_others_by_the_alphabet() -> None:
    assert ordered({"10", "9", "-1"}) == ("-1", "9", "10")
    assert ordered({"b", "10", "9"}) == ("10", "9", "b")


def test_the_order_of_a_model_with_the_same_labels_is_kept() -> None:
    assert ordered({"a", "b"}, ("b", "a")) == ("b", "a")
    assert ordered({"a", "b"}, ("b", "a", "c")) == ("a", "b")


def test_indices_of_labels() -> None:
    assert label_indices(("b", "a"), ["a"], source="f") == {"b": 0, "a": 1}


@pytest.mark.parametrize(
    ("label", "hint"), [("Perhasp", "; did you mean 'perhaps'?"), ("zebra", "")]
)
def test_a_label_without_an_index_is_named(label: str, hint: str) -> None:
    names = ("yes", "no", "perhaps")
    with pytest.raises(InputError) as caught:
        label_indices(names, {label}, source="f.csv", taught=True)
    assert str(caught.value) == (
        f"f.csv: has the label {label!r}, which the teacher does not have{hint} "
        "(its: yes, no, perhaps)"
    )
    with pytest.raises(InputError, match=r"which the training rows do not have.* \(theirs: yes"):
        label_indices(names, {label}, source="f.csv")


def test_of_many_labels_some_are_listed() -> None:
    names = [f"l{n}" for n in range(12)]
    with pytest.raises(InputError, match=r"theirs: l0, l1, .*, l9, …"):
        label_indices(names, {"zebra"}, source="f")


def test_a_map_of_labels_from_several_parts() -> None:
    assert label_map(["a=x", " b = y ", "a=x"]) == {"a": "x", "b": "y"}


@pytest.mark.parametrize("part", ["a", "a=", "=x", ""])
def test_a_part_that_is_not_a_pair(part: str) -> None:
    with pytest.raises(UsageError, match=f"`label_map` {part}: write LABEL=NAME, such as 0=neg"):
        label_map([part])


def test_a_label_with_two_names_is_refused() -> None:
    with pytest.raises(UsageError, match="`label_map`: a is both x and y; give it one name"):
        label_map(["a=x", "a=y"])
