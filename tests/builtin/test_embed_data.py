import json
from pathlib import Path

import embed_data
import pandas as pd
import pytest


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    pair = "main\tx\t2012\t1\t{}\t{}\t{}\textra\n"
    paragraph = {"context": "Here is one. Here is another!", "qas": [{"question": "Where is it?"}]}
    files = {
        "stsb/sts-train.csv": pair.format(5.0, 'A "plane takes off', "A plane is off"),
        "stsb/sts-dev.csv": pair.format(1.5, "A man is here", "A man is gone"),
        "squad/train.json": json.dumps({"data": [{"paragraphs": [paragraph] * 5}]}),
        "squad/valid.json": json.dumps({"data": [{"paragraphs": [paragraph]}]}),
        "ag_news/train.tsv": "Some news of today\tWorld\n",
        "sst2/train.tsv": "sentence\tlabel\nfar too short\t0\nIt is a dull film\t0\n",
        "sst2/dev.tsv": "sentence\tlabel\nit is a DULL film\t0\n",
        "reviews/sentence_polarity.csv": "text,label\nnice enough for me,positive\n",
        "reviews/pros_cons.csv": "text,label\ntoo short,positive\nnot as short,positive\n",
        "banking77/train.csv": "text,category\nwhere is my card,card\na man is here,x\n",
        "banking77/valid.csv": "text,category\nmy card is lost,card\n",
        "trec/train_5500.label": "LOC:city Which city is it ?\n",
    }
    for name, content in files.items():
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return tmp_path / "sources"


def test_texts_and_pairs(sources: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        embed_data.main(sources, tmp_path / name)
    pairs, valid, texts = (
        pd.read_csv(tmp_path / "a" / name, keep_default_na=False)
        for name in ("pairs.csv", "valid.csv", "texts.csv")
    )
    assert pairs.to_numpy().tolist() == [['A "plane takes off', "A plane is off", 5.0]]
    assert valid.to_numpy().tolist() == [["A man is here", "A man is gone", 1.5]]
    # What is held out for validation is gone, however it is spelled, and so are the shortest.
    assert sorted(texts["text"]) == [
        'A "plane takes off', "A plane is off", "Here is another!", "Here is one.",
        "Some news of today", "Where is it?", "Which city is it ?", "far too short",
        "nice enough for me", "not as short", "where is my card",
    ]  # fmt: skip
    assert (tmp_path / "a" / "texts.csv").read_bytes() == (
        tmp_path / "b" / "texts.csv"
    ).read_bytes()


def test_questions_come_with_the_paragraph_that_misleads_most(
    sources: Path, tmp_path: Path
) -> None:
    contexts = ["The bridge was built in 1900.", "The bridge is red.", "A river flows here."]
    asked = ["When was the bridge built?", "Which colour has the bridge?", "What flows?"]
    paragraphs = [
        {"context": context, "qas": [{"question": question}]}
        for context, question in zip(contexts, asked, strict=True)
    ]
    alone = [{"context": "Only one.", "qas": [{"question": "How many?"}]}]
    data = [{"paragraphs": paragraphs}, {"paragraphs": alone}]
    (sources / "squad" / "train.json").write_text(json.dumps({"data": data}))
    embed_data.main(sources, tmp_path / "out")
    rows = pd.read_csv(tmp_path / "out" / "passages.csv").set_index("question")
    assert rows["passage"].to_dict() == dict(zip(asked, contexts, strict=True))
    assert rows.loc[asked[0], "negative"] == contexts[1]
    assert rows.loc[asked[1], "negative"] == contexts[0]
    valid = pd.read_csv(tmp_path / "out" / "passages-valid.csv")
    assert valid.to_dict("records") == [
        {"question": "Where is it?", "passage": "Here is one. Here is another!"}
    ]
