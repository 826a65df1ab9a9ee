import pytest

from distilcli.errors import DataWarning, InputError
from distilcli.gold import cells
from distilcli.gold.columns import Columns
from distilcli.gold.multilabel import label_lists
from distilcli.rows.row import Row


def read(*values: object, separator: str | None = None, **columns: tuple[str, ...]) -> list[object]:
    named = Columns(**columns)
    read_cell = cells.label_cell_of("labels", named)
    found = [
        read_cell(Row(("labels",), [value], "data.csv", line))
        for line, value in enumerate(values, start=2)
    ]
    return list(label_lists(found, separator=separator, names=named.labels, source="data.csv"))


def test_labels_with_commas_and_lists() -> None:
    found = read("b , a", "", "a,a,,c", '["b", "a"]', "['b', 'a']", ["a|b"], None, "nan")
    assert found == [["b", "a"], [], ["a", "c"], ["b", "a"], ["b", "a"], ["a|b"], [], []]


def test_tuples_sets_and_arrays_are_lists() -> None:
    found = read("('b', 'a')", "('a',)", "{'b', 'a'}", "array(['a', 'b'], dtype=object)", "(a), b")
    assert found == [["b", "a"], ["a"], ["a", "b"], ["a", "b"], ["(a)", "b"]]


def test_lists_in_brackets_without_quotes() -> None:
    assert read("[pos, film]", "", "[neg]", "[]") == [["pos", "film"], [], ["neg"], []]
    assert read("[a], b", "[a]") == [["[a]", "b"], ["[a]"]]
    assert read("[a]", "[b]") == [["[a]"], ["[b]"]]


@pytest.mark.parametrize("rows", [("[0.9, 0.1]", "[0.0, 1.0]"), ([".5", "1e-5"], ["1", "0"])])
def test_scores_are_no_labels(rows: tuple[object, ...]) -> None:
    with pytest.raises(InputError, match=r"data\.csv: labels are numbers such as .*; if they are "):
        read(*rows)
    assert read("1.5", "2.5, 3") == [["1.5"], ["2.5", "3"]]


def test_a_separator_that_is_named() -> None:
    assert read("a, b |c", separator="|") == [["a, b", "c"]]
    assert read("a;b", "a;c", separator=",") == [["a;b"], ["a;c"]]


@pytest.mark.parametrize("separator", ["; ", "|", "\t"])
def test_another_separator_is_found_out_and_told(separator: str) -> None:
    shown = separator.strip(" ")
    with pytest.warns(DataWarning, match=r"data\.csv: labels are separated by") as told:
        found = read(f"pos{separator}film", "neg", f"neg{separator}film")
    assert found == [["pos", "film"], ["neg"], ["neg", "film"]]
    assert repr(shown) in str(told[0].message)


def test_labels_that_may_be_several_in_one_are_told() -> None:
    with pytest.warns(DataWarning, match="no row has two labels; if 'pos/film' is more than one"):
        assert read("pos/film", "neg/film") == [["pos/film"], ["neg/film"]]
    assert read("very good", "bad") == [["very good"], ["bad"]]


VECTORS = [
    (["1", "0"], ["0", "1"], ["0", "0"]),
    ("[1, 0]", "[0, 1]", "[0, 0]"),
    ("1,0", "0,1", "0,0"),
    ("[1 0]", "[0 1]", "[0 0]"),
    ("1. 0.", "0. 1.", "0. 0."),
    ([True, False], [False, True], [False, False]),
    ("[1.0, 0.0]", "[0.0, 1.0]", "[0.0, 0.0]"),
    ("(1, 0)", "(0, 1)", "(0, 0)"),
    ("array([1, 0])", "array([0, 1])", "array([0, 0])"),
    ("[True, False]", "[False, True]", "[False, False]"),
]


@pytest.mark.parametrize("rows", VECTORS)
def test_vectors_are_read_by_the_names_of_their_labels(rows: tuple[object, ...]) -> None:
    assert read(*rows, labels=("pos", "neg")) == [["pos"], ["neg"], []]
    with pytest.raises(
        InputError, match=r"data\.csv: line 2, column 'labels': .* name these in order with `lab"
    ):
        read(*rows)
    with pytest.raises(InputError, match=r"0 or 1 for each of 2 labels, .* which has 3"):
        read(*rows, labels=("a", "b", "c"))


def test_labels_that_are_numbers() -> None:
    assert read([], ["1"], ["0", "1"]) == [[], ["1"], ["0", "1"]]
    assert read("0,2", "1", labels=("a", "b", "c")) == [["a", "c"], ["b"]]
    assert read(["a", "2.0"], labels=("a", "b", "c")) == [["a", "c"]]
    with pytest.raises(InputError, match=r"line 3, column 'labels': '3' is neither one of"):
        read("0,1", "2,3", labels=("a", "b", "c"))


def test_a_column_of_0_and_1_for_each_label() -> None:
    columns = ("pos", "neg", "film")
    read_cell = cells.label_cell_of("pos", Columns(label_columns=columns))
    rows = [("1", "0", "1.0"), ("false", "0", "0"), (True, "0", "0")]
    found = [read_cell(Row(columns, list(row), "data.csv", 2)) for row in rows]
    lists = label_lists(found, separator=None, names=(), source="data.csv")
    assert lists == [["pos", "film"], [], ["pos"]]
    for broken, message in (("x", "column 'neg': 'x' is neither 0 nor 1"), ("", "no value")):
        with pytest.raises(InputError, match=message):
            read_cell(Row(columns, ["1", broken, "0"], "data.csv", 2))


def test_one_label_from_columns_of_0_and_1() -> None:
    columns = ("pos", "neg")
    read_label = cells.label_from("pos", Columns(label_columns=columns))
    assert read_label(Row(columns, ["0", "1"], "data.csv", 2)) == "neg"
    for row, count in ((["1", "1"], 2), (["0", "0"], 0)):
        with pytest.raises(InputError, match=f"line 2: {count} of the `label_columns` are 1"):
            read_label(Row(columns, row, "data.csv", 2))


def test_one_label_by_its_number() -> None:
    read_label = cells.label_from("label", Columns(labels=("neg", "pos")))
    for value, expected in (("1", "pos"), ("0.0", "neg"), ("pos", "pos")):
        assert read_label(Row(("label",), [value], "data.csv", 2)) == expected
    with pytest.raises(InputError, match=r"'2' is neither one of the `labels` \(neg, pos\)"):
        read_label(Row(("label",), ["2"], "data.csv", 2))
