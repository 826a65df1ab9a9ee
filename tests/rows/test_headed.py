import pytest

from distilcli.rows import cell_text, open_rows


@pytest.fixture
def file(tmp_path):
    """Write text to a file and give its path."""

    def write(name, content):
        (tmp_path / name).write_text(content)
        return str(tmp_path / name)

    return write


def notes(path, **settings):
    """Return the notes on a file after its rows were read, without its path."""
    with open_rows([path], **settings) as source:
        rows = list(source)
        found = [note.removeprefix(path) for note in source.new_notes()]
        assert source.new_notes() == []
    assert all(row.error is None for row in rows)
    return found


@pytest.mark.parametrize(
    ("name", "header", "expected"),
    [
        ("a.csv", "text,text,id", [": 2 columns are named 'text'; the first one is read"]),
        ("a.tsv", "a\tid\tid\tid\ta", [
            ": 2 columns are named 'a'; the first one is read",
            ": 3 columns are named 'id'; the first one is read",
        ]),
        ("a.csv", "text,Text,id", []),
        ("a.csv", ",text,,", []),
    ],
)  # fmt: skip
def test_columns_of_one_name_get_a_note(file, name, header, expected):
    assert notes(file(name, f"{header}\n")) == expected
    assert notes(file(name, f"{header}\n"), no_header=True) == []


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_surplus_cells_that_are_empty_get_one_note(file, name):
    comma = "," if name == "a.csv" else "\t"
    content = f"text{comma}n\na{comma}1{comma}\nb{comma}2{comma}{comma}\n"
    expected = ": rows have more cells than {}; the surplus ones are empty and ignored"
    assert notes(file(name, content)) == [expected.format("the header")]
    rest = content.partition("\n")[2]
    assert notes(file(name, rest.replace(f"1{comma}\n", "1\n")), no_header=True) == [
        expected.format("the first row")
    ]


def test_each_of_several_files_has_its_own_notes_once(file):
    paths = [file(name, "text,text\n") for name in ("a.csv", "b.csv")]
    with open_rows(paths) as source:
        assert source.columns == ("text", "text")
        first = source.new_notes()
        list(source)
        assert [note.partition(":")[0] for note in (*first, *source.new_notes())] == paths


@pytest.mark.parametrize(
    ("header", "is_noted"),
    [
        ("I love this film", True),
        ("A long line, in quotes, of a film that nobody saw", True),
        ("text", False),
        ("Review Text", False),
    ],
)
def test_a_single_column_whose_header_may_be_a_row(file, header, is_noted):
    expected = [": line 1 is read as the header; if it is a row, set `no_header`"]
    assert notes(file("a.csv", f'"{header}"\nfine\n')) == (expected if is_noted else [])
    assert notes(file("a.csv", f'"{header}"\nfine\n'), no_header=True) == []


@pytest.mark.parametrize(
    ("join", "expected"), [(None, ["T B", "B", "T"]), (" | ", ["T | B", "B", "T"])]
)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "title,id,body\nT,1,B\n,2,B\nT,3,\n"),
        ("a.jsonl", '{"title":"T","body":"B"}\n{"body":"B"}\n{"title":"T","body":null}\n'),
    ],
)
def test_several_text_columns_are_joined(file, name, content, join, expected):
    with open_rows([file(name, content)], text_column="title,body", join=join) as source:
        assert [cell_text(row, source.text_column) for row in source] == expected


@pytest.mark.parametrize(("header", "delimiter"), [("text,label,", ","), ("text;label;;", ";")])
def test_a_delimiter_at_the_end_of_the_header_alone_loses_no_row(file, header, delimiter):
    path = file("a.csv", f"{header}\nfine{delimiter}1\n")
    assert notes(path) == []
    with open_rows([path]) as source:
        (row,) = source
    assert row.cells == ["fine", "1", *[""] * (header.count(delimiter) - 1)]
