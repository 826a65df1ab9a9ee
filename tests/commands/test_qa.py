import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distilcli.predictors.answerer import Answerer
from distilcli.tasks.settings import LongTexts
from tests.commands._parse import delimited, json_lines

Distil = Callable[..., tuple[int, str, str]]
PAIRS = (
    ("was it good ?", "i loved the Film , and the plot was GREAT fun ."),
    ("dull ?", "the sound was poor . " * 12),
    ("works ?", "it works , cheap price !"),
)


def ask(folder: Path, *pairs: tuple[str, str], **settings: Any) -> list[str]:
    """The answers that the library gives."""
    return [found.answer for found in Answerer(str(folder), device="cpu", **settings)(pairs)]


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "asked.csv"
    rows = [f'0{n},"{question}","{context}"' for n, (question, context) in enumerate(PAIRS)]
    path.write_text("\n".join(["id,question,context", *rows]) + "\n")
    return path


@pytest.fixture
def squad_file(tmp_path: Path) -> Path:
    path = tmp_path / "dev.json"
    articles = [
        {
            "title": "T",
            "paragraphs": [
                {"context": context, "qas": [{"id": f"q{n}", "question": question}]}
                for n, (question, context) in enumerate(PAIRS)
            ],
        }
    ]
    path.write_text(json.dumps({"version": "1.1", "data": articles}))
    return path


def test_answers_are_those_of_the_library(distil: Distil, qa_folder: Path, csv_file: Path) -> None:
    code, out, err = distil("qa", csv_file, "--model", qa_folder)
    rows = delimited(out)
    assert code == 0
    added = ["answer", "score", "start", "end", "no_answer_score"]
    assert list(rows[0]) == ["id", "question", "context", *added]
    assert [row["id"] for row in rows] == ["00", "01", "02"]
    assert [row["answer"] for row in rows] == ask(qa_folder, *PAIRS)
    for row in rows:
        assert row["answer"] == row["context"][int(row["start"]) : int(row["end"])]
    assert "text columns 'question', 'context'" in err


def test_a_question_and_a_context_of_the_command_line(distil: Distil, qa_folder: Path) -> None:
    context = PAIRS[0][1]
    code, out, _ = distil(
        "qa", "-m", qa_folder, "--question", "good ?", "--question", "fun ?", "--context", context
    )
    rows = delimited(out, "\t")
    assert code == 0
    assert [row["question"] for row in rows] == ["good ?", "fun ?"]
    assert {row["context"] for row in rows} == {context}
    expected = ask(qa_folder, ("good ?", context), ("fun ?", context))
    assert [row["answer"] for row in rows] == expected


