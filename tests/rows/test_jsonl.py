import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.errors import RowError
from distilcli.rows.jsonl import as_cell, json_text, parse_line, splice
from distilcli.rows.row import cell_text

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


@settings(max_examples=50)
@given(OBJECTS, st.sampled_from([None, 0]), st.sampled_from(["", " \t"]))
def test_splice_keeps_the_object_and_adds_the_keys(value, indent, tail):
    raw = json.dumps(value, indent=indent).replace("\n", " ") + tail
    spliced = splice(raw, {"new key": "x"}, empty=not value)
    assert spliced.startswith(raw.rstrip()[:-1])
    assert json.loads(spliced) == {**value, "new key": "x"}


@settings(max_examples=50)
@given(OBJECTS)
def test_values_read_are_written_with_the_same_numbers(value):
    row = parse_line(json.dumps(value), "f", 1)
    for cell, original in zip(row.cells, value.values(), strict=True):
        assert json.loads(json_text(cell)) == original


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (0.99981234567, "0.999812"),
        (1.0, "1.0"),
        (1e-7, "1e-07"),
        (math.nan, "null"),
        (-math.inf, "null"),
        ([1, 0.123456789, None, "é"], '[1,0.123457,null,"é"]'),
        ({"a": [math.nan]}, '{"a":[null]}'),
        ((True, False), "[true,false]"),
    ],
)
def test_json_text(value, text):
    assert json_text(value) == text
    json.loads(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ("a", "a"), (True, "true"), (3, "3"), (0.5, "0.5"), (math.nan, ""), ([1], "[1]")],
)
def test_cell_text(value, text):
    assert as_cell(value) == text


def test_numbers_within_nested_values_keep_their_spelling():
    row = parse_line('{"a": [1.0, {"b": 1E5, "c": 12345678901234567890123}]}', "f", 1)
    assert as_cell(row.cells[0]) == '[1.0,{"b":1E5,"c":12345678901234567890123}]'


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_lacks_are_missing_and_go_out_as_they_came(constant):
    line = f'{{"text": {constant}, "n": [{constant}]}}'
    row = parse_line(line, "a.jsonl", 3)
    assert row.cells == [None, [None]]
    assert [as_cell(cell) for cell in row.cells] == ["", "[null]"]
    assert splice(row.raw, {"x": 1}, empty=False) == f'{line[:-1]}, "x": 1}}'
    with pytest.raises(RowError, match=r"a\.jsonl: line 3: no value at 'text'"):
        cell_text(row, "text")
