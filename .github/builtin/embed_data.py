"""Makes the training data of the built-in models mini and embed.

    python .github/builtin/embed_data.py SOURCES FOLDER

SOURCES holds the data listed in the cards of the models. The script writes to FOLDER `texts.csv`
(sentences without labels, for distillation), `pairs.csv` and `valid.csv` (the train and dev pairs
of the STS benchmark with their scores), `passages.csv` (questions of SQuAD with the paragraph that
answers them and another of the same article) and `passages-valid.csv` (the same without the other
paragraph, from other articles). No text of a validation set is in `texts.csv`.
"""

import csv
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_MIN_WORDS, _MAX_WORDS = 3, 64
_MAX_PER_SOURCE = 16_000
_VALID_PASSAGES = 1_000
_SEED = 0


def main(sources: Path, folder: Path) -> None:
    """Write the files and print the number of texts per source."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_passages(sources / "squad", folder)
    pairs, valid = _pairs(sources, "train"), _pairs(sources, "dev")
    pairs.to_csv(folder / "pairs.csv", index=False)
    valid.to_csv(folder / "valid.csv", index=False)
    parts = {
        "STS benchmark": [*pairs["sentence1"], *pairs["sentence2"]],
        "SQuAD": list(_squad(sources / "squad" / "train.json")),
        "AG news": _table(sources / "ag_news" / "train.tsv", 0),
        "SST-2": _table(sources / "sst2" / "train.tsv", "sentence"),
        "sentence polarity": _table(sources / "reviews" / "sentence_polarity.csv", "text"),
        "pros and cons": _table(sources / "reviews" / "pros_cons.csv", "text"),
        "banking": _table(sources / "banking77" / "train.csv", "text"),
        "questions": _questions(sources / "trec" / "train_5500.label"),
    }
    held_out = {*valid["sentence1"], *valid["sentence2"]}
    held_out.update(_table(sources / "sst2" / "dev.tsv", "sentence"))
    held_out.update(_table(sources / "banking77" / "valid.csv", "text"))
    known = {_letters(text) for text in held_out}
    texts: list[str] = []
    for name, part in parts.items():
        kept = pd.Series(part).drop_duplicates()
        kept = kept[kept.map(_is_usable) & ~kept.map(_letters).isin(known)]
        kept = kept.sample(min(len(kept), _MAX_PER_SOURCE), random_state=_SEED)
        texts += kept.tolist()
        sys.stdout.write(f"{name}: {len(kept)} texts\n")
    pd.DataFrame({"text": texts}).to_csv(folder / "texts.csv", index=False)


def _pairs(sources: Path, part: str) -> pd.DataFrame:
    names = ["genre", "file", "year", "id", "score", "sentence1", "sentence2"]
    frame = pd.read_csv(
        sources / "stsb" / f"sts-{part}.csv",
        sep="\t", names=names, usecols=range(len(names)), quoting=csv.QUOTE_NONE,
    )  # fmt: skip
    pairs: pd.DataFrame = frame[["sentence1", "sentence2", "score"]]
    return pairs


def _table(path: Path, column: str | int) -> list[str]:
    is_tab = path.suffix == ".tsv"
    frame = pd.read_csv(
        path,
        sep="\t" if is_tab else ",",
        quoting=csv.QUOTE_NONE if is_tab else csv.QUOTE_MINIMAL,
        header=None if isinstance(column, int) else 0,
        keep_default_na=False,
    )
    return [text.strip() for text in frame[column]]


def _squad(path: Path) -> Iterator[str]:
    """Yield the questions and the context's sentences of every fourth paragraph."""
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"][::4]:
            yield from _SENTENCE_END.split(paragraph["context"])
            yield from (question["question"] for question in paragraph["qas"])


def _write_passages(squad: Path, folder: Path) -> None:
    train = [row for article in _articles(squad / "train.json") for row in _hard(article)]
    frame = pd.DataFrame(train, columns=["question", "passage", "negative"])
    frame = frame.sample(frac=1, random_state=_SEED)
    frame.to_csv(folder / "passages.csv", index=False)
    valid = [
        (questions[0], passage)
        for article in _articles(squad / "valid.json")
        for passage, questions in article
    ]
    frame = pd.DataFrame(valid, columns=["question", "passage"])
    frame = frame.sample(min(len(frame), _VALID_PASSAGES), random_state=_SEED)
    frame.to_csv(folder / "passages-valid.csv", index=False)


def _articles(path: Path) -> Iterator[list[tuple[str, list[str]]]]:
    """Yield the paragraphs of each article with their questions."""
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        yield [
            (paragraph["context"], [question["question"] for question in paragraph["qas"]])
            for paragraph in article["paragraphs"]
            if paragraph["qas"]
        ]


def _hard(article: list[tuple[str, list[str]]]) -> Iterator[tuple[str, str, str]]:
    """Yield each paragraph after one of its questions and before the most misleading paragraph.

    That is the one which shares most with the question: each common word counts as much as it is
    rare in the article (idf).
    """
    words = [set(_WORD.findall(passage.lower())) for passage, _ in article]
    found_in = Counter(word for each in words for word in each)
    idf = {word: math.log(len(article) / count) for word, count in found_in.items()}
    for index, (passage, questions) in enumerate(article):
        question = questions[index % len(questions)]
        asked = set(_WORD.findall(question.lower()))
        shared = [sum(idf[word] for word in asked & each) for each in words]
        others = [other for other, (text, _) in enumerate(article) if text != passage]
        if others:
            yield question, passage, article[max(others, key=shared.__getitem__)][0]


def _questions(path: Path) -> list[str]:
    lines = path.read_text(encoding="latin-1").splitlines()
    return [line.partition(" ")[2] for line in lines]


def _is_usable(text: str) -> bool:
    return _MIN_WORDS <= len(text.split()) <= _MAX_WORDS


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
