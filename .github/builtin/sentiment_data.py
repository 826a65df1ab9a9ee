"""Makes the training and validation data of the built-in sentiment model.

    python .github/builtin/sentiment_data.py SOURCES FOLDER

SOURCES holds the data listed in the card of the model. The script writes to FOLDER, with columns
`text` and `label`, ready for `distil finetune`:

- `train.csv`, `sentences.csv` (its whole sentences) and `valid.csv`: films, and snippets about
  products, to learn what an opinion is;
- `domains.csv` and `domains-valid.csv`: reviews of many things, as many rows of one source as of
  another where it has them, to know opinions wherever they are;
- a `dev-NAME.csv` for each source, to measure. Of sources without such a file a share is set aside.

Texts without an opinion are in `domains.csv` twice, once with each label: the best that a model can
do with them is a score of one half. No validation text, however it is spelled, is in the training
data.
"""

import csv
import hashlib
import re
import sys
from pathlib import Path

import pandas as pd

# Mean human ratings (-4 to 4) nearer to zero than this are neutral.
_CLEAR_RATING = 0.5
_PROS_CONS_ROWS = 10_000
_LONG_REVIEWS = 1_000  # half of them; the other half is for evaluation on long texts
_VERDICT_WORDS = 90
_SENTENCE_WORDS = 5
_SEED = 0

_ROWS_PER_LABEL = {
    "imdb": 2_000,
    "amazon_reviews": 2_600,
    "amazon_music_gear": 700,
    "amazon_alexa": 500,
    "product_sentences": 2_000,
    "clothing": 500,
    "flipkart": 1_000,
    "hotels_lasvegas": 2_500,
    "hotels_chennai": 800,
    "app_reviews": 4_500,
    "airline_reviews": 1_000,
}
_PROS_CONS_PER_LABEL = 2_500
_SST_PHRASES = 6_000
_HELD_OUT = 0.15
_VALID_ROWS = 150  # of each source, to choose by; `dev-NAME.csv` has all
_START_WORDS, _END_WORDS = 60, 120  # what is kept of longer texts
_NO_OPINION = {"ag_news": 500, "trec": 200, "snippets": 400}
_NO_RATING = 0.25


def main(sources: Path, folder: Path) -> None:
    """Write the files and print the number of rows per source."""
    folder.mkdir(parents=True, exist_ok=True)
    valid = _sst2(sources / "sst2" / "dev.tsv")
    reviews = sources / "reviews"
    parts = {
        "SST-2 train": _sst2(sources / "sst2" / "train.tsv"),
        "sentence polarity": _labelled(reviews / "sentence_polarity.csv"),
        "movie snippets": _rated(reviews / "vader_movieReviewSnippets.csv"),
        "Amazon snippets": _rated(reviews / "vader_amazonReviewSnippets.csv"),
        "pros and cons": _labelled(reviews / "pros_cons.csv").sample(
            _PROS_CONS_ROWS, random_state=_SEED
        ),
        "movie reviews": _verdicts(reviews / "movie_reviews.jsonl"),
    }
    held_out = set(valid["text"].map(_letters))
    for name, part in parts.items():
        known = part["text"].map(_letters).isin(held_out)
        parts[name] = part.loc[~known, ["text", "label"]]
        sys.stdout.write(f"{name}: {len(parts[name])} rows, {known.sum()} excluded\n")
    train = pd.concat(parts.values())
    train.to_csv(folder / "train.csv", index=False)
    train[_is_sentence(train["text"])].to_csv(folder / "sentences.csv", index=False)
    valid.to_csv(folder / "valid.csv", index=False)
    _domains(sources, folder, parts | {"SST-2 dev": valid})


