import io

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distilcli.rows.delimited import Records, join, join_header

TEXTS = st.text(alphabet=st.sampled_from('ab",;\t|\r\n \0\ufeff\u2028é😀'), max_size=8)


def lines_of(text):
    return iter(line.decode() for line in text.encode().splitlines(keepends=True))


def records(text, delimiter=","):
    return list(Records(lines_of(text), delimiter, "f", stray_quotes=delimiter == "\t"))


def cells(text, delimiter=","):
    return [record.cells for record in records(text, delimiter)]


@st.composite
def tables(draw):
    width = draw(st.integers(1, 4))
    row = st.lists(TEXTS, min_size=width, max_size=width)
    return draw(st.lists(row, min_size=1, max_size=5))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@given(table=tables())
@example(table=[["a", "b"], ["x\ty\nz", "w"]])
@example(table=[["a", "b"], ["x\n", "w\ty"], ['"', '"']])
@example(table=[[""], ["\r"]])
def test_what_is_joined_is_read_back(delimiter, table):
    text = "".join(join(row, delimiter) for row in table)
    assert cells(text, delimiter) == table


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_headers_are_read_back(names):
    assert cells(join_header(names, ","), ",") == [names]


def test_plain_cells_are_not_quoted():
    assert join(["a b", "it's", ""], ",") == "a b,it's,\n"
    assert join(["a,b", 'say "x"', "c\rd"], ",") == '"a,b","say ""x""","c\rd"\n'


def test_lines_where_records_begin():
    assert [record.line for record in records('a\n"b\n\nc"\n\nd\n')] == [1, 2, 6]


def test_content_after_a_closing_quote_is_kept_as_written():
    assert cells('a,b\n"x, y" they say,1\n"p"q"r,s\n') == [
        ["a", "b"],
        ['"x, y" they say', "1"],
        ['"p"q"r', "s"],
    ]


def test_quotes_within_a_cell_are_content():
    assert cells('a,b\nx "y" z, "w"\n') == [["a", "b"], ['x "y" z', ' "w"']]


# Tab-separated files with stray quotes

STRAY = [
    ['"then it was over', "0"],
    ['"so" they say', "1"],
    ['5" by 7"', '"'],
    ['ends with one"', "0"],
    ['""', "x"],
    ['"""', "y"],
    ['"oh, you', 'person!"'],
]


@pytest.mark.parametrize("row", STRAY)
def test_stray_quotes_merge_no_rows_and_lose_nothing(row):
    text = "text\tlabel\nfirst\t1\n" + "\t".join(row) + "\nnext\t0\nlast\t1\n"
    got = cells(text, "\t")
    assert [got[1], *got[3:]] == [["first", "1"], ["next", "0"], ["last", "1"]]
    expected = ["", "x"] if row[0] == '""' else row
    assert got[2] == expected


def test_a_file_full_of_stray_quotes_keeps_its_rows():
    rows = [row for row in STRAY if row[0] != '""'] * 3
    text = "".join("\t".join(row) + "\n" for row in [["text", "label"], *rows])
    assert cells(text, "\t") == [["text", "label"], *rows]


def test_lines_are_counted_right_after_a_stray_quote():
    got = records('a\tb\n"x\t0\ny\t1\nz\t2\n', "\t")
    assert [record.line for record in got] == [1, 2, 3, 4]


def test_quoted_cells_of_a_tab_separated_file():
    text = 'a\tb\n"x\ty"\t"say ""z"""\n"two\nlines"\t1\nlast\t2\n'
    assert cells(text, "\t") == [
        ["a", "b"],
        ["x\ty", 'say "z"'],
        ["two\nlines", "1"],
        ["last", "2"],
    ]


def test_a_stray_quote_is_content_however_far_the_next_one_is(monkeypatch):
    monkeypatch.setattr("distilcli.rows.delimited.LONGEST", 100)
    text = 'a\tb\n"x\t0\n' + "y\t1\n" * 100 + 'z"\t"2"\n'
    assert len(cells(text, "\t")) == 103


