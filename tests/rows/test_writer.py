import io
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilcli.errors import ResourceError, UsageError
from distilcli.rows import Row, check_destination, open_rows, open_writer
from distilcli.rows.row_writer import AddedNames, unique_names

TEXTS = st.text(alphabet=st.sampled_from('ab",;\t|\r\n \0\ufeff\u2028é😀'), max_size=8)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def convert(paths, destination, additions=lambda row: {}, *, new=(), block=2, **options):
    """Copy rows through reader and writer in blocks, with additions; return the writer."""
    with (
        open_rows(paths) as source,
        open_writer(
            destination,
            columns=source.columns,
            new_columns=new,
            input_format=source.format,
            delimiter=source.delimiter,
            **options,
        ) as writer,
    ):
        rows = [(row, additions(row)) for row in source]
        for start in range(0, len(rows), block):
            writer.write_rows(rows[start : start + block])
    return writer


def label(row):
    return {"label": "good", "score": 0.98765432}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# Formats


@pytest.mark.parametrize(
    ("destination", "content"),
    [
        ("out.csv", 'id,text,label,score\n007,"a, b",good,0.987654\n'),
        ("out.tsv", "id\ttext\tlabel\tscore\n007\ta, b\tgood\t0.987654\n"),
        ("out.jsonl", '{"id": "007", "text": "a, b", "label": "good", "score": 0.987654}\n'),
        ("out.json", '[\n{"id": "007", "text": "a, b", "label": "good", "score": 0.987654}\n]\n'),
    ],
)
def test_input_columns_first_then_the_new_ones(folder, destination, content):
    (folder / "in.csv").write_text('id,text\n007,"a, b"\n')
    convert(["in.csv"], destination, label, new=["label", "score"])
    assert (folder / destination).read_bytes().decode() == content


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("a;text\n1;x, y\n", "in.csv", "a;text;n\n1;x, y;0\n"),
        ("a\ttext\n1\tx\n", "in.tsv", "a\ttext\tn\n1\tx\t0\n"),
        ("x y\n", "in.txt", "text\tn\nx y\t0\n"),
        ('{"text":"x"} \n', "in.jsonl", '{"text":"x", "n": 0} \n'),
    ],
)
def test_a_pipe_gets_the_inputs_own_format(folder, content, name, expected):
    (folder / name).write_text(content)
    stream = io.StringIO()
    convert([name], stream, lambda row: {"n": 0}, new=["n"])
    assert stream.getvalue() == expected


def test_json_objects_keep_their_bytes(folder):
    lines = ["{ }", '{"a" :1.0, "b": [1E5 ,null]}\t', r'{"a": "\ud800 é \/"}', '{"a": 1, "a": 2}']
    (folder / "in.jsonl").write_text("".join(line + "\n" for line in lines))
    convert(["in.jsonl"], "out.jsonl", lambda row: {"n": None}, new=["n"])
    assert (folder / "out.jsonl").read_text().splitlines() == [
        '{ "n": null}',
        '{"a" :1.0, "b": [1E5 ,null], "n": null}\t',
        r'{"a": "\ud800 é \/", "n": null}',
        '{"a": 1, "a": 2, "n": null}',
    ]


def test_json_values_as_cells(folder):
    (folder / "in.jsonl").write_text(
        '{"s": "007", "n": 1.0, "z": null, "b": true, "o": {"k": [1, 2.50]}}\n'
    )
    convert(["in.jsonl"], "out.csv")
    assert (folder / "out.csv").read_text() == ('s,n,z,b,o\n007,1.0,,true,"{""k"":[1,2.50]}"\n')


def test_lone_surrogates_survive(folder):
    (folder / "in.jsonl").write_text('{"text": "a\\ud800b"}\n')
    convert(["in.jsonl"], "out.csv")
    assert (folder / "out.csv").read_text() == "text\na\\ud800b\n"
    row = Row(("text",), ["\ud800"], "f", 1)
    with open_writer("o.json", columns=("text",), new_columns=(), input_format="csv") as writer:
        writer.write_rows([(row, {})])
    assert json.loads((folder / "o.json").read_text()) == [{"text": "\ud800"}]


@pytest.mark.parametrize(
    ("destination", "content"),
    [
        ("o.csv", "id,text,label\n"),
        ("o.tsv", "id\ttext\tlabel\n"),
        ("o.jsonl", ""),
        ("o.json", "[]\n"),
    ],
)
def test_no_rows(folder, destination, content):
    (folder / "in.csv").write_text("id,text\n")
    convert(["in.csv"], destination, new=["label"])
    assert (folder / destination).read_text() == content


