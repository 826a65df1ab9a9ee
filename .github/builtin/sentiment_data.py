"""Makes the training and validation data of the built-in sentiment model.

    python .github/builtin/sentiment_data.py SOURCES FOLDER

SOURCES holds `sst2/` (SST-2 train and dev) and `reviews/` (sentence polarity, movie reviews,
pros and cons, rated movie and Amazon snippets); the card of the model lists them. The script
writes to FOLDER `train.csv`, `sentences.csv` (its whole sentences) and `valid.csv`, with columns
`text` and `label`, ready for `distil finetune`. No validation sentence, however it is spelled, is
in the training data.
"""

import csv
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
    ends = frame["text"].map(lambda text: " ".join(text.split()[-_VERDICT_WORDS:]))
    return _labelled_texts(ends, frame["label"])


def _labelled_texts(texts: pd.Series, labels: pd.Series) -> pd.DataFrame:
    frame: pd.DataFrame = pd.DataFrame({"text": texts, "label": labels})
    return frame


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