def test_a_context_in_a_file(distil: Distil, qa_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "story.txt"
    path.write_text("it was dull\nand slow .\n")
    _, out, _ = distil("qa", "-m", qa_folder, "--question", "good ?", "--context-file", path)
    (row,) = delimited(out, "\t")
    assert row["context"] == path.read_text()
    assert [row["answer"]] == ask(qa_folder, ("good ?", path.read_text()))


def test_one_question_for_every_context(distil: Distil, qa_folder: Path, csv_file: Path) -> None:
    code, out, err = distil("qa", "-m", qa_folder, csv_file, "--question", "fun ?")
    assert code == 0
    expected = ask(qa_folder, *(("fun ?", context) for _, context in PAIRS))
    assert [row["answer"] for row in delimited(out)] == expected
    assert "text column 'context'" in err


def test_one_context_for_every_question(distil: Distil, qa_folder: Path, csv_file: Path) -> None:
    context = "a bright film , and slow"
    code, out, err = distil("qa", "-m", qa_folder, csv_file, "--context", context)
    assert code == 0
    expected = ask(qa_folder, *((question, context) for question, _ in PAIRS))
    assert [row["answer"] for row in delimited(out)] == expected
    assert "text column 'question'" in err


def test_texts_and_lines_are_contexts_or_questions(
    distil: Distil, qa_folder: Path, tmp_path: Path
) -> None:
    _, texts, _ = distil("qa", "-m", qa_folder, "--question", "fun ?", "--text", "it was fun")
    assert [row["answer"] for row in delimited(texts, "\t")] == ask(
        qa_folder, ("fun ?", "it was fun")
    )
    path = tmp_path / "questions.txt"
    path.write_text("fun ?\n")
    _, lines, _ = distil("qa", "-m", qa_folder, path, "--context", "it was fun")
    assert delimited(lines, "\t")[0]["answer"] == delimited(texts, "\t")[0]["answer"]


def test_columns_of_other_names(distil: Distil, qa_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"ask":"fun ?","page":{"body":"it was fun"}}\n')
    code, out, err = distil("qa", "-m", qa_folder, path)
    assert (code, out) == (3, "")
    assert f"no column 'question' in {path}; name it with --question-column (columns: ask" in err
    named = ["--question-column", "ask", "--context-column", "page.body"]
    code, out, _ = distil("qa", "-m", qa_folder, path, *named)
    assert code == 0
    assert [json_lines(out)[0]["answer"]] == ask(qa_folder, ("fun ?", "it was fun"))
    code, _, err = distil("qa", "-m", qa_folder, path, *named[:3], "pag")
    assert code == 3
    assert "did you mean 'page'?" in err


def test_the_best_answers(distil: Distil, qa_folder: Path, csv_file: Path) -> None:
    _, out, _ = distil("qa", "-m", qa_folder, csv_file, "--top-k", 3, "--max-answer-length", 1)
    row = delimited(out)[0]
    further = ["answer_2", "score_2", "answer_3", "score_3", "no_answer_score"]
    assert list(row)[3:] == ["answer", "score", "start", "end", *further]
    assert float(row["score"]) >= float(row["score_2"]) >= float(row["score_3"])
    assert all(len(row[name].split()) == 1 for name in ("answer", "answer_2", "answer_3"))


def test_no_answer(distil: Distil, qa_folder: Path, csv_file: Path) -> None:
    run = ("qa", "-m", qa_folder, csv_file, "--json")
    _, usual, err = distil(*run)
    scores = [float(row["no_answer_score"]) for row in delimited(usual)]
    assert json.loads(err.splitlines()[-1])["counts"] == {}
    threshold = sorted(scores)[1]
    code, out, err = distil(*run, "--no-answer-threshold", threshold * 1.001)
    assert code == 0
    for row, score in zip(delimited(out), scores, strict=True):
        empty = (row["answer"], row["start"], row["end"]) == ("", "", "")
        assert empty == (score > threshold * 1.001)
    counts = json.loads(err.splitlines()[-1])["counts"]
    assert counts == {"an answer": 2, "no answer": 1}


def test_squad_json(distil: Distil, qa_folder: Path, squad_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    code, out, _ = distil("qa", "-m", qa_folder, squad_file, "--squad-predictions", path)
    rows = json_lines(out)
    assert code == 0
    assert [row["id"] for row in rows] == ["q0", "q1", "q2"]
    assert [row["answer"] for row in rows] == ask(qa_folder, *PAIRS)
    assert json.loads(path.read_text()) == {row["id"]: row["answer"] for row in rows}


def test_predictions_of_rows_without_an_answer(
    distil: Distil, qa_folder: Path, tmp_path: Path
) -> None:
    rows = [
        {"id": 1, "question": "fun ?", "context": ""},
        {"id": "ü", "question": "fun ?", "context": "it was fun"},
    ]
    asked, path = tmp_path / "a.jsonl", tmp_path / "p.json"
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows) + "no row\n")
    run = ("qa", "-m", qa_folder, asked, "--squad-predictions", path)
    code, _, _ = distil(*run)
    assert code == 6
    assert json.loads(path.read_text()) == {
        "1": "",
        "ü": ask(qa_folder, ("fun ?", "it was fun"))[0],
    }
    assert distil(*run)[0] == 2  # it is there already
    assert distil(*run, "--force", "--no-answer-threshold", 0)[0] == 6
    assert json.loads(path.read_text()) == {"1": "", "ü": ""}


