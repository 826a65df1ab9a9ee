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
    review = "text,label,rating\n" + "".join(f"the thing {n},{n % 2},5\n" for n in range(9))
    for name in sentiment_data._ROWS_PER_LABEL:
        files[f"{name}/train.csv"] = review.replace("thing", name)
    files["imdb/dev.csv"] = "text,label,rating\nThe IMDB 4!,0,1\n"
    files["ag_news/train.tsv"] = "It rained in Oslo.\t1\n"
    files["trec/train_5500.label"] = "HUM:ind Who came ?\n"
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


def table(folder: Path, name: str) -> list[tuple[str, str]]:
    frame = pd.read_csv(folder / "out" / name, keep_default_na=False)
    return [(text, label) for text, label in frame.to_numpy()]


def test_a_source_has_rows_to_train_on_and_rows_aside(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentiment_data, "_HELD_OUT", 0.5)
    sentiment_data.main(sources, tmp_path / "out")
    train = table(tmp_path, "domains.csv")
    aside = table(tmp_path, "dev-flipkart.csv")
    kept = [row for row in train if "flipkart" in row[0]]
    assert sorted(kept + aside) == [
        (f"the flipkart {n}", ("negative", "positive")[n % 2]) for n in range(9)
    ]
    assert 0 < len(aside) < 9
    assert set(aside) <= set(table(tmp_path, "domains-valid.csv"))
    assert table(tmp_path, "dev-imdb.csv") == [("The IMDB 4!", "negative")]
    assert sorted(row[0] for row in train if "imdb" in row[0]) == [
        f"the imdb {n}" for n in range(9) if n != 4
    ]


def test_what_was_trained_on_before_is_not_set_aside(sources: Path, tmp_path: Path) -> None:
    films = [{"text": f"film {n}", "label": "positive"} for n in range(4)]
    (sources / "reviews" / "movie_reviews.jsonl").write_text("\n".join(map(json.dumps, films)))
    sentiment_data.main(sources, tmp_path / "out")
    before = {text for text, _ in table(tmp_path, "train.csv")}
    assert not before & {text for text, _ in table(tmp_path, "dev-pros_cons.csv")}
    aside = {text for text, _ in table(tmp_path, "dev-movie_reviews.csv")}
    assert len(aside) == 2
    assert not before & aside


def test_a_source_is_balanced(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sentiment_data._ROWS_PER_LABEL, "clothing", 1)
    monkeypatch.setattr(sentiment_data, "_HELD_OUT", 0)
    sentiment_data.main(sources, tmp_path / "out")
    labels = [label for text, label in table(tmp_path, "domains.csv") if "clothing" in text]
    assert labels == ["negative", "positive"]


def test_texts_without_an_opinion_have_both_labels(sources: Path, tmp_path: Path) -> None:
    sentiment_data.main(sources, tmp_path / "out")
    train = table(tmp_path, "domains.csv")
    for text in ("It rained in Oslo.", "Who came ?"):
        assert sorted(label for each, label in train if each == text) == ["negative", "positive"]


def test_a_long_text_keeps_its_start_and_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentiment_data, "_START_WORDS", 1)
    monkeypatch.setattr(sentiment_data, "_END_WORDS", 2)
    assert sentiment_data._shortened("a b  c") == "a b  c"
    assert sentiment_data._shortened("a b  c d e") == "a d e"