@pytest.mark.parity
def test_agrees_with_pandas():
    text = 'id,text,n\n007,"a, ""b""\r\nc",1e5\nNA, d ,\n"","é😀\n\n",x\n'
    frame = pd.read_csv(io.StringIO(text, newline=""), dtype=str, keep_default_na=False)
    assert cells(text) == [list(frame.columns), *frame.to_numpy().tolist()]


@pytest.mark.parametrize(
    "line",
    [
        '5" screen\tx\n',
        '"Great" film\tx\n',
        'a 3" and a 5"\t6"\n',
        '"a" or "b\t1\n',
        '"good film\tx\n',
        '1\t"and so on\n',
        '"\t"\n',
    ],
)
def test_quotes_of_a_file_without_quoting_are_written_as_they_were_read(line):
    (record,) = Records(iter([line]), "\t", "a.tsv", stray_quotes=True)
    assert join(record.cells, "\t") == line


def test_quotes_that_would_be_taken_for_quoting_are_doubled():
    assert join(['"', "x"], "\t") == '""""\tx\n'
    assert join(['"whole"', 'b"'], "\t") == '"""whole"""\tb"\n'
    assert join(['5"', "x"], ",") == '"5""",x\n'


def test_a_file_without_quoting_stays_without_when_columns_are_added():
    lines = ["text\tn\n", '"open\t1\n', "b\t2\n", 'c"\t"3\n', '"d"e\t"\n', '"\t"5"6\n']
    read = list(Records(iter(lines), "\t", "a.tsv", stray_quotes=True))
    written = [join([*record.cells, "0.5"], "\t") for record in read]
    assert written == [line.replace("\n", "\t0.5\n") for line in lines]
    again = Records(iter(written), "\t", "b.tsv", stray_quotes=True)
    assert [each.cells[:2] for each in again] == [each.cells for each in read]


@given(st.lists(st.lists(st.text('a"', max_size=4), min_size=2, max_size=2), min_size=1))
def test_any_file_without_line_ends_in_cells_is_read_back_with_a_column_more(rows):
    text = "".join("\t".join(row) + "\n" for row in [["h", "h"], *rows])
    read = cells(text, "\t")
    if len(read) == len(rows) + 1:  # or its quotes do look like quoting
        written = "".join(join([*row, "x"], "\t") for row in read)
        assert cells(written, "\t") == [[*row, "x"] for row in read]


def test_quotes_of_tab_separated_cells_that_are_content_are_quoted_in_csv():
    (record,) = Records(iter(['"a\tb\n']), "\t", "a.tsv", stray_quotes=True)
    assert join(record.cells, ",") == '"""a",b\n'


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (["1", "two\nlines", "0.5"], '1\t"two\nlines"\t0.5\n'),
        (["1", "0.5", "two\r\nlines"], '1\t0.5\t"two\r\nlines"\n'),
        (['5"', "a\nb", "x"], '"5"""\t"a\nb"\tx\n'),
        (["1", "a\nb\tc"], '"1"\t"a\nb\tc"\n'),  # or these would be two rows
    ],
)
def test_a_line_end_quotes_only_the_cells_that_need_it(row, line):
    assert join(row, "\t") == line
    assert cells("\t".join("abc"[: len(row)]) + "\n" + line + line, "\t")[1:] == [row, row]


def test_a_text_of_several_lines_in_the_last_column_is_one_cell():
    text = 'id\ttext\n1\t"two\nlines"\n2\t"three\n\nlines, ""so"""\n3\t"open\n4\tend"\n'
    assert cells(text, "\t")[1:] == [
        ["1", "two\nlines"],
        ["2", 'three\n\nlines, "so"'],
        ["3", '"open'],
        ["4", 'end"'],
    ]