def test_equal_column_names_are_kept(folder):
    (folder / "in.csv").write_text("a,a,,\n1,2,3,4\n")
    convert(["in.csv"], "out.csv", lambda row: {"n": 0}, new=["n"])
    assert (folder / "out.csv").read_text() == "a,a,,,n\n1,2,3,4,0\n"
    convert(["in.csv"], "out.jsonl")
    assert json.loads((folder / "out.jsonl").read_text()) == {
        "a": "1",
        "a_2": "2",
        "": "3",
        "_2": "4",
    }


def test_broken_json_lines_go_out_with_their_text(folder):
    (folder / "in.jsonl").write_text('{"text": "a"}\noops\n')
    convert(["in.jsonl"], "out.jsonl", lambda row: {"error": row.error} if row.error else {})
    assert json.loads((folder / "out.jsonl").read_text().splitlines()[1]) == {
        "raw": "oops",
        "error": "in.jsonl: line 2, column 1: broken JSON: Expecting value",
    }


# Round trips


@pytest.mark.parametrize("chain", [["csv"], ["tsv"], ["jsonl"], ["jsonl", "csv"], ["tsv", "csv"]])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_table_of_texts_comes_back(folder, chain, data):
    width = data.draw(st.integers(1, 3))
    header = tuple(data.draw(st.lists(TEXTS, min_size=width, max_size=width, unique=True)))
    row = st.lists(TEXTS, min_size=width, max_size=width)
    table = data.draw(st.lists(row, min_size=1, max_size=4))
    with open_writer(
        "0.csv", columns=header, new_columns=(), input_format="csv", force=True
    ) as writer:
        writer.write_rows([(Row(header, cells, "f", 1), {}) for cells in table])
    name = "0.csv"
    for number, suffix in enumerate([*chain, "csv"], start=1):
        convert([name], f"{number}.{suffix}", force=True)
        name = f"{number}.{suffix}"
    with open_rows([name]) as source:
        assert source.columns == header
        assert [row.cells for row in source] == table


# Names


def test_a_clash_renames_all_new_columns(folder):
    (folder / "in.csv").write_text("text,label\na,x\n")
    writer = convert(["in.csv"], "out.csv", label, new=["label", "score"])
    assert (folder / "out.csv").read_text() == (
        "text,label,predicted_label,predicted_score\na,x,good,0.987654\n"
    )
    assert (writer.prefix, writer.renamed) == ("predicted_", True)


def test_blanks_around_a_name_hide_no_clash(folder):
    (folder / "in.csv").write_text("text, label \na,x\n")
    with open_rows([str(folder / "in.csv")]) as source:
        names = AddedNames.chosen(source.columns, ["label", "score"], "")
    assert (names.prefix, names.renamed) == ("predicted_", True)


def test_a_prefix_of_the_users_own(folder):
    (folder / "in.csv").write_text("text,label\na,x\n")
    writer = convert(["in.csv"], "out.csv", label, new=["label", "score"], prefix="my_")
    assert (folder / "out.csv").read_text().startswith("text,label,my_label,my_score\n")
    assert (writer.prefix, writer.renamed) == ("my_", False)


def test_a_second_clash_asks_for_a_prefix(folder):
    (folder / "in.csv").write_text("text,label,predicted_label\n")
    with pytest.raises(UsageError, match="'predicted_label' already; give another `prefix`"):
        convert(["in.csv"], "out.csv", new=["label"])
    assert names(folder) == ["in.csv"]


def test_a_late_clash_renames_that_column_alone(folder):
    (folder / "in.jsonl").write_text('{"text": "a"}\n{"text": "b", "label": "mine"}\n')
    convert(["in.jsonl"], "out.jsonl", label, new=["label"])
    last = json.loads((folder / "out.jsonl").read_text().splitlines()[1])
    assert (last["label"], last["predicted_label"]) == ("mine", "good")
    (folder / "in.csv").write_text("text,error\na,old\n")
    convert(["in.csv"], "out.csv", lambda row: {"label": 1, "error": "new"}, new=["label"])
    assert (folder / "out.csv").read_text() == "text,error,label,predicted_error\na,old,1,new\n"


# Late columns


