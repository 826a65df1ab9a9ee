import json
from pathlib import Path

import pytest

from distilcli.tasks.answerer import Answerer
from distilcli.training.squad_data import main


def squad(*questions: tuple[str, str, str, int]) -> str:
    paragraphs = [
        {
            "context": context,
            "qas": [
                {"question": asked, "id": asked, "answers": [{"text": text, "answer_start": start}]}
            ],
        }
        for asked, context, text, start in questions
    ]
    return json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]})


def test_the_model_chooses_among_the_occurrences(
    qa_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = "the film was good and the film was dull and the film was slow"
    question = "was the film bad"
    given = tmp_path / "train.json"
    given.write_text(
        squad((question, context, "the film", 0), (question, "a dull film", "dull", 2))
    )
    main(given, str(qa_folder), tmp_path / "out.json")
    paragraphs = json.loads((tmp_path / "out.json").read_text())["data"][0]["paragraphs"]
    several, single = (part["qas"][0]["answers"][0] for part in paragraphs)
    (answers,) = Answerer(str(qa_folder), top_k=1_000)([(question, context)])
    best = next(answer.start for answer in answers.ranked if answer.text == "the film")
    assert several == {"text": "the film", "answer_start": best}
    assert single == {"text": "dull", "answer_start": 2}
    assert best != 0  # the seeded model prefers another than the first
    assert capsys.readouterr().out == "1 answers stand several times; 1 were moved\n"


def test_a_place_that_the_model_never_ranks_stays(qa_folder: Path, tmp_path: Path) -> None:
    context = "good " + "film book plot sound picture " * 8 + "good"
    given = tmp_path / "train.json"
    given.write_text(squad(("what", context, context[:100], 0), ("what", context, "oo", 1)))
    main(given, str(qa_folder), tmp_path / "out.json")
    # Half a word is no span of tokens; the other stands once.
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(given.read_text())
