import gzip
import io
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import DataWarning, InputError, UsageError
from distilcli.rows import open_rows, open_writer
from distilcli.rows.conll import Sentence, sentences
from distilcli.rows.row import Row

File = Callable[[str], Path]


@pytest.fixture
def file(tmp_path: Path) -> File:
    def file(content: str) -> Path:
        path = tmp_path / "a.conll"
        path.write_bytes(content.encode())
        return path

    return file


def read(content: str) -> list[Row]:
    return list(sentences(iter(content.splitlines(keepends=True)), "a.conll")[1])


def words(content: str) -> list[list[str]]:
    return [row.words for row in read(content) if isinstance(row, Sentence)]


def written(rows: Sequence[Row], tag: str = "T") -> str:
    """The rows with one label for every word."""
    out = io.StringIO()
    with open_writer(
        out, columns=(), new_columns=["tags"], input_format="conll", conll=True
    ) as writer:
        for row in rows:
            assert isinstance(row, Sentence)
            writer.write_rows([(row, {"tags": [tag] * len(row.words)})])
    return out.getvalue()


def test_a_sentence_is_a_row(file: File) -> None:
    path = file("EU NNP B-ORG\nrejects VBZ O\n\nPeter NNP B-PER\n")
    source = open_rows([str(path)])
    assert source.columns == ("text", "tokens", "column_2", "column_3")
    assert (source.format, source.delimiter, source.text_column) == ("conll", None, "text")
    first, second = source
    assert first.cells == ["EU rejects", ["EU", "rejects"], ["NNP", "VBZ"], ["B-ORG", "O"]]
    assert (first.line, first.source, first.error) == (1, str(path), None)
    assert (second.line, second.cells[0]) == (4, "Peter")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a\tO\nb c\tO\n\t\nd\tO\n", [["a", "b c"], ["d"]]),  # with tabs, a word may hold a blank
        ("a  O\n b O \n", [["a", "b"]]),
        ("a\nb\n\n\n\nc", [["a", "b"], ["c"]]),
        ("a O\r\nb O\r\n\r\nc O\r\n", [["a", "b"], ["c"]]),
        ("-DOCSTART- -X-\n\na O\n\n-DOCSTART- -X- O\n\nb O\n", [["a"], ["b"]]),
        ("# text = a b\na\tX\tO\n", [["a"]]),
        ("# id 5 domain=en\na _ _ O\n# _ _ O\n", [["a", "#"]]),
        ("#tag O\na O\n#more O\n", [["#tag", "a", "#more"]]),
        ("# NN\na NN\n", [["#", "a"]]),
        ("# a comment\nword\n#tag\n", [["word", "#tag"]]),
        ("\n\n", []),
        ("a O\n\n#end of document\n", [["a"], []]),
        ("a\u00a0b O\n\u2028 O\n", [["a\u00a0b", "\u2028"]]),
    ],
)
def test_what_is_a_word(content: str, expected: list[list[str]]) -> None:
    lines = content.split("\n")
    whole = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    rows = list(sentences(iter(whole), "a.conll")[1])
    assert [row.words for row in rows if isinstance(row, Sentence)] == expected
    assert all(row.error is None for row in rows)


def test_a_line_of_another_width_marks_its_sentence() -> None:
    bad, good, wide = read("a NN O\nb\n\nc NN O\n\nd NN O O\n")
    assert bad.error == "a.conll: line 2: 1 column where the first word has 3"
    assert bad.cells == ["a b", ["a", "b"], ["NN", ""], ["O", ""]]
    assert good.error is None
    assert wide.error == "a.conll: line 6: 4 columns where the first word has 3"


def test_a_file_without_blank_lines_is_no_file_of_sentences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("distilcli.rows.conll._LONGEST_SENTENCE", 3)
    assert words("a\nb\nc\n\nd\n") == [["a", "b", "c"], ["d"]]
    with pytest.raises(InputError, match=r"a\.conll: line 4: no blank line in 3 words"):
        read("a\nb\nc\nd\n")


def test_labels_are_the_last_column() -> None:
    content = "-DOCSTART- -X-\n\n# id = 1\na  NN\nb NN \n\n\nc NN"
    assert written(read(content)) == (
        "-DOCSTART- -X- O\n\n# id = 1\na  NN T\nb NN  T\n\n\nc NN T\n"
    )
    assert written(read("a\tx\r\n\r\n")) == "a\tx\tT\r\n\r\n"


