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
