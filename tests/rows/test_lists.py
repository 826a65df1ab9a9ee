import pytest

from distilcli.rows.lists import parsed, words_of


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("['pos', \"it's\"]", ["pos", "it's"]),
        ("['pos' 'film']", ["pos", "film"]),  # numpy, which Python would join
        ("['a'\n 'b']", ["a", "b"]),
        ("('a', 'b')", ["a", "b"]),
        ("{'b', 'a'}", ["a", "b"]),
        ("array([1, 0])", ["1", "0"]),
        ("array(['a', 'b'], dtype=object)", ["a", "b"]),
        ("(see above)", None),
        ("array(x)", None),
        ("[1, 2.0, None, True]", ["1", "2.0", None, True]),
        ("[{'text': 'a', 'answer_start': 3}]", [{"text": "a", "answer_start": "3"}]),
        ("[NaN]", [None]),
        ("[sic] it was \\d", None),
        ("[__import__('os')]", None),
    ],
)
def test_lists_as_python_prints_them(cell: str, expected: object) -> None:
    assert parsed(cell) == expected


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