def test_files_end_with_their_last_word_or_a_blank_line() -> None:
    assert written([*read("a"), *read("b\n"), *read("c\n\n"), *read("d")]) == (
        "a T\n\nb T\n\nc T\n\nd T\n"
    )


LINES = st.one_of(
    st.just(""),
    st.just("-DOCSTART- O"),
    st.sampled_from(["# a comment", "# id = 5", "#tag"]),
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\r\n\t "), min_size=1
    ).map(lambda word: f"{word} O"),
)


@pytest.mark.filterwarnings("ignore:.* first column")
@given(st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n"]), st.sampled_from(" \t"))
def test_without_the_last_column_it_is_the_input_again(
    lines: list[str], end: str, delimiter: str
) -> None:
    content = [line.replace(" O", f"{delimiter}O") + end for line in [*lines, "word O"]]
    out = written(list(sentences(iter(content), "a.conll")[1])).split(end)
    kept = [line if _is_aside(line) else line.rpartition(delimiter)[0] for line in out]
    assert end.join(kept).rstrip("\r\n") == "".join(content).rstrip("\r\n")


def _is_aside(line: str) -> bool:
    return not line or line in {"# a comment", "# id = 5", "#tag"}


def test_texts_are_written_word_by_word() -> None:
    rows = [Row(("text",), ["a film!"], "a.csv", n) for n in (2, 3, 4)]
    out = io.StringIO()
    with open_writer(
        out,
        columns=("text",),
        new_columns=["words", "tags"],
        input_format="csv",
        output_format="conll",
        conll=True,
    ) as writer:
        writer.write_rows(
            [
                (rows[0], {"words": ["a", "fi\x85lm", "!"], "tags": ["O", "B-ART", None]}),
                (rows[1], {"words": None, "tags": None, "error": "a.csv: line 3:\nbroken"}),
                (rows[2], {"words": ["a"], "tags": ["O"], "truncated": True}),
            ]
        )
    assert out.getvalue() == (
        "a O\nfi_lm B-ART\n! _\n\n# error = a.csv: line 3: broken\n\n# truncated = True\na O\n\n"
    )


def test_a_sentence_that_failed_keeps_its_lines() -> None:
    (row,) = read("a NN\nb\n\n")
    out = io.StringIO()
    with open_writer(
        out, columns=(), new_columns=["tags"], input_format="conll", conll=True
    ) as writer:
        writer.write_rows([(row, {"tags": None, "error": "no"})])
    assert out.getvalue() == "# error = no\na NN _\nb _\n\n"


def test_conll_is_written_only_with_labels(file: File) -> None:
    out = io.StringIO()
    with open_writer(out, columns=("text",), new_columns=["label"], input_format="conll") as writer:
        writer.write_rows([(Row(("text",), ["a"], "a.conll", 1), {"label": "good"})])
    assert out.getvalue() == '{"text": "a", "label": "good"}\n'
    with pytest.raises(UsageError, match="`output_format` 'conll' is unknown"):
        open_writer(out, columns=(), new_columns=[], input_format="csv", output_format="conll")


def test_a_table_has_delimiters_and_conll_has_not(file: File) -> None:
    with pytest.raises(UsageError, match="for csv and tsv, not conll"):
        list(open_rows([str(file("a O\n"))], delimiter=";"))


def test_a_live_pipe_gives_a_sentence_with_its_blank_line(tmp_path: Path) -> None:
    path = tmp_path / "pipe.conll"
    os.mkfifo(path)
    seen = threading.Event()

    def feed() -> None:
        with path.open("w") as pipe:
            pipe.write("# the first\na O\n\n")
            pipe.flush()
            assert seen.wait(10)
            pipe.write("b O\n")

    feeder = threading.Thread(target=feed)
    feeder.start()
    with open_rows([str(path)], input_format="conll") as source:
        rows = iter(source)
        assert next(rows).cells[0] == "a"
        seen.set()
        assert [row.cells[0] for row in rows] == ["b"]
    feeder.join()


# Words that are not in the first column.

UD = (
    "# sent_id = 1\n"
    "1\tThe\tthe\tDET\tDT\t_\t2\tdet\t_\t_\n"
    "2-3\tcannot\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "2\tcan\tcan\tAUX\tMD\t_\t0\troot\t_\t_\n"
    "3\tnot\tnot\tPART\tRB\t_\t2\tadvmod\t_\tSpaceAfter=No\n"
    "3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\t_\n\n"
)


@pytest.mark.parametrize("name", ["a.conllu", "a.conll", "a.conllu.gz"])
def test_conllu_is_known_by_its_ids(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(UD.encode()) if name.endswith("gz") else UD.encode())
    source = open_rows([str(path)])
    assert source.columns[:6] == ("text", "tokens", "id", "lemma", "upos", "xpos")
    (row,) = source
    assert isinstance(row, Sentence)
    assert (row.cells[0], row.words, row.error) == ("The can not", ["The", "can", "not"], None)
    assert row.cells[source.columns.index("upos")] == ["DET", "AUX", "PART"]
    assert row.cells[source.columns.index("misc")] == ["_", "_", "SpaceAfter=No"]
    out = written([row])
    assert [line.rpartition("\t")[2] for line in out.splitlines()[1:6]] == ["T", "_", "T", "T", "_"]
    # What was written is read again.
    (again,) = sentences(iter(out.splitlines(keepends=True)), "a.conllu")[1]
    assert isinstance(again, Sentence)
    assert (again.words, again.cells[-1], again.error) == (row.words, ["T", "T", "T"], None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("1 The DT O\n2 cat NN O\n\n", "nothing but numbers, so words are read from column 2"),
        ("0\tThe\n1\tcat\n\n", "nothing but numbers, so words are read from column 2"),
        ("1-7 The DT\n1-9 cat NN\n\n", "nothing but numbers, so words are read from column 2"),
        ("O The DT\nB-X cat NN\n\n", "nothing but tags, so words are read from column 2"),
        (
            "bc/cctv 0 0 The DT\nbc/cctv 0 1 cat NN\nbc/cctv 0 2 sat VB\n\n",
            "the same for all words, so words are read from column 4",
        ),
    ],
)
def test_a_first_column_without_words_is_told(content: str, why: str) -> None:
    with pytest.warns(DataWarning, match=f"a.conll: its first column is {why}"):
        (row,) = read(content)
    assert isinstance(row, Sentence)
    assert row.words[:2] == ["The", "cat"]
    assert str(row.cells[0]).startswith("The cat")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("1 O\n2 O\n1 B-X\n\n", "nothing but numbers"),
        ("1996 CD\n1997 CD\n\n", "nothing but numbers"),
        ("1.5\n-2\n\n", "nothing but numbers"),
        ("ha B-X\nha I-X\nha O\n\n", "the same for all words"),
    ],
)
def test_a_file_without_words_is_told(content: str, why: str) -> None:
    with pytest.warns(DataWarning, match=f"first column is {why}, so check `word_column`"):
        (row,) = read(content)
    assert isinstance(row, Sentence)
    assert row.words[0] == content.split(maxsplit=1)[0]