def test_predictions_appear_whole_or_not_at_all(
    distil: Distil, qa_folder: Path, tmp_path: Path
) -> None:
    asked, path = tmp_path / "a.csv", tmp_path / "p.json"
    asked.write_text("id,question,context\n1,fun ?,it was fun\n2,fun ?,\n")
    run = ("qa", "-m", qa_folder, asked, "--squad-predictions", path)
    code, _, err = distil(*run, "--on-error", "stop")
    assert code == 3
    assert f"{asked}: line 3: empty text: the context" in err
    assert sorted(tmp_path.iterdir()) == [asked]
    assert distil(*run, "--dry-run")[0] == 0
    assert sorted(tmp_path.iterdir()) == [asked]


def test_predictions_need_ids(distil: Distil, qa_folder: Path, tmp_path: Path) -> None:
    asked, path = tmp_path / "a.jsonl", tmp_path / "p.json"
    asked.write_text('{"question": "fun ?", "context": "it was fun"}\n')
    run = ("qa", "-m", qa_folder, asked, "--squad-predictions", path)
    code, _, err = distil(*run)
    assert code == 3
    assert f"no column 'id' in {asked}" in err
    asked.write_text('{"id": null, "question": "fun ?", "context": "it was fun"}\n')
    code, out, _ = distil(*run)
    assert code == 6
    assert f"{asked}: line 1: no value at 'id'" in out
    assert json.loads(path.read_text()) == {}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "more").mkdir(parents=True)
    for name, (_, context) in zip(("a.txt", "b.md", "more/c.txt"), PAIRS, strict=True):
        (folder / name).write_text(f"{context}\n{context}\n")
    return folder


def test_the_files_of_a_folder_are_contexts(distil: Distil, qa_folder: Path, docs: Path) -> None:
    code, out, _ = distil("qa", "-m", qa_folder, docs, "--question", "fun ?")
    rows = delimited(out, "\t")
    assert code == 0
    texts = [f"{context}\n{context}\n" for _, context in PAIRS]
    names = ("a.txt", "b.md", "more/c.txt")
    assert [row["file"] for row in rows] == [str(docs / name) for name in names]
    assert [row["answer"] for row in rows] == ask(qa_folder, *(("fun ?", text) for text in texts))
    assert [row["text"] for row in rows] == texts
    code, lines, _ = distil("qa", "-m", qa_folder, docs / "a.txt", "--question", "fun ?")
    assert len(delimited(lines, "\t")) == 2
    one = ("qa", "-m", qa_folder, docs / "a.txt", "--question", "fun ?", "--whole-files")
    assert delimited(distil(*one)[1], "\t") == rows[:1]


def test_the_best_answers_of_all_rows(distil: Distil, qa_folder: Path, docs: Path) -> None:
    run = ("qa", "-m", qa_folder, docs, "--question", "fun ?")
    every = delimited(distil(*run)[1], "\t")
    by_score = sorted(every, key=lambda row: -float(row["score"]))
    code, _, err = distil(*run, "--best", "2", "-o", docs.parent / "best.tsv")
    assert code == 0
    assert delimited((docs.parent / "best.tsv").read_text(), "\t") == by_score[:2]
    assert "wrote 2 rows" in err
    assert delimited(distil(*run, "--best", "9")[1], "\t") == by_score


