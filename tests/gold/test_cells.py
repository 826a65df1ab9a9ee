import pytest

from distilcli.errors import InputError
from distilcli.gold import cells as gold
from distilcli.gold.cells import UnlabelledError
from distilcli.rows.conll import Sentence
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


@pytest.mark.parametrize("value", ["a,  b", '["a", "b"]', ["a", "b"], ["a", "b", "a"]])
def test_several_labels(value: object) -> None:
    assert gold.labels_of("label")(row(value)) == ["a", "b"]


@pytest.mark.parametrize("value", ["", [], "[]", None])
def test_no_label_of_several(value: object) -> None:
    assert gold.labels_of("label")(row(value)) == []


@pytest.mark.parametrize("value", [[["a"]], ["a", True], ["a", None], {"a": 1}, True])
def test_what_is_not_a_list_of_labels_is_refused_and_not_made_a_text(value: object) -> None:
    with pytest.raises(InputError, match=r"data.csv: line 7, column 'label': not a list of labels"):
        gold.labels_of("label")(row(value))


@pytest.mark.parametrize("value", ["[a], b", "['[a]', 'b']"])
def test_labels_in_brackets(value: object) -> None:
    assert gold.labels_of("label")(row(value)) == ["[a]", "b"]


@pytest.mark.parametrize("value", ["['a', 'b'", "{'a': 1, 'b': 0}", '{"a": 1}'])
def test_a_list_of_labels_that_is_cut_off_or_an_object_is_refused(value: str) -> None:
    with pytest.raises(InputError, match=r"line 7, column 'label': not a list of labels, such as"):
        gold.labels_of("label")(row(value))


@pytest.mark.parametrize("value", ["['a', 'b']", "('a',)", "[1, 0]", '["a"]', ["a"], "array([0])"])
def test_a_list_is_not_one_label(value: object) -> None:
    with pytest.raises(
        InputError, match=r"line 7, column 'label': a list is not one label; .* multilabel"
    ):
        gold.label_of("label")(row(value))


@pytest.mark.parametrize("value", ["[sic]", "(18, 25)", "[18, 25)", "[PAD]", "{x}", "(a)"])
def test_a_label_in_brackets_is_one_label(value: str) -> None:
    assert gold.label_of("label")(row(value)) == value


def test_a_label_that_the_model_does_not_have() -> None:
    labels, names = ("negative", "positive"), {"1": "positive"}
    broken = gold.where(row("x"), "label")
    assert gold.checked_label(broken, "positive", labels, names) == "positive"
    assert gold.checked_label(broken, "1", labels, names) == "positive"
    assert gold.checked_label(broken, "x", None, names) == "x"
    with pytest.raises(InputError) as raised:
        gold.checked_label(broken, "Positve", labels, names)
    assert "line 7, column 'label'" in str(raised.value)
    assert "did you mean 'positive'? (its labels: negative, positive)" in str(raised.value)
    assert "map it with `label_map` Positve=LABEL" in str(raised.value)


@pytest.mark.parametrize("value", ["", " ", "\u200b", None, "nan", "NaN"])
def test_a_label_that_is_missing(value: object) -> None:
    for reader in (gold.label_of("label"), gold.number_of("label")):
        with pytest.raises(UnlabelledError, match=r"data\.csv: line 7, column 'label': no value"):
            reader(row(value))
        assert gold.if_any("label", reader)(row(value)) is None
    assert gold.labels_of("label")(row(value if value != "\u200b" else "")) == []
    assert gold.label_of("label")(row(" positive ")) == "positive"


@pytest.mark.parametrize("value", ["high", "nan", "inf", ""])
def test_a_number_that_is_none(value: str) -> None:
    with pytest.raises(InputError, match="line 7, column 'label'"):
        gold.number_of("label")(row(value))
    assert gold.number_of("label")(row("4.5")) == 4.5


@pytest.mark.parametrize("value", ["B-X O", '["B-X", "O"]', ["B-X", "O"]])
def test_tags(value: object) -> None:
    assert gold.tags_of("label")(row(value)) == ["B-X", "O"]


@pytest.mark.parametrize("value", [["B-X", None], ["B-X", ""]])
def test_a_word_without_a_tag(value: object) -> None:
    with pytest.raises(UnlabelledError, match="line 7, column 'label': a word has no tag"):
        gold.tags_of("label")(row(value))
    assert gold.tags_of("label", missing="O")(row(value)) == ["B-X", "O"]


def test_tags_that_are_missing() -> None:
    reader = gold.tags_of("label", words_column="tokens")
    for value in (None, ""):
        with pytest.raises(UnlabelledError, match="no value; every row needs tags"):
            reader(Row(("tokens", "label"), ["Anna left", value], "data.csv", 7))
    assert reader(Row(("tokens", "label"), ["", ""], "data.csv", 7)) == []


@pytest.mark.parametrize("words", ["Anna left", '["Anna", "left"]', ["Anna", "left"]])
def test_there_is_a_tag_for_each_word(words: object) -> None:
    reader = gold.tags_of("label", words_column="tokens")
    columns = ("tokens", "label")
    assert reader(Row(columns, [words, "B-X O"], "data.csv", 7)) == ["B-X", "O"]
    with pytest.raises(InputError, match="line 7, column 'label': 3 tags for 2 words"):
        reader(Row(columns, [words, "B-X O O"], "data.csv", 7))


def test_a_choice_is_one_of_the_options_of_its_row() -> None:
    def options(_: Row) -> list[str | None]:
        return ["two", "four", None]

    reader = gold.choice_of("label", options)
    assert [reader(row(right)).indices for right in ("four", "1", "b")] == [
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
def test_an_empty_word_is_a_word(value: object) -> None:
    assert gold.words_in(row(value), "label") == ["a", ""]


@pytest.mark.parametrize("value", [["a", None], '["a", 1', {"a": 1}, None])
def test_what_is_not_a_list_of_words(value: object) -> None:
    with pytest.raises(InputError, match="line 7, column 'label': not a list of words"):
        gold.words_in(row(value), "label")


def test_the_words_of_a_sentence() -> None:
    sentence = Sentence(("text", "tokens"), ["a b", ["a", "b"]], "data.conll", 7)
    assert gold.words_in(sentence, "text") == ["a", "b"]
