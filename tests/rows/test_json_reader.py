import pytest

from distilcli.errors import InputError
from distilcli.rows.json_reader import JsonReader


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[{"a": 1}, {"b": 2}, {"c" 3}, {"d": 4}]', "line 1, column 27: broken JSON: Expecting"),
        ('[{"a": 1},\n {"b": 2}, {"c" 3}, {"d": 4}]', "line 2, column 17: broken JSON: Expecting"),
        ('[{"a": 1},\n {"b": 2} {"c": 3}, {"d": 4}]', "line 2, column 11: broken JSON: ',' or"),
        ('[{"a" 1}]', "line 1, column 7: broken JSON: Expecting ':' delimiter; see x"),
        ('[{"a": 1}] []', "line 1, column 12: broken JSON: more follows after the end; see x"),
        ('[{"a": 1}, {"b": ', "line 1: the JSON is cut off"),
        ('[{"a": 1},\n', "line 2: the JSON is cut off"),
    ],
)
def test_a_fault_has_its_place_however_the_text_comes(text, place, size):
    parts = (text[start : start + size] for start in range(0, len(text), size))
    reader = JsonReader(parts, "a.json", hint="; see x")
    with pytest.raises(InputError) as caught:  # noqa: PT012
        list(reader.elements())
        reader.end()
    assert str(caught.value).startswith(f"a.json: {place}")


def test_values_come_with_their_text_and_line():
    reader = JsonReader(iter(['[1.0,\n "a', '\\n", [2', "]\n, null]"]), "a.json")
    assert list(reader.elements()) == [
        ("1.0", "1.0", 1), ("a\n", '"a\\n"', 2), (["2"], "[2]", 2), (None, "null", 3)
    ]  # fmt: skip
