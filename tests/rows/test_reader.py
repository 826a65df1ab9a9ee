import codecs
import contextlib
import gzip
import io
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.errors import InputError, UsageError
from distilcli.rows import open_rows
from distilcli.rows.lines import LONGEST


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Write bytes (or text as UTF-8) to a file of the working folder and give its name."""
    monkeypatch.chdir(tmp_path)

    def write(name, content):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return name

    return write


def read(*paths, **settings):
    with open_rows(paths, **settings) as source:
        return list(source)


def cells(*paths, **settings):
    rows = read(*paths, **settings)
    assert [row.error for row in rows] == [None] * len(rows)
    return [row.cells for row in rows]


def pipe_in(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))


# What there is to read


def test_cells_are_text_as_they_stand(file):
    name = file("a.csv", "id,text,score\n007,NA,1e5\n,null, x \n")
    assert cells(name) == [["007", "NA", "1e5"], ["", "null", " x "]]


def test_rows_know_their_place(file):
    rows = read(file("a.csv", 'text,label\n\n"two\r\nlines",x\nlast,y\n'))
    assert [(row.source, row.line, row.cells[0]) for row in rows] == [
        ("a.csv", 3, "two\r\nlines"),
        ("a.csv", 5, "last"),
    ]
    assert rows[0].columns == ("text", "label")
    assert rows[0].columns is rows[1].columns


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "a.csv: no such file"),
        ("", "a.csv: is empty"),
        (codecs.BOM_UTF8, "a.csv: is empty"),
        ("\n\n", "a.csv: holds blank lines only"),
    ],
)
def test_nothing_to_read_is_an_input_error(file, content, message):
    name = "a.csv" if content is None else file("a.csv", content)
    with pytest.raises(InputError, match=message):
        read(name)


def test_a_header_alone_is_no_error(file):
    with open_rows([file("a.csv", "text,label\n")]) as source:
        assert source.columns == ("text", "label")
        assert list(source) == []


@pytest.mark.parametrize("url", ["https://example.org/a.csv?x=1", "ftp://example.org/a.csv"])
def test_a_url_is_refused_with_a_way_out(url):
    with pytest.raises(InputError) as caught:
        open_rows([url])
    assert str(caught.value) == (
        f"{url}: URLs are not read; pipe it in: curl -sL '{url}' | distil COMMAND -"
    )


def test_a_folder_is_refused_with_a_way_out(tmp_path):
    with pytest.raises(InputError, match=r"is a folder; name its files"):
        open_rows([str(tmp_path)])


def test_every_path_is_checked_before_the_first_row(file):
    good = file("good.csv", "text\na\n")
    with pytest.raises(InputError, match=r"missing\.csv"):
        open_rows([good, "missing.csv"])


def test_globs_are_expanded_in_order(file):
    for name in ("b.csv", "a.csv", "c.csv"):
        file(name, f"text\n{name}\n")
    assert cells("*.csv") == [["a.csv"], ["b.csv"], ["c.csv"]]
    with pytest.raises(InputError, match=r"\*\.tsv: no file matches"):
        open_rows(["*.tsv"])


def test_a_name_with_glob_signs_is_a_name_if_it_exists(file):
    assert cells(file("a[1].csv", "text\nx\n")) == [["x"]]


def test_texts_are_rows():
    source = open_rows([], texts=["one", "two\nlines"])
    assert source.text_column == "text"
    assert source.bytes_total is None
    assert [(row.source, row.line, row.cells) for row in source] == [
        ("`texts`", 1, ["one"]),
        ("`texts`", 2, ["two\nlines"]),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"paths": []}, "`texts`"),
        ({"paths": ["-"], "texts": ["a"]}, "do not go together"),
        ({"texts": ["a"], "delimiter": ","}, "are for files"),
        ({"texts": ["a"], "no_header": True}, "are for files"),
        ({"texts": ["a"], "input_format": "csv"}, "are for files"),
        ({"paths": ["-", "-"]}, "only once"),
        ({"paths": ["-"], "encoding": "utf-9"}, "`encoding` 'utf-9'"),
        ({"paths": ["-"], "encoding": "rot13"}, "`encoding` 'rot13'"),
        ({"paths": ["-"], "delimiter": "::"}, "one character"),
        ({"paths": ["-"], "input_format": "ods"}, "csv, tsv, jsonl, json, txt"),
    ],
)
def test_settings_that_cannot_be_meant(arguments, message):
    with pytest.raises(UsageError, match=message):
        open_rows(**arguments)


def test_an_unknown_suffix_names_the_way_out(file):
    name = file("reviews.dat", "text\na\n")
    with pytest.raises(UsageError, match="`input_format`"):
        open_rows([name])
    assert cells(name, input_format="csv") == [["a"]]


def test_nothing_is_opened_before_it_is_needed(file, monkeypatch):
    file("a.csv", "text\na\n")
    source = open_rows(["a.csv"])
    Path("a.csv").unlink()
    with pytest.raises(InputError, match=r"a\.csv: cannot be opened"):
        list(source)


# Delimited text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_mark(file, end, mark):
    name = file("a.csv", f'{mark}text,n{end}"a{end}b",1{end}{end}\u2028\x0b\x85c,2')
    assert cells(name) == [[f"a{end}b", "1"], ["\u2028\x0b\x85c", "2"]]
    assert open_rows([name]).columns == ("text", "n")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp1252", "utf-8-sig"])
def test_encodings(file, encoding):
    name = file("a.csv", "text,n\ncafé,1\n".encode(encoding))
    assert cells(name, encoding=encoding) == [["café", "1"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_sniffed_from_the_header(file, delimiter):
    name = file("a.csv", f'"a,;|b"{delimiter}text\n1{delimiter}x\n')
    with open_rows([name]) as source:
        assert source.delimiter == delimiter
        assert [row.cells for row in source] == [["1", "x"]]


def test_the_delimiter_can_be_given(file):
    name = file("a.csv", "te,xt:n\na,b:1\n")
    assert cells(name, delimiter=":") == [["a,b", "1"]]
    assert cells(file("b.tsv", "text\tn\na\t1\n"), delimiter="\\t") == [["a", "1"]]


def test_without_header_columns_are_numbers(file):
    with open_rows([file("a.tsv", "x\t0\ny\t1\n")], no_header=True, text_column="1") as source:
        assert source.columns == ("1", "2")
        assert source.text_column == "1"
        assert [row.cells for row in source] == [["x", "0"], ["y", "1"]]


def test_long_cells_and_nul_bytes(file):
    long = "x" * 1_000_000
    assert cells(file("a.csv", f'text,n\n{long},1\n"{long}\n\0",2\n')) == [
        [long, "1"],
        [f"{long}\n\0", "2"],
    ]


def test_ragged_rows_are_marked_and_lose_nothing(file):
    few, many, good = read(file("a.csv", "text,label\nfew\na,b,c,d\nx,y\n"))
    assert few.cells == ["few", ""]
    assert few.error == "a.csv: line 2: 1 cell where the header has 2"
    assert many.cells == ["a", "b"]
    assert many.error is not None
    assert "line 3: 4 cells where the header has 2; quote cells that contain ','" in many.error
    assert "'c', 'd'" in many.error
    assert good.error is None


def test_an_unclosed_quote_names_line_and_column(file):
    good, bad = read(file("a.csv", 'n,text\n1,x\n2,"open\n3,y ""z""\n'))
    assert good.cells == ["1", "x"]
    assert bad.cells == ["2", 'open\n3,y "z"\n']
    assert bad.error == "a.csv: line 3, column 'text': a quote is opened and never closed"


def test_an_unclosed_quote_in_the_header_is_an_input_error(file):
    with pytest.raises(InputError, match="line 1, column 2: the header has a quote"):
        read(file("a.csv", 'text,"label\na,b\n'))


def test_an_endless_cell_names_the_line_where_it_began(file, monkeypatch):
    monkeypatch.setattr("distilcli.rows.delimited.LONGEST", 1000)
    with pytest.raises(InputError, match=r"a\.csv: line 3, column 2: .* never closed"):
        read(file("a.csv", 'n,text\n1,x\n2,"open\n' + "3,y\n" * 1000))


def test_a_line_without_end_is_an_input_error(file, monkeypatch):
    monkeypatch.setattr("distilcli.rows.lines.LONGEST", 1000)
    with pytest.raises(InputError, match=r"a\.txt: line 2 is longer"):
        read(file("a.txt", "a\n" + "x" * 2000))
    assert LONGEST > 131_072


def test_duplicate_and_empty_headers_keep_their_cells(file):
    with open_rows([file("a.csv", "text,,text,\n1,2,3,4\n")]) as source:
        assert source.columns == ("text", "", "text", "")
        assert source.text_column == "text"
        assert [row.cells for row in source] == [["1", "2", "3", "4"]]


# Wrong bytes


def test_an_invalid_byte_is_named_by_its_place(file):
    name = file("a.csv", b"text\nok\ncaf\xe9\n")
    with pytest.raises(InputError) as caught:
        read(name)
    assert str(caught.value) == (
        "a.csv: line 3: byte 4 of the line (0xe9) is not utf-8; "
        "if the file is not utf-8, try `encoding` cp1252"
    )
    assert cells(name, encoding="latin-1") == [["ok"], ["café"]]


def test_a_byte_order_mark_counts_among_the_bytes(file):
    with pytest.raises(InputError, match=r"line 1: byte 5 of the line \(0xff\)"):
        read(file("a.csv", codecs.BOM_UTF8 + b"a\xff\n"))


def test_utf_16_by_mistake_is_suggested(file):
    with pytest.raises(InputError, match="try `encoding` utf-16"):
        read(file("a.csv", "text\na\n".encode("utf-16")))


def test_broken_utf_16_names_the_line(file):
    with pytest.raises(InputError, match="line 3: byte 0x"):
        read(file("a.csv", "text\na\n".encode("utf-16") + b"\x00\xdc\x00"), encoding="utf-16")
    with pytest.raises(InputError, match="try `encoding` utf-16-le"):
        read(file("b.csv", "text\na\n".encode("utf-16-le")), encoding="utf-16")


# Other formats


def test_txt_keeps_every_line_but_its_end(file):
    assert cells(file("a.txt", ' a \n\n"b", c\r\nlast')) == [[" a "], [""], ['"b", c'], ["last"]]


def test_jsonl_rows_keep_raw_text_and_numbers(file):
    text = ' {"text": "a", "n": 1.0, "m": 12345678901234567890123, "e": [1e5, null]} '
    (row,) = read(file("a.jsonl", f"\n{text}\r\n\n"))
    assert row.columns == ("text", "n", "m", "e")
    assert row.cells == ["a", "1.0", "12345678901234567890123", ["1e5", None]]
    assert (row.raw, row.line) == (text, 2)


def test_broken_json_lines_are_marked(file):
    rows = read(file("a.ndjson", '{"text": "a"}\n{"text": }\n[1]\n' + "[" * 100_000))
    assert [row.error for row in rows] == [
        None,
        "a.ndjson: line 2, column 10: broken JSON: Expecting value",
        "a.ndjson: line 3: a JSON object is expected, not an array",
        "a.ndjson: line 4: JSON nested more than 100 deep",
    ]
    assert rows[1].cells == ['{"text": }']


def test_faulty_lines_before_the_first_object_are_kept(file):
    with open_rows([file("a.jsonl", 'oops\n{"text": "a"}\n')]) as source:
        assert source.columns == ("text",)
        assert [row.error is None for row in source] == [False, True]


def test_a_file_that_is_not_jsonl_is_an_input_error(file):
    with pytest.raises(InputError, match=r"a\.jsonl: line 1, column 1: .* 99 lines after it"):
        read(file("a.jsonl", "no json here\n" * 200))


# Choosing the column


@pytest.mark.parametrize(
    ("header", "wanted", "chosen"),
    [
        ("id,Review,label", None, "Review"),
        ("body,sentence", None, "sentence"),
        ("whatever", None, "whatever"),
        ("a,text,b", "b", "b"),
    ],
)
def test_text_column(file, header, wanted, chosen):
    source = open_rows([file("a.csv", f"{header}\n")], text_column=wanted)
    with source:
        assert source.text_column == chosen


def test_no_such_column_lists_and_suggests(file):
    source = open_rows([file("reviews.csv", "text,label\n")], text_column="txet")
    with pytest.raises(InputError) as caught:
        _ = source.text_column
    assert str(caught.value) == (
        "no column 'txet' in reviews.csv; did you mean 'text'? (columns: text, label)"
    )
    source = open_rows([file("b.csv", "x,y\n")])
    with pytest.raises(InputError, match=r"name it with `text_column` \(columns: x, y\)"):
        _ = source.text_column


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        (
            "a.tsv",
            f"{'Oil and economy cloud outlook,' * 9}\tSci/Tech",
            "`no_header` and `text_column` 1 (columns: Oil and economy cloud outlook,Oil",
        ),
        ("a.tsv", "a whole article\tSci/Tech", "`no_header` and `text_column` 1 (columns: a whole"),
        ("a.csv", "3,good fun", "`no_header` and `text_column` 2 (columns: 3, good fun)"),
        ("a.csv", "-0.5;good fun", "`no_header` and `text_column` 2 (columns: -0.5, good fun)"),
    ],
)
def test_a_header_that_looks_like_a_row_is_hinted_at(file, name, line, expected):
    with (
        open_rows([file(name, f"{line}\n{line}\n")]) as source,
        pytest.raises(InputError) as caught,
    ):
        _ = source.text_column
    assert f"name it with `text_column`, or if line 1 is a row: {expected}" in str(caught.value)


@pytest.mark.parametrize("settings", [{"no_header": True}, {}])
def test_columns_that_are_names_hint_at_no_missing_header(file, settings):
    header = "1,2" if settings else "id,verdict"
    source = open_rows([file("a.csv", f"{header}\n")], **settings)
    with source, pytest.raises(InputError) as caught:
        _ = source.text_column
    assert "if line 1" not in str(caught.value)


def test_the_first_key_of_jsonl_is_not_taken_for_the_only_one(file):
    source = open_rows([file("a.jsonl", '{"id": 1}\n{"id": 2, "text": "great"}\n')])
    with pytest.raises(InputError, match=r"no text column found in a\.jsonl.*columns: id"):
        _ = source.text_column


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        (("a.csv", "review,n\nx,1\n"), ("b.txt", "y\n"), False),
        (("a.txt", "x\n"), ("b.csv", "review,n\nx,1\n"), False),
        (("a.jsonl", '{"review": "x"}\n'), ("b.csv", "text\ny\n"), False),
        (("a.csv", "text,n\nx,1\n"), ("b.txt", "y\n"), True),
        (("a.csv", "review,n\nx,1\n"), ("b.jsonl", '{"n": 1}\n'), True),
    ],
)
def test_every_file_must_have_the_text_column(file, first, second, fits):
    source = open_rows([file(*first), file(*second)])
    if fits:
        assert len(list(source)) == 2
        assert source.text_column
    else:
        with pytest.raises(InputError, match=f"{second[0]}: has no column"):
            _ = source.text_column


def test_a_dotted_column_of_jsonl(file):
    name = file("a.jsonl", '{"post": {"body": "a"}}\n')
    with open_rows([name], text_column="post.body") as source:
        assert source.text_column == "post.body"
        assert len(list(source)) == 1
    source = open_rows([name], text_column="past.body")
    with pytest.raises(InputError, match=r"no column 'past\.body'"):
        _ = source.text_column


# Several files


@pytest.mark.parametrize(
    ("header", "how"),
    [
        ("label,text", "has its columns in another order than a.csv"),
        ("text", "has no column 'label', unlike a.csv"),
        ("text,label,id", "has a column 'id', unlike a.csv"),
        ("text,label,label", "does not have each column as often as a.csv"),
    ],
)
def test_files_must_have_the_same_columns(file, header, how):
    names = [file("a.csv", "text,label\nx,y\n"), file("b.csv", f"{header}\n")]
    source = open_rows(names)
    with pytest.raises(InputError, match=f"b.csv: {how}"):
        next(iter(source))


def test_files_follow_one_another_and_are_counted(file):
    names = [file("a.csv", "text\n1\n"), file("b.tsv", "text\n2\n3\n")]
    with open_rows(names) as source:
        assert source.bytes_total == 16
        assert source.name == "a.csv and 1 more"
        assert [(row.source, row.cells) for row in source] == [
            ("a.csv", ["1"]),
            ("b.tsv", ["2"]),
            ("b.tsv", ["3"]),
        ]
        assert source.bytes_read == 16


def test_an_empty_file_among_others_is_found_at_once(file):
    names = [file("a.csv", "text\n1\n"), file("b.csv", "")]
    with pytest.raises(InputError, match=r"b\.csv: is empty"):
        open_rows(names)


def test_limit(file):
    assert len(read(file("a.csv", "text\n1\n2\n3\n"), limit=2)) == 2
    assert read("a.csv", limit=0) == []
    assert len(read("a.csv", limit=10**19)) == 3


@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "[x]" * 100 + ".csv", "a.csv/b.csv"])
def test_names_that_no_file_can_have(file, name):
    file("a.csv", "text\n")
    with pytest.raises(
        InputError, match=r"cannot be read: File name too long|no file matches|no such"
    ):
        open_rows([name])


def test_an_empty_name(file):
    with pytest.raises(UsageError, match="is empty"):
        open_rows([""])


# Streams


@pytest.mark.parametrize(
    ("content", "kind", "delimiter", "expected"),
    [
        ('{"text": "a, b"}\n', "jsonl", None, ["a, b"]),
        ("id\ttext\n1\ta, b\n", "tsv", "\t", ["1", "a, b"]),
        ("id,Comment\n1,a\n", "csv", ",", ["1", "a"]),
        ('id;"text"\n1;a\n', "csv", ";", ["1", "a"]),
        ("mine,b\n1,a\n", "csv", ",", ["1", "a"]),
        (",text\n0,a\n", "csv", ",", ["0", "a"]),
        ("no text, only a sentence\n", "txt", None, ["no text, only a sentence"]),
        ("Content, I think\n", "txt", None, ["Content, I think"]),
        ("text,and more,\n", "txt", None, ["text,and more,"]),
        ("text,and,and\n", "txt", None, ["text,and,and"]),
        (f"text,{'x' * 41}\n", "txt", None, [f"text,{'x' * 41}"]),
    ],
)
def test_standard_input_is_sniffed(monkeypatch, content, kind, delimiter, expected):
    pipe_in(monkeypatch, content)
    source = open_rows(["-"], text_column="mine")
    assert (source.format, source.delimiter) == (kind, delimiter)
    (row,) = source
    assert (row.cells, row.source) == (expected, "stdin")
    assert source.bytes_total is None
    assert source.bytes_read == len(content)


def test_standard_input_without_header_is_a_table(monkeypatch):
    pipe_in(monkeypatch, "a\t1\nb\t2\n")
    source = open_rows(["-"], no_header=True)
    assert source.columns == ("1", "2")
    assert len(list(source)) == 2


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (["text,n\n", "a,1\n", '"b\nc",2\n'], {"input_format": "csv"}),
        (["text\tn\n", "a\t1\n", '"b" said\t2\n'], {}),
        (['{"text": 1}\n', '{"text": 2}\n'], {}),
        (["a sentence\r\n", "another one\r\n"], {}),
    ],
)
def test_rows_of_a_live_pipe_come_as_soon_as_their_line(monkeypatch, lines, options):
    """The writer sends a line only after the row before it was received, or gives up."""
    reading, writing = os.pipe()
    received = threading.Semaphore(0)
    answered = []
    has_header = lines[0].startswith("text")

    def send():
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for number, line in enumerate(lines):
                pipe.write(line.encode())
                if not (has_header and number == 0):
                    answered.append(received.acquire(timeout=20))

    thread = threading.Thread(target=send)
    monkeypatch.setattr(sys, "stdin", os.fdopen(reading))
    thread.start()
    count = 0
    for _ in open_rows(["-"], **options):
        count += 1
        received.release()
    thread.join()
    sys.stdin.close()
    assert count == len(lines) - has_header
    assert all(answered)


def test_a_named_pipe_is_read_like_standard_input(tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    thread = threading.Thread(target=fifo.write_text, args=("text,n\na,1\n",))
    thread.start()
    with open_rows([str(fifo)]) as source:
        assert [row.cells for row in source] == [["a", "1"]]
    thread.join()


# Anything


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "txt"])
@settings(max_examples=60)
@given(
    data=st.one_of(
        st.binary(max_size=30),
        st.text(alphabet=st.sampled_from('{}[]":,;\t\r\n \\u1ea\0\ufeff'), max_size=40).map(
            str.encode
        ),
    )
)
def test_any_bytes_give_rows_or_one_line_of_error(kind, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        source = open_rows(["-"], input_format=kind)
        rows, message = [], ""
        try:
            rows.extend(source)
        except InputError as error:
            message = str(error)
    assert all(len(row.cells) == len(row.columns) for row in rows)
    assert not any("\n" in text for text in [message, *(row.error or "" for row in rows)])


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
@pytest.mark.parametrize("settings", [{"delimiter": ";"}, {"no_header": True}])
def test_what_is_said_of_tables_is_refused_for_other_formats(tmp_path, name, settings):
    (tmp_path / name).write_text('{"text": "a;b"}\n')
    with pytest.raises(UsageError, match="are for csv and tsv"):
        list(open_rows([str(tmp_path / name)], **settings))


def test_a_stream_is_known_as_one(tmp_path):
    (tmp_path / "a.txt").write_text("a\n")
    assert open_rows(["-"]).is_stream
    assert not open_rows([str(tmp_path / "a.txt")]).is_stream
    assert not open_rows(texts=["a"]).is_stream


@pytest.mark.skipif(os.name == "nt", reason="no such pipes there")
def test_a_pipe_that_was_made_non_blocking_is_waited_for(monkeypatch):
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with os.fdopen(reader) as stdin, os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdin", stdin)
        timer = threading.Timer(0.1, lambda: (pipe.write("good\nbad\n"), pipe.close()))
        timer.start()
        assert [row.cells for row in open_rows(["-"])] == [["good"], ["bad"]]
        timer.join()


@pytest.mark.skipif(os.name == "nt", reason="no such pipes there")
def test_a_named_pipe_can_be_closed_while_somebody_waits_for_it(tmp_path):
    path = tmp_path / "a.txt"
    os.mkfifo(path)
    source = open_rows([str(path)])

    def read() -> None:
        with contextlib.suppress(Exception):
            next(iter(source))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    with path.open("w"):
        time.sleep(0.1)
        source.close()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t")])
def test_surplus_cells_that_are_empty_are_ignored(file, name, delimiter):
    lines = ["text,label", "good,1,", "bad,0,,", "dull,2"]
    content = "\n".join(lines).replace(",", delimiter)
    assert cells(file(name, content)) == [["good", "1"], ["bad", "0"], ["dull", "2"]]


def test_surplus_cells_with_content_are_an_error(file):
    (row,) = read(file("a.csv", "text,label\ngood,1,,x\n"))
    assert "4 cells where the header has 2" in row.error


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;\r"])
def test_the_delimiter_that_a_spreadsheet_names_is_used(file, monkeypatch, line):
    content = f"{line}\ntext;label\na, b | c, d;1\n"
    rows = read(file("a.csv", content))
    assert [(row.line, row.columns, row.cells) for row in rows] == [
        (3, ("text", "label"), ["a, b | c, d", "1"])
    ]
    pipe_in(monkeypatch, content)
    assert cells("-") == [["a, b | c, d", "1"]]


def test_a_named_delimiter_may_be_a_tab_and_yields_to_the_setting(file):
    assert cells(file("a.csv", "sep=\t\ntext\tn\na,b\t1\n")) == [["a,b", "1"]]
    assert cells(file("b.csv", "sep=;\ntext|n\na;b|1\n"), delimiter="|") == [["a;b", "1"]]


@pytest.mark.parametrize(
    ("name", "header"),
    [("a.csv", " text , label"), ("a.tsv", "Text \t label "), ("b.csv", "n,\ttext")],
)
def test_blanks_around_the_names_of_columns_do_not_hide_them(file, name, header):
    with open_rows([file(name, f"{header}\n")]) as source:
        assert source.text_column.strip().lower() == "text"
    if "label" in header:
        with open_rows([file(name, f"{header}\n")], text_column="label") as source:
            assert source.text_column in source.columns
    source = open_rows([file(name, f"{header}\n")], text_column="x")
    with source, pytest.raises(InputError, match=r"columns: .*'.*'"):
        _ = source.text_column


def test_a_workbook_under_another_name_is_named(file):
    for name in ("a.csv", "a.txt", "a.jsonl"):
        source = open_rows([file(name, b"PK\x03\x04\x14\x00\x06\x00")])
        with source, pytest.raises(InputError, match="archive that is damaged or cut off"):
            list(source)


# Whole files, and the names of files


def test_whole_files_are_rows(file):
    file("a.txt", "one\ntwo\n")
    file("b.csv", "text,x\r\na,b")
    file("empty.txt", "")
    rows = read("a.txt", "b.csv", "empty.txt", whole_files=True)
    assert [list(row.cells) for row in rows] == [
        ["one\ntwo\n", "a.txt"],
        ["text,x\r\na,b", "b.csv"],
        ["", "empty.txt"],
    ]
    assert rows[0].columns == ("text", "file")
    assert open_rows(["a.txt"], whole_files=True).text_column == "text"
    named = read("*.txt", whole_files=True, file_column="path", limit=1)
    assert [(row.columns, row.cells) for row in named] == [
        (("text", "path"), ["one\ntwo\n", "a.txt"])
    ]


def test_a_folder_stands_for_its_files(file, tmp_path):
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / ".hidden").mkdir()
    for name in ("b.md", "a.txt", "sub/c.txt.gz", ".d.txt", ".hidden/e.txt"):
        content = gzip.compress(b"packed") if name.endswith("gz") else name.encode()
        file(f"docs/{name}", content)
    rows = read("docs/", whole_files=True)
    assert [list(row.cells) for row in rows] == [
        ["a.txt", "docs/a.txt"],
        ["b.md", "docs/b.md"],
        ["packed", "docs/sub/c.txt.gz"],
    ]
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="nothing: is a folder without files"):
        open_rows(["nothing"], whole_files=True)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a\n\xff\n", "line 2: byte 1"),
        (b"a\0b", "holds NUL characters"),
        (b"\x1f\x8bnot gzip", "bad.txt.gz"),
        (b"\x89PNG\r\n\x1a\n", "bad.txt: is an image; give texts"),
        (b"\xff\xd8\xff\xe0\0", "bad.txt: is an image; give texts"),
        (b"%PDF-1.4\n", "bad.txt: is a PDF; save its text first"),
        (b"\x7fELF\0\0\xff", "bad.txt: is binary, not text"),
    ],
)
def test_a_whole_file_that_is_no_text_is_a_faulty_row(file, content, why):
    name = file("bad.txt.gz" if content.startswith(b"\x1f") else "bad.txt", content)
    file("good.txt", "fine")
    bad, good = read(name, "good.txt", whole_files=True)
    assert why in bad.error
    assert bad.cells == ["", name]
    assert (good.error, good.cells) == (None, ["fine", "good.txt"])


def test_a_whole_file_has_a_largest_size(file, monkeypatch):
    monkeypatch.setattr("distilcli.rows.whole_files.LONGEST", 9)
    (row,) = read(file("a.txt", "line\n" * 3), whole_files=True)
    assert "is longer than" in row.error


def test_standard_input_may_be_one_row(monkeypatch):
    pipe_in(monkeypatch, "one\ntwo\n")
    assert cells("-", whole_files=True) == [["one\ntwo\n", "stdin"]]


def test_rows_may_have_the_name_of_their_file(file):
    file("a.csv", "id,text\n1,x\n2\n")
    file("b.csv", "id,text\n3,y\n")
    rows = read("a.csv", "b.csv", file_column="from")
    assert [row.cells for row in rows] == [
        ["1", "x", "a.csv"],
        ["2", "", "a.csv"],
        ["3", "y", "b.csv"],
    ]
    assert rows[1].error
    assert rows[0].columns == ("id", "text", "from")
    assert rows[0].columns is rows[1].columns
    with open_rows(["a.csv", "b.csv"], file_column="from") as source:
        assert source.columns == ("id", "text", "from")


def test_json_rows_keep_their_text_beside_the_name_of_their_file(file):
    file("a.jsonl", '{"text":  1.50}\n{}\nno\n{"file": 1}\n')
    rows = read("a.jsonl", file_column="file")
    assert [row.raw for row in rows[:2]] == [
        '{"text":  1.50, "file": "a.jsonl"}',
        '{"file": "a.jsonl"}',
    ]
    assert rows[2].cells == ["no", "a.jsonl"]
    assert rows[3].error == "a.jsonl: has a column 'file' already; give another `file_column`"
    assert rows[3].raw == '{"file": 1}'
    empty = open_rows([file("b.jsonl", "no\n")], file_column="file")
    assert empty.text_column == "text"


def test_sentences_may_have_the_name_of_their_file(file):
    file("a.conll", "Tim B-PER\nran O\n")
    (row,) = read("a.conll", file_column="file")
    assert row.columns[-1] == "file"
    assert row.cells[-1] == "a.conll"
    assert row.words == ["Tim", "ran"]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"texts": ["a"], "file_column": "f"}, "`file_column` is for files, not `texts`"),
        ({"texts": ["a"], "whole_files": True}, "`whole_files` is for files"),
        (
            {"paths": ["a.csv"], "whole_files": True, "delimiter": ";"},
            "are for files, not `whole_files`",
        ),
        (
            {"paths": ["a.csv"], "whole_files": True, "input_format": "csv"},
            "are for files, not `whole_files`",
        ),
        (
            {"paths": ["a.csv"], "whole_files": True, "no_header": True},
            "are for files, not `whole_files`",
        ),
    ],
)
def test_settings_of_files_that_have_no_effect(settings, why):
    with pytest.raises(UsageError) as caught:
        open_rows(**settings)
    assert why in str(caught.value)


def test_a_file_column_hides_no_other(file):
    file("a.csv", "text,file\nx,y\n")
    with pytest.raises(UsageError, match=r"a\.csv: has a column 'file' already; give another"):
        read("a.csv", file_column="file")


def test_rows_that_are_not_wanted_are_left_out(file):
    with open_rows([file("a.csv", "text\na\nb\nc\nd\n")], limit=3) as source:
        source.keep(lambda row: row.cells != ["b"])
        assert [row.cells for row in source] == [["a"], ["c"]]


@pytest.mark.parametrize("text", ['["good film", "bad film"]', "[[1, 2], [3]]", "[1]\n"])
def test_an_array_of_values_is_no_line_of_text(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    with (
        open_rows(["-"]) as source,
        pytest.raises(InputError, match="is a JSON array of values; give objects"),
    ):
        _ = source.columns


def test_a_line_in_brackets_is_text(monkeypatch):
    text = "[sic] a film\n[chorus]\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    with open_rows(["-"]) as source:
        assert [row.cells for row in source] == [["[sic] a film"], ["[chorus]"]]


@pytest.mark.parametrize("suffix", ["csv", "txt", "jsonl", "csv.gz"])
@pytest.mark.parametrize("left", [0, 70_000])
def test_a_file_that_is_cut_while_it_is_read_is_told(file, suffix, left):
    line = '{"text": "%s"}\n' if suffix == "jsonl" else "%s\n"
    lines = "text\n" + "".join(line % os.urandom(500).hex() for _ in range(2_000))
    content = gzip.compress(lines.encode()) if suffix.endswith("gz") else lines
    name = file(f"a.{suffix}", content)
    size = Path(name).stat().st_size
    with open_rows([name]) as source:
        rows = iter(source)
        next(rows)
        os.truncate(name, left)
        message = rf"a.{suffix}: shrank from {size:,} to {left:,} bytes while it was read; run"
        with pytest.raises(InputError, match=message):
            list(rows)


def test_a_file_that_grows_or_is_replaced_while_it_is_read_is_read_on(file):
    name = file("a.txt", "one\n" * 100_000)
    with open_rows([name]) as source:
        rows = iter(source)
        next(rows)
        with Path(name).open("a") as more:
            more.write("two\n")
        Path("other").write_text("three\n")
        Path("other").replace(name)
        assert [row.cells for row in rows][-1] == ["two"]


@pytest.mark.parametrize("wanted", ["title,title", "title, title,body"])
def test_a_column_that_is_named_twice(file, wanted):
    path = file("a.csv", "title,body\nx,y\n")
    with open_rows([path], text_column=wanted) as source, pytest.raises(UsageError) as caught:
        _ = source.text_column
    assert str(caught.value) == f"the column 'title' is named twice in {wanted!r}"


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("docs/a.jsonl", "*.jsonl"), ("docs/k=1/a.tsv", "**/*.tsv"), ("docs/a.md", "*.csv")],
)
def test_the_files_of_a_folder_are_named_by_a_pattern(file, name, pattern):
    Path(name).parent.mkdir(parents=True)
    file(name, "text\n")
    with pytest.raises(InputError) as caught:
        open_rows(["docs"])
    assert str(caught.value) == f"docs: is a folder; name its files, such as 'docs/{pattern}'"


def test_json_in_utf_16(file):
    name = file("a.json", '[{"text": "ä"}]'.encode("utf-16"))
    assert cells(name, encoding="utf-16") == [["ä"]]


def test_utf_32_is_named(file):
    with pytest.raises(InputError, match="try `encoding` utf-32"):
        read(file("a.csv", "text\na\n".encode("utf-32")))


@pytest.mark.parametrize("header", ["Report,,", "Report"])
def test_a_title_above_a_header_is_named(file, header):
    name = file("a.csv", f"{header}\n\nid,text,n\n1,a,2\n")
    if "," in header:
        with pytest.raises(InputError, match="if line 1 is a title, delete the lines above the"):
            _ = open_rows([name]).text_column
    else:
        assert all("delete a title above the header" in row.error for row in read(name))
