import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import InputError, UsageError
from distilcli.rows.lines import checked_encoding, read_lines

CONTENT = st.text(alphabet=st.sampled_from("a\r\n\u2028\x0b\x85é😀\0"), max_size=20)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "gb18030"])
@given(content=CONTENT, cuts=st.lists(st.integers(0, 80), max_size=6))
def test_lines_do_not_depend_on_how_the_bytes_come(encoding, content, cuts):
    data = content.encode(encoding)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(edges) if start < end]
    lines = list(read_lines(iter(chunks), checked_encoding(encoding), "f"))
    expected = [line.decode() for line in content.encode().splitlines(keepends=True)]
    assert lines == expected


def test_a_line_comes_before_the_next_bytes_are_asked_for():
    def chunks():
        yield b"one\ntw"
        raise AssertionError("read ahead")

    assert next(read_lines(chunks(), checked_encoding("utf-8"), "f")) == "one\n"


def test_encodings_are_known_by_name():
    assert checked_encoding("UTF8") == checked_encoding("utf-8-sig")
    assert not checked_encoding("utf-16").by_line
    with pytest.raises(UsageError, match="`encoding` 'latin-one' is unknown"):
        checked_encoding("latin-one")


@pytest.mark.parametrize("data", [b"\x00\x01\xff\n", b"text\n\xff\xfe and\n\x00"])
def test_what_is_binary_is_called_so(data):
    with pytest.raises(InputError, match=r"^f: is binary, not text$"):
        list(read_lines(iter([data]), checked_encoding("utf-8"), "f"))


def test_utf_16_is_not_binary():
    with pytest.raises(InputError, match="try `encoding` utf-16"):
        list(read_lines(iter(["text".encode("utf-16")]), checked_encoding("utf-8"), "f"))


@pytest.mark.parametrize(
    "name",
    [
        *("", "utf-8\0", "rot13", "base64", "hex", "zip", "uu", "quopri", "undefined", "é"),
        *("idna", "punycode", "../utf-8", "x" * 5_000, "\ud800"),
    ],
)
def test_what_is_no_encoding_of_text_is_refused(name):
    with pytest.raises(UsageError, match=r"`encoding` .* is unknown") as caught:
        checked_encoding(name)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("name", ["unicode_escape", "utf-7", "utf-16", "utf-32"])
@pytest.mark.parametrize("content", [b"text\n\xff\xfe\0\n", b"a-\xff\n\xd8", b"\\ud800\\N{x}\n"])
def test_odd_encodings_read_or_refuse_invalid_bytes(name, content):
    with contextlib.suppress(InputError):
        assert list(read_lines(iter([content]), checked_encoding(name), "a.txt"))


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["text\na\n", "text,id\ngood film,1\n", '{"text": "a"}\n', "heißer Tee\n"]
)
def test_utf_16_without_a_mark_is_named(name, text):
    with pytest.raises(
        InputError, match=f"a.csv: is UTF-16 without a byte order mark.*`encoding` {name}$"
    ):
        list(read_lines(iter([text.encode(name)]), checked_encoding("utf-8"), "a.csv"))
    assert "".join(read_lines(iter([text.encode(name)]), checked_encoding(name), "a.csv")) == text


@pytest.mark.parametrize("content", [b"\0\0\n", b"a\0b\n", b"\0\0" * 40, b"a\0\n" * 40, b"\0a\0"])
def test_text_with_nul_characters_is_text(content):
    lines = read_lines(iter([content]), checked_encoding("utf-8"), "a.txt")
    assert "".join(lines).encode() == content


def test_utf_16_whose_mark_is_wrong_is_refused():
    lines = read_lines(iter([b"t\0\xd8\xd8\xd8"]), checked_encoding("utf-16"), "a.txt")
    with pytest.raises(InputError, match=r"^a.txt: "):
        list(lines)