def late(row):
    return {"n": 0, "error": "bad"} if row.line > 4 else {"n": 0}


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_late_columns_of_a_file(folder, delimiter):
    rows = ['"x\n1"', "b", '"""q"', "d", '"e\n"']
    (folder / "in.csv").write_text(
        f"text{delimiter}m\n" + "".join(f"{r}{delimiter}\n" for r in rows)
    )
    writer = convert(["in.csv"], "out.csv", late, new=["n"])
    with open_rows(["out.csv"]) as source:
        assert source.columns == ("text", "m", "n", "error")
        assert [row.cells for row in source] == [
            ["x\n1", "", "0", ""],
            ["b", "", "0", ""],
            ['"q', "", "0", "bad"],
            ["d", "", "0", "bad"],
            ["e\n", "", "0", "bad"],
        ]
    assert not writer.unshown
    assert names(folder) == ["in.csv", "out.csv"]


def test_a_late_column_after_rows_of_an_earlier_output(folder):
    (folder / "in.csv").write_text('text,n,error\n"a\n1",0,\nb,0,bad\n')
    with open_rows(["in.csv"]) as source:
        earlier = list(source)
    with open_writer("out.csv", columns=["text"], new_columns=["n"], input_format="csv") as writer:
        writer.adopt(["text", "n", "error"])
        writer.copy(earlier)
        writer.write_rows([(Row(("text",), ("c",), "in.csv", 3), {"n": 1, "truncated": True})])
    assert (folder / "out.csv").read_text() == (
        'text,n,error,truncated\n"a\n1",0,,\nb,0,bad,\nc,1,,true\n'
    )


def test_late_columns_leave_quotes_that_are_content(folder):
    rows = ['"a', "b", '"c', 'd"', '"e "f"']
    (folder / "in.tsv").write_text("text\tm\n" + "".join(f"{row}\t1\n" for row in rows))
    convert(["in.tsv"], "out.tsv", late, new=["n"])
    late_cells = ["", "", "", "bad", "bad"]
    assert (folder / "out.tsv").read_text() == "text\tm\tn\terror\n" + "".join(
        f"{row}\t1\t0\t{error}\n" for row, error in zip(rows, late_cells, strict=True)
    )


def test_late_columns_of_a_stream_are_counted(folder):
    (folder / "in.csv").write_text("text,m\n" + "a,b\n" * 6)
    stream = io.StringIO()
    writer = convert(["in.csv"], stream, late, new=["n"])
    assert stream.getvalue() == "text,m,n\n" + "a,b,0\n" * 6
    assert writer.unshown == {"error": 3}
    assert writer.unshown_errors == ["bad"] * 3


def test_the_first_block_of_a_stream_shows_all_its_columns(folder):
    (folder / "in.csv").write_text("text,m\n" + "a,b\n" * 4)
    stream = io.StringIO()
    writer = convert(["in.csv"], stream, late, new=["n"], block=10)
    assert stream.getvalue().startswith("text,m,n,error\na,b,0,\n")
    assert not writer.unshown


def test_late_keys_of_json_stand_with_the_inputs_own(folder):
    (folder / "in.jsonl").write_text('{"a": 1}\n{}\n{"b": 2, "a": 3}\n')
    convert(["in.jsonl"], "out.csv", lambda row: {"n": 0}, new=["n"], block=1)
    assert (folder / "out.csv").read_text() == "a,b,n\n1,,0\n,,0\n3,2,0\n"


# Files


def open_table(path, **options):
    return open_writer(path, columns=("t",), new_columns=("n",), input_format="csv", **options)


ROW = (Row(("t",), ["x"], "f", 2), {"n": 1})


def test_an_existing_file_needs_force(folder):
    (folder / "out.csv").write_text("old")
    with pytest.raises(UsageError, match=r"out\.csv: already exists; use `force`"):
        open_table("out.csv")
    with open_table("out.csv", force=True) as writer:
        writer.write_rows([ROW])
        assert (folder / "out.csv").read_text() == "old"
    assert (folder / "out.csv").read_text() == "t,n\nx,1\n"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_goes_wrong_leaves_nothing(folder, error):
    (folder / "out.csv").write_text("old")

    def fail():
        raise error

    def write():
        with open_table("out.csv", force=True) as writer:
            writer.write_rows([ROW])
            fail()

    with pytest.raises(error):
        write()
    assert names(folder) == ["out.csv"]
    assert (folder / "out.csv").read_text() == "old"


def test_a_file_can_replace_its_input(folder):
    (folder / "a.csv").write_text("text\nx\n")
    convert(["a.csv"], "a.csv", lambda row: {"n": 1}, new=["n"], force=True)
    assert (folder / "a.csv").read_text() == "text,n\nx,1\n"


