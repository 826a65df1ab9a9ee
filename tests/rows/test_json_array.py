import io
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.errors import InputError
from distilcli.rows import json_array, open_rows, open_writer
from distilcli.rows.json_array import array_rows

TEXT = st.text(alphabet='ab"\\é\n]{},[: ', max_size=6)
VALUES = st.none() | st.booleans() | st.integers() | TEXT
OBJECTS = st.dictionaries(TEXT, st.recursive(VALUES, lambda inner: st.lists(inner, max_size=2)))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(OBJECTS, max_size=5), st.sampled_from([None, 0, 2]), st.integers(1, 9))
def test_an_array_is_read_however_it_is_laid_out_and_comes(objects, indent, size):
    text = json.dumps(objects, indent=indent, ensure_ascii=False)
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    rows = list(array_rows(iter(parts), "a.json"))
    assert [row.error for row in rows] == [None] * len(objects)
    assert [json.loads(row.raw) for row in rows] == objects
    assert not any("\n" in row.raw for row in rows)


PRETTY = '[\n  {\n    "text": "good",\n    "n": 1.0\n  },\n  {"text": "bad", "n": [1,\n 2]}\n]\n'


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz"])
def test_a_file_is_read_and_written_with_its_spelling(tmp_path, name):
    import gzip

    path = tmp_path / name
    path.write_bytes(gzip.compress(PRETTY.encode()) if name.endswith("gz") else PRETTY.encode())
    with open_rows([str(path)]) as source:
        assert (source.format, source.columns, source.text_column) == (
            "json",
            ("text", "n"),
            "text",
        )
        rows = list(source)
    assert [(row.line, row.cells[0]) for row in rows] == [(2, "good"), (6, "bad")]
    assert [row.raw for row in rows] == [
        '{"text": "good", "n": 1.0}',
        '{"text": "bad", "n": [1, 2]}',
    ]


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(b'[{"text": "a"}, {"text": "b"}]'))
    )
    with open_rows(["-"]) as source:
        assert [row.cells for row in source] == [["a"], ["b"]]


def test_a_byte_order_mark_and_another_encoding(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes('\ufeff[{"text": "é"}]'.encode())
    with open_rows([str(path)]) as source:
        assert [row.cells for row in source] == [["é"]]
    path.write_bytes('[{"text": "é"}]'.encode("latin-1"))
    with open_rows([str(path)], encoding="latin-1") as source:
        assert [row.cells for row in source] == [["é"]]


@pytest.mark.parametrize("rows", [[], [{"text": "a", "x": 1}, {"y": 2}]])
def test_what_is_written_as_an_array_is_read(tmp_path, rows):
    source_path, path = tmp_path / "a.jsonl", tmp_path / "b.json"
    source_path.write_text("".join(json.dumps(row) + "\n" for row in rows) or "\n")
    with open_rows([str(source_path)]) as source:
        columns = source.columns
        with open_writer(path, columns=columns, new_columns=["z"], input_format="json") as writer:
            writer.write_rows([(row, {"z": 1}) for row in source])
    with open_rows([str(path)]) as source:
        assert [json.loads(row.raw) for row in source] == [row | {"z": 1} for row in rows]


def test_an_element_comes_before_the_next_one_is_there():
    def texts():
        yield '[{"text": "a"}'
        raise AssertionError("read too far")

    rows = array_rows(texts(), "a.json")
    assert next(rows).cells == ["a"]


def test_elements_that_are_not_objects_fail_alone():
    rows = list(array_rows(iter(['[1, {"a": 2}, "x", ', "null]"]), "a.json"))
    assert [row.error for row in rows] == [
        "a.json: line 1: a JSON object is expected, not a number",
        None,
        "a.json: line 1: a JSON object is expected, not a string",
        "a.json: line 1: a JSON object is expected, not null",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[{"a": 1}', "line 1: the JSON array is cut off"),
        ('[{"a": 1},\n', "line 2: the JSON array is cut off"),
        ('[\n{"a": 1', "line 2: the JSON array is cut off"),
        ('[{"a": "on', "line 1: the JSON array is cut off"),
        ('[{"a": 1}\n {"b": 2}]', "line 2, column 2: broken JSON: ',' or ']' is expected"),
        ('[{"a" 1}]', "line 1, column 7: broken JSON: Expecting ':' delimiter"),
        ('[{"a": 1},\n {"b" 2}, {"c": 3}, {"d": 4}]', "line 2, column 7: broken JSON"),
        ('[{"a": 1}] x', "line 1, column 12: broken JSON: more follows after the end"),
        ("[" + "[" * 100_000, "nested too deep"),
    ],
)
def test_broken_arrays_are_named_by_their_place(text, fault):
    with pytest.raises(InputError) as caught:
        list(array_rows(iter([text]), "a.json"))
    assert fault in str(caught.value)


def test_an_endless_element_is_refused(monkeypatch):
    monkeypatch.setattr(json_array, "LONGEST", 1000)
    with pytest.raises(InputError, match="line 1: an element is longer than"):
        list(array_rows(iter(['[{"a": "'] + ["x" * 100] * 50), "a.json"))


def test_an_array_of_articles_is_still_squad(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"data": []}')
    with open_rows([str(path)]) as source:
        assert source.format == "squad"


def test_lines_that_are_arrays_stay_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('[1, 2]\n{"text": "a"}\n')
    with open_rows([str(path)]) as source:
        assert source.format == "jsonl"
        assert [row.error is None for row in source] == [False, True]


def test_delimiters_are_not_for_arrays(tmp_path):
    from distilcli.errors import UsageError

    path = tmp_path / "a.json"
    path.write_text('[{"text": "a"}]')
    with open_rows([str(path)], delimiter=";") as source, pytest.raises(UsageError, match="json"):
        _ = source.columns