def test_one_number_or_two_words_that_are_the_same_are_words() -> None:
    for content in ("1 The\n\n", "ha B-X\nha I-X\n\n"):
        (row,) = read(content)
        assert isinstance(row, Sentence)
        assert row.words[0] == content.split(maxsplit=1)[0]


def test_a_column_without_words_that_is_named(file: File) -> None:
    path = file("Anna B-PER 7\nmet O 8\n")
    with pytest.raises(UsageError, match=r"2: that column is nothing but tags, .*'B-P"):
        _ = open_rows([str(path)], word_column=2).columns
    with pytest.warns(DataWarning, match="column 3 is nothing but numbers; check `word_column`"):
        assert next(iter(open_rows([str(path)], word_column=3))).cells[1] == ["7", "8"]


def test_the_column_of_words_may_be_named(file: File) -> None:
    path = file("x9 The DT\ny8 cat NN\n")
    source = open_rows([str(path)], word_column=2)
    assert source.columns == ("text", "tokens", "column_1", "column_3")
    (row,) = source
    assert row.cells == ["The cat", ["The", "cat"], ["x9", "y8"], ["DT", "NN"]]
    assert written([row]) == "x9 The DT T\ny8 cat NN T\n"
    with pytest.raises(UsageError, match="`word_column` 4: its lines have 3 columns"):
        _ = open_rows([str(path)], word_column=4).columns
    table = path.with_suffix(".csv")
    table.write_text("text\na\n")
    with pytest.raises(UsageError, match=r"a\.csv: `word_column` is for CoNLL"):
        _ = open_rows([str(table)], word_column=2).columns