def test_a_row_may_have_several_of_the_best(distil: Distil, qa_folder: Path, docs: Path) -> None:
    run = ("qa", "-m", qa_folder, docs, "--question", "fun ?", "--top-k", "3")
    every = delimited(distil(*run)[1], "\t")
    numbered = [(row, suffix) for row in every for suffix in ("", "_2", "_3")]
    expected = sorted(
        ((row[f"score{n}"], row[f"answer{n}"], row["file"]) for row, n in numbered),
        key=lambda found: -float(found[0]),
    )
    best = delimited(distil(*run, "--best", "5")[1], "\t")
    assert [(row["score"], row["answer"], row["file"]) for row in best] == expected[:5]
    assert "answer_2" not in best[0]
    for row in best:
        assert row["answer"] == row["text"][int(row["start"]) : int(row["end"])]


def test_the_best_of_several_files_of_rows(distil: Distil, qa_folder: Path, csv_file: Path) -> None:
    other = csv_file.with_name("other.csv")
    other.write_text("id,question,context\n9,fun ?,\n8,fun ?,it was fun\n")
    run = ("qa", "-m", qa_folder, csv_file, other, "--best", "4")
    code, out, err = distil(*run)
    assert code == 6  # a row without a context has no answer to rank
    assert "failed: 1 row" in err
    found = {row["id"]: row["file"] for row in delimited(out)}
    assert found == {**dict.fromkeys(("00", "01", "02"), str(csv_file)), "8": str(other)}
    named = delimited(distil(*run, "--file-column", "where")[1])
    assert [row["where"] for row in named] == [row["file"] for row in delimited(out)]
    code, out, _ = distil("qa", "-m", qa_folder, other, "--best", "3", "--no-answer-threshold", "0")
    assert delimited(out) == []
    _, out, _ = distil(*run, "--top-k", "3", "--no-answer-threshold", "0")
    assert delimited(out) == []
    assert distil(*run, "--dry-run")[:2] == (0, "")


def test_the_best_of_texts(distil: Distil, qa_folder: Path) -> None:
    texts = ("--text", "it was fun", "--text", "a bright film")
    run = ("qa", "-m", qa_folder, "--question", "fun ?", *texts)
    every = delimited(distil(*run)[1], "\t")
    best = delimited(distil(*run, "--best", "1")[1], "\t")
    assert best == [max(every, key=lambda row: float(row["score"]))]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["FILE", "--best", "0"], "--best"),
        (["FILE", "--best", "1", "--squad-predictions", "p.json"], "give one of them"),
        (["FILE", "--best", "1", "--file-column", "id"], "has a column 'id' already"),
        (["--question", "a", "--context", "b", "--whole-files"], "is for files, not --quest"),
        ([], "give files, - for standard input, or --question with --context"),
        (["--question", "a"], "--question with --context or --context-file"),
        (["--context", "a"], "--question with --context or --context-file"),
        (["FILE", "--question", "a", "--question", "b"], "files take one --question"),
        (["FILE", "--question", "a", "--context", "b"], "leave out the files"),
        (["FILE", "--question", "a", "--question-column", "b"], "--question and --question-column"),
        (["FILE", "--context", "a", "--context-column", "b"], "--context-column"),
        (["--context", "a", "--context-file", "FILE"], "--context and --context-file"),
        (["-", "--context-file", "-"], "standard input can be read only once"),
        (["--question", "a", "--context", "b", "--delimiter", ";"], "are for files, not --quest"),
        (["FILE", "--stride", "8", "--long", "truncate"], "--stride is for windows"),
        (["FILE", "-o", "x.json", "--squad-predictions", "x.json"], "cannot share a file"),
        (["FILE", "--stats", "x.json", "--squad-predictions", "x.json"], "cannot share a file"),
    ],
)
def test_options_that_do_not_go_together(
    distil: Distil,
    qa_folder: Path,
    csv_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    fault: str,
) -> None:
    monkeypatch.chdir(csv_file.parent)
    given = [str(csv_file) if argument == "FILE" else argument for argument in arguments]
    code, out, err = distil("qa", "-m", qa_folder, *given)
    assert (code, out) == (2, "")
    assert fault in err
    assert sorted(csv_file.parent.iterdir()) == [csv_file]