def test_a_replaced_file_keeps_its_mode_and_its_link(folder):
    (folder / "real.csv").write_text("old")
    (folder / "real.csv").chmod(0o640)
    (folder / "link.csv").symlink_to("real.csv")
    with open_table("link.csv", force=True) as writer:
        writer.write_rows([ROW])
    assert (folder / "link.csv").is_symlink()
    assert (folder / "real.csv").read_text() == "t,n\nx,1\n"
    assert stat.S_IMODE((folder / "real.csv").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no/out.csv", "there is no folder 'no'"),
        (".", "is a folder"),
        ("out.dat", "end it in one of .csv"),
        ("out", "end it in one of .csv"),
    ],
)
def test_where_no_file_can_be_written(folder, path, message):
    with pytest.raises(UsageError, match=message):
        open_table(path, output_format="csv" if path == "." else None)
    assert names(folder) == []


def test_the_format_can_be_given(folder):
    with open_table(folder / "out", output_format="jsonl") as writer:
        writer.write_rows([ROW])
    assert (folder / "out").read_text() == '{"t": "x", "n": 1}\n'
    with pytest.raises(UsageError, match="`output_format` 'xml'"):
        open_table("out.x", output_format="xml")


def test_check_destination(folder):
    check_destination("new.csv", force=False)
    check_destination(os.devnull, force=False)
    (folder / "old.csv").write_text("")
    check_destination("old.csv", force=True)
    with pytest.raises(UsageError, match="`force`"):
        check_destination("old.csv", force=False)


# Streams


def test_a_stream_is_flushed_after_every_block(folder):
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader, os.fdopen(writing, "w") as stream:
        writer = open_writer(stream, columns=("t",), new_columns=("n",), input_format="csv")
        writer.write_rows([ROW])
        assert (reader.readline(), reader.readline()) == ("t,n\n", "x,1\n")
        writer.close()
        assert not stream.closed


def test_a_text_stream_of_another_encoding_gets_utf_8():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\r\n")
    with open_writer(stream, columns=("t",), new_columns=(), input_format="csv") as writer:
        writer.write_rows([(Row(("t",), ["é"], "f", 2), {})])
    assert stream.buffer.getvalue() == "t\né\n".encode()


def test_an_unbuffered_stream_that_takes_a_part_gets_the_rest():
    class Narrow(io.RawIOBase):
        taken = b""

        def writable(self):
            return True

        def write(self, data):
            self.taken += bytes(data[:3])
            return min(len(data), 3)

    raw = Narrow()
    stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    with open_writer(stream, columns=("t",), new_columns=(), input_format="csv") as writer:
        writer.write_rows([(Row(("t",), ["a longer text"], "f", 2), {})])
    assert raw.taken == b"t\na longer text\n"


def test_a_broken_pipe_is_let_through():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        writer = open_writer(stream, columns=("t",), new_columns=("n",), input_format="csv")
        with pytest.raises(BrokenPipeError):
            writer.write_rows([ROW])
        stream.buffer.raw.close()


def test_a_device_is_written_to_and_not_replaced():
    with open_table(os.devnull, output_format="csv") as writer:
        writer.write_rows([ROW])
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_resource_error():
    writer = open_table("/dev/full", output_format="csv")
    with pytest.raises(
        ResourceError, match=r"^/dev/full: cannot be written: No space left .*; free"
    ):
        writer.write_rows([ROW])
    writer.abort()


def test_a_disk_that_fills_up_leaves_nothing(folder, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    (folder / "out.csv").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    writer = open_table("out.csv", force=True)
    writer.write_rows([ROW])
    with pytest.raises(ResourceError, match=r"out\.csv: cannot be written: No space left"):
        writer.close()
    assert names(folder) == ["out.csv"]
    assert (folder / "out.csv").read_text() == "old"


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_on_a_terminal_cannot_speak_to_it(folder, kind):
    (folder / "in.csv").write_text('text\n"\x1b]0;owned\x07\x9b2J\u202eb"\n')
    screen, pipe = Screen(), io.StringIO()
    for stream in (screen, pipe):
        convert(["in.csv"], stream, output_format=kind)
    assert not set("\x1b\x07\x9b\u202e") & set(screen.getvalue())
    assert "\x9b2J\u202eb" in pipe.getvalue()


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["a", "a", "a"], ("a", "a_2", "a_3")),
        (["a", "a_2", "a", "a_2"], ("a", "a_2", "a_3", "a_2_2")),
        (["a", "a", "a_2"], ("a", "a_3", "a_2")),
        (["", "", "_2"], ("", "_3", "_2")),
    ],
)
def test_repeated_names_are_numbered_around_those_that_are_taken(columns, names):
    assert unique_names(columns) == names


def test_columns_of_one_name_take_linear_time():
    names = unique_names(["x"] * 200_000)
    assert names[-1] == "x_200000"
