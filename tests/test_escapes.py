import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.escapes import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb\x08\x00", r"a\x0db\x08\x00"),
        ("\x7f\x9b31m", r"\u007f\u009b31m"),
        ("\u202ecod.exe\u2066", r"\u202ecod.exe\u2066"),
        ("a\u2028b\ud800", r"a\u2028b\ud800"),
        ("one\ttwo\nthree", "one\ttwo\nthree"),
        (
            "heißer 好 👨\u200d👩\u200d👧",
            "heißer 好 👨\u200d👩\u200d👧",
        ),
    ],
)
def test_what_a_terminal_obeys_is_shown_and_the_rest_unchanged(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_obeyed_is_left(text: str) -> None:
    assert not any(ord(char) < 32 and char not in "\t\n" for char in visible(text))
    assert not any(0x7F <= ord(char) < 0xA0 for char in visible(text))
    assert visible(visible(text)) == visible(text)


@given(st.text())
def test_json_keeps_its_values(text: str) -> None:
    assert json.loads(visible(json.dumps({text: text}, ensure_ascii=False))) == {text: text}
