import pytest

from distilcli.errors import InputError, RowError
from distilcli.rows import Row, cell_text, find_column
from distilcli.rows.jsonl import parse_line
from distilcli.rows.row import is_blank


@pytest.fixture
def row():
    text = (
        '{"a": {"b": {"c": "deep"}, "n": null}, "items": [{"t": "x"}, 1e5], "d.e": "k", "y": true}'
    )
    return parse_line(text, "a.jsonl", 7)


@pytest.mark.parametrize(
    ("column", "text"),
    [("a.b.c", "deep"), ("items.0.t", "x"), ("items.1", "1e5"), ("d.e", "k"), ("y", "true")],
)
def test_dotted_paths(row, column, text):
    assert cell_text(row, column) == text


@pytest.mark.parametrize("column", ["a.x", "a.n", "items.2", "items.x", "y.z", "nothing"])
def test_no_value_is_a_row_error(row, column):
    with pytest.raises(RowError, match=f"a.jsonl: line 7: no value at '{column}'"):
        cell_text(row, column)


def test_binary_data_and_infinities_are_not_text():
    for cell, kind in ((b"text", "binary data"), (float("inf"), "not finite")):
        with pytest.raises(RowError, match=f"line 3: the value at 't' is {kind}, not text"):
            cell_text(Row(("t",), [cell], "a.db", 3), "t")


@pytest.mark.parametrize(("column", "kind"), [("a", "an object"), ("items", "a list")])
def test_nested_values_are_not_text(row, column, kind):
    with pytest.raises(RowError, match=f"{kind}, not text"):
        cell_text(row, column)


def test_the_first_of_equal_columns_is_found():
    assert cell_text(Row(("t", "t"), ["1", "2"], "a.csv", 2), "t") == "1"


def test_find_column():
    assert find_column(("a", "b.c"), "b.c", "f") == "b.c"
    assert find_column(("a",), "a.b", "f", dotted=True) == "a.b"
    with pytest.raises(InputError, match=r"no column 'a\.b' in f"):
        find_column(("a",), "a.b", "f")
    with pytest.raises(InputError, match="did you mean 'Label'"):
        find_column(("Text", "Label"), "label", "f")


def test_a_number_is_no_name_where_there_is_a_header():
    with pytest.raises(InputError, match="no column '2' in f; columns have numbers only with `no"):
        find_column(("Text", "Label"), "2", "f")


def test_many_columns_are_not_all_listed():
    with pytest.raises(InputError, match="c19 and 80 more"):
        find_column([f"c{n}" for n in range(100)], "zzz", "f")


@pytest.mark.parametrize("text", ["", "\u3164", " \u2800\u200b", "\ufe0f\u115f"])
def test_letters_and_marks_that_cannot_be_seen_are_blank(text):
    assert is_blank(text)
    assert not is_blank(f"{text}a")
    assert not is_blank("\u2764\ufe0f")
