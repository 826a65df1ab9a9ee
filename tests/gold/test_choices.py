import pytest

from distilcli.errors import InputError
from distilcli.evaluation.results.choose import ChooseResults
from distilcli.gold.choices import Solution, right_choices, right_options, solution_of
from distilcli.tasks.choose import Choice


def said(*rows: tuple[str, list[str | None] | None]) -> list[Solution]:
    return [
        solution_of(answer, options, place=f"t.csv: line {line}")
        for line, (answer, options) in enumerate(rows, start=2)
    ]


@pytest.mark.parametrize("answers", [("two", "one"), ("B", "a"), ("1", "0"), (" two", "one ")])
def test_a_right_option_by_text_letter_or_number(answers: tuple[str, str]) -> None:
    rows = said((answers[0], ["one", "two"]), (answers[1], [" one", "two", "three"]))
    assert right_options(rows) == [1, 0]
    assert right_choices(rows, {"three"}) == [1, 0]


def test_texts_go_before_letters_and_letters_before_numbers() -> None:
    assert right_options(said(("a", ["b", "a"]))) == [1]
    assert right_options(said(("a", ["b", "a"]), ("a", ["c", "d"]))) == [0, 0]
    assert right_options(said(("1", ["1", "2"]))) == [0]
    assert right_options(said(("1", ["1", "2"]), ("0", ["1", "2"]))) == [1, 0]


def test_no_row_has_nothing_to_say() -> None:
    assert right_options([]) == right_choices([], set()) == []


@pytest.mark.parametrize("answer", ["c", "2", "three", "1", "B", "AB"])
def test_what_is_no_option_by_any_way_is_refused_at_once(answer: str) -> None:
    with pytest.raises(InputError, match=rf"^t\.csv: line 2: '{answer}' is neither the text of"):
        said((answer, ["one", None]))


def test_rows_that_do_not_agree_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"^t\.csv: line 4: 'B' is neither .*the same in all rows$"
    ):
        right_options(said(*((answer, ["one", "two"]) for answer in ("two", "one", "B", "0"))))


def test_without_options_letters_are_letters_unless_they_are_texts() -> None:
    letters = said(("B", None), ("a", None))
    assert right_choices(letters, {"cat", "dog"}) == [1, 0]
    assert right_choices(letters, {"a", "dog"}) == ["B", "a"]
    assert right_choices(said(("1", None), ("0", None)), {"cat"}) == [1, 0]
    assert right_choices(said(("cat", None), ("B", None)), {"dog"}) == ["cat", "B"]


def test_what_was_chosen_is_right_by_letter() -> None:
    values = [Choice("cat", 1, (0.1, 0.9)), Choice("dog", 0, (0.8, 0.2))]
    found = ChooseResults.of(said(("B", ["dog", "cat"]), ("B", ["dog", "cat"])), values)
    assert found.right.tolist() == [True, False]
    assert found.gold == ["1", "1"]
