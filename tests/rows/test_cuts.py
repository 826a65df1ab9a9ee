"""Shards of files: together they have the rows of the whole, with the same numbers and blocks."""

import gzip
import json
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.errors import UsageError
from distilcli.rows import open_rows, tables
from distilcli.rows.shard import Shard


def read(paths, shard=None, **options):
    source = open_rows([str(path) for path in paths], **options)
    if shard is not None:
        source.take(shard)
    with source:
        return list(source), source


def blocks(rows):
    """Return the rows that begin a block, but for the first of all."""
    return [
        (row.source, row.line, tuple(map(str, row.cells))) for row in rows[1:] if row.begins_block
    ]


def contents(rows):
    return [(row.source, row.line, tuple(map(str, row.cells)), row.error) for row in rows]


def check_shards(paths, count, **options):
    """Check that the shards are the whole; return their sizes."""
    whole, _ = read(paths, **options)
    parts = [read(paths, Shard(index, count), **options)[0] for index in range(count)]
    together = [row for part in parts for row in part]
    assert contents(together) == contents(whole)
    begun = {(row.source, row.line) for row in whole if row.begins_block}
    for part in parts:
        assert blocks(part) == [each for each in blocks(whole) if each in set(blocks(part))]
        if part and part[0] is not together[0]:
            # So that its windows are those of the whole run.
            assert (part[0].source, part[0].line) in begun
    return [len(part) for part in parts]


CELL = st.text(st.sampled_from('ab",\n\r\t é'), max_size=12)


def quoted(cell):
    return '"' + cell.replace('"', '""') + '"'


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, CELL, st.booleans()), min_size=1, max_size=60),
    more=st.integers(1, 60),
    count=st.integers(1, 9),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_csv_with_quotes_and_line_breaks_is_cut_between_its_rows(
    tmp_path_factory, rows, more, count, end
):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    lines = ["text,other"]
    for _ in range(more):
        lines += [
            f"{quoted(a)},{b if plain and not set(b) & set(chr(34) + ',') else quoted(b)}"
            for a, b, plain in rows
        ]
    path.write_bytes((end.join(lines) + end).encode())

    check_shards([path], count)


@settings(max_examples=60, deadline=None)
@given(
    body=st.text(st.sampled_from('ab"\t\n,x'), min_size=1, max_size=400),
    times=st.integers(1, 60),
    count=st.integers(2, 9),
    suffix=st.sampled_from(["csv", "tsv", "txt"]),
)
def test_odd_quotes_do_not_move_rows(tmp_path_factory, body, times, count, suffix):
    path = tmp_path_factory.mktemp("odd") / f"rows.{suffix}"
    path.write_text("text\tother\n" + body * times)

    check_shards([path], count, text_column="text")


def jsonl(path, count, size=80):
    with path.open("w") as file:
        for number in range(count):
            file.write(json.dumps({"id": number, "text": "x" * (number * 7 % size)}) + "\n")
            if number % 50 == 0:
                file.write("\n")
    return path


def test_jsonl_is_cut_into_parts_of_about_the_same_size(tmp_path):
    sizes = check_shards([jsonl(tmp_path / "rows.jsonl", 25_000)], 4)

    assert min(sizes) > 25_000 / 4 * 0.7


def test_small_files_are_kept_whole_and_large_ones_are_cut(tmp_path):
    paths = [jsonl(tmp_path / f"{number}.jsonl", 30) for number in range(40)]
    paths.insert(7, jsonl(tmp_path / "large.jsonl", 4000))

    sizes = check_shards(paths, 5)

    assert min(sizes) > 500
    assert check_shards(paths, 5, file_column="file") == sizes


@pytest.mark.parametrize(
    "name", ["rows.jsonl.gz", "rows.json", "rows.parquet", "rows.db", "rows.xlsx"]
)
def test_other_files_are_cut_by_rows(tmp_path, name):
    path = tmp_path / name
    rows = [{"id": number, "text": f"text {number} " + "é" * 40} for number in range(700)]
    if name.endswith("gz"):
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), 0))
    elif name.endswith("json"):
        path.write_text(json.dumps(rows, indent=1))
    elif name.endswith("parquet"):
        arrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        # Stored as they are, so that the file is large enough to be cut.
        parquet.write_table(
            arrow.Table.from_pylist(rows),
            path,
            row_group_size=300,
            compression="none",
            use_dictionary=False,
        )
    elif name.endswith("db"):
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE t (id, text)")
            database.executemany("INSERT INTO t VALUES (:id, :text)", rows)
    else:
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        for row in [["id", "text"], *([r["id"], r["text"]] for r in rows)]:
            book.active.append(row)
        book.save(path)

    sizes = check_shards([path], 3)

    assert min(sizes) > 150


