import pytest

from distilcli.errors import InputError
from distilcli.evaluation.of_model import words_from
from distilcli.gold import cells as gold
from distilcli.rows.row import Row


def row(value: object, column: str = "label") -> Row:
    return Row((column,), [value], "data.csv", 7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], []),
        ("", []),
        ("Paris", ["Paris"]),
        (["a", "b"], ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
        ([{"text": "a", "answer_start": "1"}, {"text": "b"}], ["a", "b"]),
        ('{"text": ["a"], "answer_start": [3]}', ["a"]),
        ({"text": []}, []),
        ("[sic] it was", ["[sic] it was"]),
        ("[]", []),
    ],
)
def test_answers(value: object, expected: list[str]) -> None:
    assert gold.answers_of("label")(row(value)) == expected


@pytest.mark.parametrize("value", [None, {"text": "a"}, [1], [{"start": 2}], True])
def test_answers_that_are_none(value: object) -> None:
    with pytest.raises(InputError, match=r"data\.csv: line 7, column 'label'"):
        gold.answers_of("label")(row(value))


@pytest.mark.parametrize("value", ["a,  b", '["a", "b"]', ["a", "b"]])
def test_several_labels(value: object) -> None:
    assert gold.labels_of("label", labels=None, names={})(row(value)) == ["a", "b"]


def test_no_label_of_several() -> None:
    assert gold.labels_of("label", labels=("a",), names={})(row("")) == []


def test_another_sign_between_labels() -> None:
    reader = gold.labels_of("label", labels=None, names={}, separator="|")
    assert reader(row("a, b |c")) == ["a, b", "c"]


def test_a_label_that_the_model_does_not_have() -> None:
    reader = gold.label_of("label", labels=("negative", "positive"), names={})
    assert reader(row(" positive ")) == "positive"
    with pytest.raises(InputError) as raised:
        reader(row("Positve"))
    assert "line 7, column 'label'" in str(raised.value)
    assert "did you mean 'positive'? (its labels: negative, positive)" in str(raised.value)
    assert "--map Positve=LABEL" in str(raised.value)


def test_labels_by_other_names() -> None:
    reader = gold.label_of("label", labels=("negative", "positive"), names={"1": "positive"})
    assert reader(row("1")) == "positive"


@pytest.mark.parametrize("value", ["", " ", None])
def test_a_label_that_is_missing(value: object) -> None:
    with pytest.raises(InputError, match=r"data\.csv: line 7"):
        gold.label_of("label", labels=None, names={})(row(value))


@pytest.mark.parametrize("value", ["high", "nan", "inf", ""])
def test_a_number_that_is_none(value: str) -> None:
    with pytest.raises(InputError, match="line 7, column 'label'"):
        gold.number_of("label")(row(value))
    assert gold.number_of("label")(row("4.5")) == 4.5


@pytest.mark.parametrize("value", ["B-X O", '["B-X", "O"]', ["B-X", None]])
def test_tags(value: object) -> None:
    assert gold.tags_of("label")(row(value)) == ["B-X", "O"]


@pytest.mark.parametrize("words", ["Anna left", '["Anna", "left"]', ["Anna", "left"]])
def test_there_is_a_tag_for_each_word(words: object) -> None:
    reader = gold.tags_of("label", words="tokens")
    columns = ("tokens", "label")
    assert reader(Row(columns, [words, "B-X O"], "data.csv", 7)) == ["B-X", "O"]
    with pytest.raises(InputError, match="line 7, column 'label': 3 labels for 2 words"):
        reader(Row(columns, [words, "B-X O O"], "data.csv", 7))


def test_a_choice_is_one_of_the_options_of_its_row() -> None:
    def options(_: Row) -> list[str | None]:
        return ["two", "four", None]

    reader = gold.choice_of("label", options)
    assert [reader(row(right)).numbers for right in ("four", "1", "b")] == [
        (1, None, None),
        (None, None, 1),
        (None, 1, None),
    ]
    with pytest.raises(InputError, match="line 7, column 'label': 'five' is neither the text"):
        reader(row("five"))
    assert gold.choice_of("label", None)(row("four")).answer == "four"


def test_a_broken_row_says_what_is_wrong_with_it() -> None:
    broken = Row(("label",), ["a"], "data.csv", 7, error="data.csv: line 7: broken")
    for reader in (gold.number_of("label"), gold.answers_of("label"), gold.tags_of("label")):
        with pytest.raises(InputError, match="line 7: broken"):
            reader(broken)


@pytest.mark.parametrize("value", [["a", ""], '["a", ""]'])
def test_a_word_without_letters_is_no_other_word(value: object) -> None:
    assert words_from("label")(row(value)) == ["a", ""]
