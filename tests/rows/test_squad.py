import json
from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError, UsageError
from distilcli.rows import open_rows, read_text


def question(name: str, text: str, *answers: tuple[str, int]) -> dict[str, Any]:
    return {
        "id": name,
        "question": text,
        "answers": [{"text": answer, "answer_start": start} for answer, start in answers],
    }


ARTICLES = [
    {
        "title": "Films",
        "paragraphs": [
            {"context": "It was good.", "qas": [question("a", "How was it?", ("good", 7))]},
            {
                "context": "“Ünder” it\nall.",
                "qas": [question("b", "Where?"), question("c", "What?")],
            },
        ],
    },
    {"title": "Nothing", "paragraphs": []},
    {"title": "Books", "paragraphs": [{"context": "Dull.", "qas": [question("d", "How?")]}]},
]


def write(folder: Path, content: Any, name: str = "dev.json", indent: int | None = None) -> Path:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content, indent=indent)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("indent", [None, 2])
def test_a_row_for_every_question(tmp_path: Path, indent: int | None) -> None:
    path = write(tmp_path, {"version": "2.0", "data": ARTICLES, "note": [1]}, indent=indent)
    source = open_rows([str(path)])
    assert source.columns == ("id", "title", "question", "context", "answers")
    assert (source.format, source.delimiter) == ("squad", None)
    rows = list(source)
    assert [row.cells[:4] for row in rows] == [
        ["a", "Films", "How was it?", "It was good."],
        ["b", "Films", "Where?", "“Ünder” it\nall."],
        ["c", "Films", "What?", "“Ünder” it\nall."],
        ["d", "Books", "How?", "Dull."],
    ]
    assert rows[0].cells[4] == [{"text": "good", "answer_start": "7"}]
    assert rows[1].cells[4] == []
    text = path.read_text(encoding="utf-8")
    lines = [1, 1, 1, 1] if indent is None else [line_of(text, "Films")] * 3
    assert [row.line for row in rows][: len(lines)] == lines


def line_of(text: str, title: str) -> int:
    """The line of the bracket that opens the article of this title."""
    return text.count("\n", 0, text.rindex("{", 0, text.index(title))) + 1


def test_answers_are_a_column_only_where_there_are_some(tmp_path: Path) -> None:
    article = {"paragraphs": [{"context": "c", "qas": [{"id": "1", "question": "q"}]}]}
    source = open_rows([str(write(tmp_path, {"data": [article]}))])
    assert source.columns == ("id", "title", "question", "context")
    assert [row.cells for row in source] == [["1", "", "q", "c"]]


def test_a_question_without_a_text_is_one_row_that_failed(tmp_path: Path) -> None:
    questions = [{"id": "x"}, {"question": "q"}, "why?"]
    article = {"title": "T", "paragraphs": [{"context": "c", "qas": questions}]}
    path = write(tmp_path, {"data": [article]})
    assert [row.error for row in open_rows([str(path)])] == [
        f"{path}: question 'x' has no text",
        None,
        f"{path}: a question on 'T' has no text",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"data": [\n  {"title" 1}\n]}', "line 2, column 12: broken JSON: Expecting ':'"),
        ('{"data": [] ', "line 1: the JSON is cut off; the file is truncated"),
        ('{"data": [{"paragraphs": []} {}]}', "line 1, column 30: broken JSON: ',' or ']' is"),
        ('{"data": [],}', "line 1, column 13: broken JSON: a key in quotes is expected"),
        ('{"data" []}', "line 1, column 9: broken JSON: ':' is expected"),
        ('{1: []}', "line 1, column 2: broken JSON: a key in quotes is expected"),
        ('{"data": []}\n{"data": []}\n', "line 2, column 1: broken JSON: more follows"),
        ('{"data": ' + "[" * 100_000, "broken JSON: it is nested too deep"),
        ("[1, 2]", "is not SQuAD JSON: it is a list"),
        ('"text"', "is not SQuAD JSON: it is not an object"),
        ('{"rows": [], "a": 1}', "there is no list at 'data' (keys: rows, a); rows are an array"),
        ('{"n": 1, "my rows": [{}]}', "extract its rows: jq '.[\"my rows\"]' "),
        ('{"features": [{}], "rows": [{}, {}]}', "extract its rows: jq '.[\"rows\"]' "),
        ('{"data": [{"text": "a"}]}', "extract its rows: jq '.[\"data\"]' "),
        ('{"data": {"a": []}}', "there is no list at 'data' (keys: data)"),
        ('{"data": [{"title": "T"}]}', "article 1 has no list at 'paragraphs'"),
        ('{"data": [[]]}', "article 1 has no list at 'paragraphs'"),
        (
            '{"data": [{"paragraphs": [{"context": "c"}]}]}',
            "article 1, paragraph 1 has no list at 'qas'",
        ),
        (
            '{"data": [{"paragraphs": [{"qas": []}]}]}',
            "article 1, paragraph 1 has no 'context'",
        ),
    ],
)  # fmt: skip
def test_what_is_no_squad_json(tmp_path: Path, text: str, fault: str) -> None:
    path = write(tmp_path, text)
    source = open_rows([str(path)])
    with pytest.raises(InputError) as error:
        list(source)
    assert str(error.value).startswith(f"{path}: ")
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


def test_a_broken_end_is_found_before_the_first_row(tmp_path: Path) -> None:
    whole = json.dumps({"data": ARTICLES})
    source = open_rows([str(write(tmp_path, whole[:-2]))])
    with pytest.raises(InputError, match="the JSON is cut off"):
        next(iter(source))


def test_the_format_may_be_said(tmp_path: Path) -> None:
    path = write(tmp_path, {"data": ARTICLES}, "dev.txt")
    assert len(list(open_rows([str(path)], input_format="squad"))) == 4
    with pytest.raises(UsageError, match="are for csv and tsv, not squad"):
        list(open_rows([str(path)], input_format="squad", delimiter=","))


def test_a_whole_file_as_a_text(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffone\ntwo\n", "a.txt")
    assert read_text(str(path)) == "one\ntwo\n"
    with pytest.raises(InputError, match="no such file"):
        read_text(str(tmp_path / "b.txt"))
    write(tmp_path, "x", "b.txt")
    with pytest.raises(UsageError, match="2 files match; name one"):
        read_text(str(tmp_path / "*.txt"))