def _domains(sources: Path, folder: Path, known: dict[str, pd.DataFrame]) -> None:
    """Write the files of many domains; `known` are the parts of the first stage."""
    train: dict[str, pd.DataFrame] = {}
    dev: dict[str, pd.DataFrame] = {"sst2": known["SST-2 dev"]}
    for name, rows in _ROWS_PER_LABEL.items():
        kept, dev[name] = _reviews(sources / name)
        train[name] = _balanced(kept, rows)
    reviews = sources / "reviews"
    seen = pd.concat([known["pros and cons"], known["movie reviews"]])["text"].map(_letters)
    pros_cons = _labelled(reviews / "pros_cons.csv")
    kept, dev["pros_cons"] = _split(pros_cons[~pros_cons["text"].map(_letters).isin(seen)])
    train["pros_cons"] = _balanced(kept, _PROS_CONS_PER_LABEL)
    films = pd.read_json(reviews / "movie_reviews.jsonl", lines=True)
    ends = _verdicts_of(films["text"]).map(_letters)
    dev["movie_reviews"] = films.loc[~ends.isin(seen), ["text", "label"]]
    train["movie_reviews"] = films.loc[ends.isin(seen), ["text", "label"]]
    phrases = known["SST-2 train"]
    whole = _is_sentence(phrases["text"])
    train["sst2"] = pd.concat([phrases[whole], _sample(phrases[~whole], _SST_PHRASES)])
    train["snippets"] = known["Amazon snippets"]
    train["no opinion"] = _without_opinion(sources)
    held_out = set(pd.concat(dev.values())["text"].map(_letters))
    for name, part in train.items():
        rows = part[~part["text"].map(_letters).isin(held_out)]
        train[name] = rows.assign(text=rows["text"].map(_shortened))[["text", "label"]]
        sys.stdout.write(f"{name}: {len(train[name])} rows, {len(dev.get(name, ()))} aside\n")
    for name, part in dev.items():
        part[["text", "label"]].to_csv(folder / f"dev-{name}.csv", index=False)
    pd.concat(train.values()).to_csv(folder / "domains.csv", index=False)
    valid = pd.concat(_sample(part, _VALID_ROWS) for part in dev.values())[["text", "label"]]
    valid.assign(text=valid["text"].map(_shortened)).to_csv(
        folder / "domains-valid.csv", index=False
    )


def _reviews(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the reviews to train on and those set aside."""
    if (folder / "dev.csv").is_file():
        return _named(_labelled(folder / "train.csv")), _named(_labelled(folder / "dev.csv"))
    return _split(_named(_labelled(folder / "train.csv")))


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(label=frame["label"].map({0: "negative", 1: "positive"}))


def _split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set aside a share that depends on the texts alone."""
    aside = frame["text"].map(lambda text: _share(_letters(text)) < _HELD_OUT)
    return frame[~aside], frame[aside]


def _share(text: str) -> float:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


def _balanced(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Sample up to `rows` of each label."""
    return pd.concat(_sample(part, rows) for _, part in frame.groupby("label"))


def _sample(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    return frame.sample(min(rows, len(frame)), random_state=_SEED)


def _without_opinion(sources: Path) -> pd.DataFrame:
    news = (sources / "ag_news" / "train.tsv").read_text(encoding="utf-8").splitlines()
    questions = (sources / "trec" / "train_5500.label").read_text(encoding="latin-1").splitlines()
    snippets = _labelled(sources / "reviews" / "vader_amazonReviewSnippets.csv")
    texts = {
        "ag_news": [line.rsplit("\t", 1)[0] for line in news],
        "trec": [line.split(" ", 1)[1] for line in questions],
        "snippets": snippets.loc[snippets["rating"].abs() <= _NO_RATING, "text"],
    }
    chosen = pd.concat(
        _sample(pd.DataFrame({"text": list(texts[name])}), rows)
        for name, rows in _NO_OPINION.items()
    )
    return pd.concat([chosen.assign(label="negative"), chosen.assign(label="positive")])


def _shortened(text: str) -> str:
    """Keep the start of a long text, and the end, which holds the verdict."""
    words = text.split()
    if len(words) <= _START_WORDS + _END_WORDS:
        return text
    return " ".join([*words[:_START_WORDS], *words[-_END_WORDS:]])


def _is_sentence(texts: pd.Series) -> pd.Series:
    """Tell whole sentences from SST-2's phrases by length and punctuation."""
    long_enough = texts.map(lambda text: len(text.split())) >= _SENTENCE_WORDS
    return long_enough & texts.str.strip().str.endswith((".", "!", "?"))


def _labelled(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_csv(path, keep_default_na=False)
    return frame


def _sst2(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, sep="\t", quoting=csv.QUOTE_NONE, keep_default_na=False)
    labels = frame["label"].map({0: "negative", 1: "positive"})
    return _labelled_texts(frame["sentence"].str.strip(), labels)


def _rated(path: Path) -> pd.DataFrame:
    frame = _labelled(path)
    frame = frame[frame["rating"].abs() >= _CLEAR_RATING]
    labels = (frame["rating"] > 0).map({False: "negative", True: "positive"})
    return _labelled_texts(frame["text"], labels)


def _verdicts(path: Path) -> pd.DataFrame:
    """Take the ends of long reviews, which hold the verdict."""
    frame = pd.read_json(path, lines=True).sample(_LONG_REVIEWS, random_state=_SEED)
    return _labelled_texts(_verdicts_of(frame["text"]), frame["label"])


def _verdicts_of(texts: pd.Series) -> pd.Series:
    return texts.map(lambda text: " ".join(text.split()[-_VERDICT_WORDS:]))


def _labelled_texts(texts: pd.Series, labels: pd.Series) -> pd.DataFrame:
    frame: pd.DataFrame = pd.DataFrame({"text": texts, "label": labels})
    return frame


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
