"""Where records of large CSV files begin, found in pieces."""

import random

import pytest

from distilcli.rows import open_rows, record_starts


def rows_and_starts(path, offsets, delimiter=","):
    found = list(record_starts.record_starts(path, offsets, "utf-8", delimiter))
    return found, {row.line for row in open_rows([str(path)], delimiter=delimiter, text_column="a")}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(record_starts, "_PIECE", 37)


def written(path, *, seed, quote, end="\n"):
    chooser = random.Random(seed)
    cells = ["plain", '"with ""quotes"""', f'"a{end}break"', f'"{end}"', '""', '"""a"""', "é"]
    lines = ["a,b"]
    lines += [",".join(chooser.choices(cells, k=2)) for _ in range(400)]
    lines[200] += quote
    path.write_bytes((end.join(lines) + end).encode())
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("seed", range(5))
def test_the_last_record_before_a_byte_is_found(tmp_path, seed, end):
    path = written(tmp_path / "in.csv", seed=seed, quote="", end=end)
    size = path.stat().st_size
    offsets = sorted(random.Random(seed).sample(range(100, size), 20))

    found, lines = rows_and_starts(path, offsets)

    data = path.read_bytes()
    for place, offset in zip(found, offsets, strict=True):
        assert place.line in lines
        assert data[place.offset - 1 : place.offset] == b"\n"
        assert data[: place.offset].count(b"\n") + 1 == place.line
        assert 0 <= offset - place.offset < 200  # and not far ahead


def test_a_quote_within_a_cell_ends_the_search(tmp_path):
    path = written(tmp_path / "in.csv", seed=1, quote=',5" pipe')
    size = path.stat().st_size

    found, lines = rows_and_starts(path, [size // 4, size - 10])

    assert all(place.line in lines for place in found)
    assert found[1].offset < size * 0.6


def test_tabs_and_quotes_that_do_not_quote(tmp_path):
    path = tmp_path / "in.tsv"
    path.write_text("a\tb\n" + '"so" they say\t"x"\n' * 300 + '"open\n"\tx\n' * 300)
    size = path.stat().st_size

    found, lines = rows_and_starts(path, [size // 3, size - 10], "\t")

    assert all(place.line in lines for place in found)
    assert size // 3 - found[0].offset < 60
    assert found[1].line == 302
