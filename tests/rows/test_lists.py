import pytest

from distilcli.rows.lists import listed, parsed, words_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a, b ,,c", ["a", "b", "c"]),
        ('["a, b", "c"]', ["a, b", "c"]),
        (["a, b", "c"], ["a, b", "c"]),
        ("[a], b", ["[a]", "b"]),
        ("", []),
        (None, []),
        ([], []),
    ],
)
def test_labels_of_a_cell(value: object, expected: list[str]) -> None:
    assert listed(value) == expected


def test_another_sign() -> None:
    assert listed("a,b|c", "|") == ["a,b", "c"]


def test_json_numbers_keep_their_spelling() -> None:
    assert parsed("[1.0, 1e5]") == ["1.0", "1e5"]
    assert parsed("[1") is None
    assert parsed("[" * 100_000) is None


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("a  b", ["a", "b"]),
        ('["a", null, ""]', ["a", None, ""]),
        (["a", None], ["a", None]),
        ("", []),
        ("[a", None),
        ([1], None),
        ({"a": 1}, None),
        (None, None),
    ],
)
def test_words(cell: object, words: list[str | None] | None) -> None:
    assert words_of(cell) == words
