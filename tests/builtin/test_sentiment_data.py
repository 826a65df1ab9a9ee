import json
from pathlib import Path

import pandas as pd
import pytest
import sentiment_data


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sentiment_data, "_PROS_CONS_ROWS", 2)
    monkeypatch.setattr(sentiment_data, "_LONG_REVIEWS", 2)
    monkeypatch.setattr(sentiment_data, "_VERDICT_WORDS", 3)
    files = {
        "sst2/train.tsv": 'sentence\tlabel\na "fine film \t1\nNA\t0\n',
        "sst2/dev.tsv": "sentence\tlabel\nit 's a dull film .\t0\n",
        "reviews/sentence_polarity.csv": "text,label\nIt's a DULL film,negative\nnice,positive\n",
        "reviews/vader_movieReviewSnippets.csv": "id,rating,text\n1,3.5,up\n2,-0.5,down\n",
        "reviews/vader_amazonReviewSnippets.csv": "id,rating,text\n1,0.4,so-so\n2,-4,broken\n",
        "reviews/pros_cons.csv": "text,label\na,positive\nb,positive\nc,positive\n",
        "reviews/movie_reviews.jsonl": "".join(
            json.dumps({"text": f"{n} two  three\nfour five", "label": "negative"}) + "\n"
            for n in range(4)
        ),
    }
    for name, content in files.items():
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "sources"


def test_sources_become_two_files(sources: Path, tmp_path: Path) -> None:
    sentiment_data.main(sources, tmp_path / "out")
    train, valid = (
        pd.read_csv(tmp_path / "out" / name, keep_default_na=False)
        for name in ("train.csv", "valid.csv")
    )
    assert valid.to_numpy().tolist() == [["it 's a dull film .", "negative"]]
    rows = [tuple(row) for row in train.to_numpy()]
    assert rows[:6] == [
        ('a "fine film', "positive"),
        ("NA", "negative"),
        ("nice", "positive"),  # the sentence that is held out is gone, however it is spelled
        ("up", "positive"),
        ("down", "negative"),
        ("broken", "negative"),
    ]
    assert len(rows[6:8]) == 2
    assert {text for text, _ in rows[6:8]} < {"a", "b", "c"}
    assert rows[8:] == [("three four five", "negative")] * 2


def test_the_files_are_the_same_every_time(sources: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        sentiment_data.main(sources, tmp_path / name)
    for name in ("train.csv", "valid.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
