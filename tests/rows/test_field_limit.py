import json

import pytest

from distilcli.rows import open_rows


def read(folder, name, content, most):
    path = folder / name
    path.write_bytes(content)
    with open_rows([str(path)], max_field_bytes=most) as source:
        return list(source)


CONTENTS = {
    "a.csv": 'text,id\nshort,1\nääääää,2\n"two\nlines, too long",3\nlast,4\n'.encode(),
    "a.jsonl": b"".join(
        json.dumps({"text": text, "id": number}, ensure_ascii=False).encode() + b"\n"
        for number, text in enumerate(["short", "ääääää", "two\nlines, too long", "last"])
    ),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_longer_cell_is_an_error_of_its_row_alone(tmp_path, name):
    rows = read(tmp_path, name, CONTENTS[name], 11)
    assert [row.error is None for row in rows] == [True, False, False, True]
    assert "line 3" in rows[1].error or "line 2" in rows[1].error
    assert "column 'text': a cell of 12 bytes, more than `max_field_bytes` 11" in rows[1].error
    assert rows[1].cells[0] == "ääääää"


@pytest.mark.parametrize("name", CONTENTS)
def test_the_limit_is_in_bytes_and_included(tmp_path, name):
    rows = read(tmp_path, name, CONTENTS[name], 12)
    assert [row.error is None for row in rows] == [True, True, False, True]


def test_nested_values_count_as_their_json(tmp_path):
    content = b'{"id": [1, [2, 3]], "text": "a"}\n{"id": [], "text": "a"}\n'
    rows = read(tmp_path, "a.jsonl", content, 8)
    assert "column 'id': a cell of 9 bytes" in rows[0].error
    assert rows[1].error is None


def test_an_error_that_a_row_has_already_stays(tmp_path):
    rows = read(tmp_path, "a.csv", b"text,id\nvery long indeed\n", 3)
    assert "1 cell where the header has 2" in rows[0].error


def test_texts_have_the_limit_too():
    with open_rows(texts=["a" * 9, "a"], max_field_bytes=8) as source:
        assert [row.error is None for row in source] == [False, True]


def test_a_command_names_its_option_and_goes_on(tmp_path, distil):
    path = tmp_path / "a.csv"
    path.write_text("text,id\nshort,1\nmuch too long,2\n")
    code, out, _ = distil("tokenize", path, "--max-field-bytes", 6)
    assert code == 6
    assert "a cell of 13 bytes, more than --max-field-bytes 6" in out
    assert distil("tokenize", path, "--max-field-bytes", 0)[0] == 2  # no row could be read