def test_a_database_whose_ids_have_gaps_is_cut_into_equal_parts(tmp_path):
    path = tmp_path / "rows.db"
    rows = [(1000 + number * 3, f"text {number} " + "x" * 30) for number in range(3000)]
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text)")
        database.executemany("INSERT INTO t VALUES (?, ?)", rows)

    sizes = check_shards([path], 2)

    assert min(sizes) > 1000


def test_only_the_text_before_a_shard_is_looked_at(tmp_path, monkeypatch):
    """Where the shard ends follows from the sizes of files."""
    path, seen = jsonl(tmp_path / "rows.jsonl", 3000), []
    looked = tables.record_starts
    monkeypatch.setattr(
        tables,
        "record_starts",
        lambda path, offsets, *more: seen.extend(offsets) or looked(path, offsets, *more),
    )

    for index in range(3):
        open_rows([str(path)]).take(Shard(index, 3))

    size = path.stat().st_size
    assert len(seen) == 2
    assert all(offset < size * 2 / 3 + 65536 for offset in seen)


def test_sentences_keep_the_comments_before_them(tmp_path):
    path = tmp_path / "rows.conll"
    sentence = "# id = {0}\n\n-DOCSTART- O\n\n# about {0}\nJohn B-PER\nlives O\n{1}\n\n"
    path.write_text("".join(sentence.format(n, "here O\n" * (n % 9) + ". O") for n in range(400)))

    check_shards([path], 4)
    lines = [
        line for index in range(4) for row in read([path], Shard(index, 4))[0] for line in row.lines
    ]
    assert "".join(lines) == path.read_text()


def test_whole_files_are_shared_out(tmp_path):
    for number in range(60):
        (tmp_path / f"{number:02}.txt").write_text("a text\n" * 100)

    sizes = check_shards([tmp_path], 3, whole_files=True)

    assert min(sizes) > 5


def test_other_encodings(tmp_path):
    path = tmp_path / "rows.csv"
    text = "text,id\n" + "".join(f'"né ""{n}""\n, {n}",{n}\n' for n in range(900))
    for encoding in ("latin-1", "utf-16", "shift_jis", "iso2022_jp"):
        path.write_bytes(
            text.replace("é", "\u3042" if "jis" in encoding or "jp" in encoding else "é").encode(
                encoding
            )
        )

        check_shards([path], 3, encoding=encoding)


def test_a_byte_order_mark_a_separator_line_and_a_long_header(tmp_path):
    path = tmp_path / "rows.csv"
    header = '"te\nxt";"' + "long\n" * 2000 + '"\n'
    path.write_bytes(b"\xef\xbb\xbfsep=;\n" + header.encode() + b'"a\nb";c\n' * 3000)

    check_shards([path], 5, text_column="te\nxt")


def test_a_shard_that_goes_on_has_the_rest_of_its_rows(tmp_path):
    path = jsonl(tmp_path / "rows.jsonl", 5000)
    whole, _ = read([path], Shard(1, 3))
    first = open_rows([str(path)])
    first.take(Shard(1, 3))
    first.keep_marks()
    for _, row in zip(range(900), first, strict=False):
        last = row
    mark = first.mark(900)
    first.close()
    second = open_rows([str(path)])
    second.take(Shard(1, 3))
    second.go_on(mark, 900)

    with second:
        rest = list(second)

    assert mark.rows > 500
    assert contents(rest) == contents(whole[900:])
    assert last.line == whole[899].line
    assert blocks(rest) == blocks(whole[900:])


def test_progress_of_a_shard_is_that_of_its_bytes(tmp_path):
    path = jsonl(tmp_path / "rows.jsonl", 5000)
    source = open_rows([str(path)])
    source.take(Shard(1, 2))

    assert source.bytes_read == 0
    assert source.bytes_total == path.stat().st_size - path.stat().st_size // 2
    with source:
        list(source)
    assert source.bytes_read >= source.bytes_total - 65536


def test_what_has_no_place_in_files_has_no_shards(tmp_path):
    with pytest.raises(UsageError, match="`shard` needs files"):
        open_rows(texts=["a"]).take(Shard(0, 2))
    with pytest.raises(UsageError, match="`shard` needs files"):
        open_rows(["-"]).take(Shard(0, 2))
    with pytest.raises(UsageError, match="`limit` and `shard`"):
        open_rows([str(jsonl(tmp_path / "a.jsonl", 3))], limit=2).take(Shard(0, 2))