@pytest.mark.slow
def test_rows_that_cannot_be_answered(distil: Distil, qa_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    faulty = f"fun ?,\n,it was\n{'good ' * 61},it was\nfun ?,it was fun\n"
    path.write_text(f"question,context\n{faulty}")
    code, out, _ = distil("qa", "-m", qa_folder, path)
    rows = delimited(out)
    assert code == 6
    assert rows[0]["error"] == "empty text: the context"
    assert rows[1]["error"] == "empty text: the question"
    assert "leaves no room for the context" in rows[2]["error"]
    assert [row["answer"] for row in rows] == ["", "", "", *ask(qa_folder, ("fun ?", "it was fun"))]
    code, out, _ = distil("qa", "-m", qa_folder, path, "--on-error", "skip")
    assert (code, len(delimited(out))) == (6, 1)


def test_contexts_may_be_cut_instead(distil: Distil, qa_folder: Path, csv_file: Path) -> None:
    cut = ["--long", "truncate", "--max-length", 24]
    _, out, err = distil("qa", "-m", qa_folder, csv_file, *cut)
    rows = delimited(out)
    assert [row["truncated"] for row in rows] == ["", "true", ""]
    settings = LongTexts(max_length=24)
    assert [row["answer"] for row in rows] == ask(qa_folder, *PAIRS, long_texts=settings)
    assert int(rows[1]["end"]) <= len("the sound was poor . " * 4)
    assert "truncated: 1 row" in err


def test_windows_and_their_overlap(distil: Distil, qa_folder: Path, csv_file: Path) -> None:
    scores = set()
    for stride in (0, 8):
        run = ("qa", "-m", qa_folder, csv_file, "--max-length", 24, "--stride", stride)
        code, out, _ = distil(*run)
        assert code == 0
        scores.add(delimited(out)[1]["score"])
        assert "truncated" not in out
    assert len(scores) == 2


def test_an_expectation_instead_of_a_run(distil: Distil, qa_folder: Path, csv_file: Path) -> None:
    code, out, err = distil("qa", "-m", qa_folder, csv_file, "--dry-run")
    assert (code, out) == (0, "")
    assert "3 rows, " in err


def test_a_row_without_an_id_is_a_rows_fault(
    distil: Distil, qa_folder: Path, tmp_path: Path
) -> None:
    rows = [{"id": "a", "question": "good ?", "context": "good film"}, {"question": "dull ?"}]
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps({"context": "dull", **row}) + "\n" for row in rows))
    saved = tmp_path / "saved.json"
    code, out, _ = distil("qa", path, "-m", qa_folder, "--squad-predictions", saved)
    assert code == 6
    assert "no value at 'id'" in json_lines(out)[1]["error"]
    assert list(json.loads(saved.read_text())) == ["a"]


def test_one_column_is_not_question_and_context(
    distil: Distil, qa_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("good film\n")
    code, _, err = distil("qa", path, "-m", qa_folder)
    assert code == 3
    assert "one column" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["texts", "--best", "3"], "texts: is a folder; add --question TEXT to ask"),
        (["texts"], "texts: is a folder; add --question TEXT to ask"),
        (["texts", "--question", ""], "--question is empty; give a text"),
        (["texts", "--question", " \u200b"], "--question is empty; give a text"),
        (["--question", "Who?", "--question", "", "--context", "x"], "--question is empty"),
        (["--question", "Who?", "--context", " "], "--context is empty; give a text"),
    ],
)
def test_what_is_asked_of_whom(
    distil: Distil,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("Ann came.")
    code, out, err = distil("qa", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_standard_input_is_read_once_also_if_a_sheet_of_it_is(distil: Distil) -> None:
    code, _, err = distil("qa", "-::Sheet", "--question", "Who?", "--context-file", "-")
    assert (code, "standard input can be read only once" in err) == (2, True)
