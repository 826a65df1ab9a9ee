"""Makes the training and validation data of the built-in entities model.

    python .github/builtin/entities_data.py SOURCES FOLDER

SOURCES holds the data listed in the card of the model. The script writes to FOLDER `train.conll`,
`valid.conll` and, for each source, `dev-NAME.conll`: all with the four types of CoNLL-2003. Of each
source but CoNLL-2003, which has a validation file, the last tenth (of the articles, where they are
known) is set aside for validation.

In the training data words are split at punctuation, as the tokenizer does in running text, so that
the model reads both alike: `U.N.` is an organization of four words. Of large sources a sample is
taken. Small ones are repeated with other names: half of the mentions are replaced by others of
their type from the same source.
"""

import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

Word = tuple[str, str]
Sentence = list[Word]

_HELD_OUT = 0.1
_SWAPPED = 0.5
_SEED = 0
_PARTS = re.compile(r"[^\W_]+|[^\w\s]|_")
_MAX_WORDS = 120

_TYPES = {
    "PER": "Person person politician writer musicalartist scientist researcher",
    "ORG": "Organization corporation group organisation politicalparty band university",
    "LOC": "Location location Facility country",
    "MISC": (
        "NORP Misc Product product creative-work misc event election award book poem magazine "
        "album song academicjournal astronomicalobject conference programlang"
    ),
}
_TYPE_OF = {name: kind for kind, names in _TYPES.items() for name in [kind, *names.split()]}
"""The CoNLL type for each type of another source; what is not listed counts as outside (O)."""

_TIMES = {
    "conll2003": 1.0,
    "ner_tweets": 1.0,
    "ner_web": 2.0,
    "ner_finance": 2.0,
    "ner_world_news": 0.5,
    "ner_wiki_domains": 0.5,
    "wnut17": 1.0,
}
"""The share of a source that is used; 2 is all of it twice, the second time with other names."""


def main(sources: Path, folder: Path) -> None:
    """Write the files and print the number of sentences per source."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(_SEED)
    train: list[Sentence] = []
    valid: list[Sentence] = []
    for name, times in _TIMES.items():
        kept, aside = _read(sources / name)
        _write(folder / f"dev-{name}.conll", aside)
        valid += aside
        mentions = _mentions(kept)
        train += kept if times >= 1 else draw.sample(kept, round(times * len(kept)))
        if times > 1:
            train += [_swapped(each, mentions, draw) for each in kept]
        sys.stdout.write(f"{name}: {len(kept)} sentences {times} times, {len(aside)} aside\n")
    draw.shuffle(train)
    _write(folder / "train.conll", map(_split, train))
    _write(folder / "valid.conll", valid)


def _read(folder: Path) -> tuple[list[Sentence], list[Sentence]]:
    """Return the sentences to train on and those set aside."""
    if (folder / "valid.txt").is_file():
        return _sentences(folder / "train.txt"), _sentences(folder / "valid.txt")
    kept: list[Sentence] = []
    aside: list[Sentence] = []
    for path in sorted(folder.glob("*.conll")):
        articles = _articles(_sentences(path))
        cut = round(len(articles) * (1 - _HELD_OUT))
        kept += [sentence for article in articles[:cut] for sentence in article]
        aside += [sentence for article in articles[cut:] for sentence in article]
    return kept, aside


def _sentences(path: Path) -> list[Sentence]:
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for has_words, block in groupby(lines, key=lambda line: bool(line.strip())):
        if has_words:
            rows = [line.split("\t" if "\t" in line else " ") for line in block]
            found.append([(row[0], _tag(row[1])) for row in rows])
    return found


def _tag(tag: str) -> str:
    position, _, name = tag.partition("-")
    return f"{position}-{_TYPE_OF[name]}" if name in _TYPE_OF else "O"


def _articles(sentences: list[Sentence]) -> list[list[Sentence]]:
    """Group sentences by article, which begins with its address; else each is its own."""
    if not sentences[0][0][0].startswith("http"):
        return [[sentence] for sentence in sentences]
    articles: list[list[Sentence]] = []
    for sentence in sentences:
        if len(sentence) == 1 and sentence[0][0].startswith("http"):
            articles.append([])
        else:
            articles[-1].append(sentence)
    return articles


def _spans(sentence: Sentence) -> Iterator[tuple[str, list[str]]]:
    """Yield the type of each mention and its words; words outside have the type O."""
    kind, words = "O", list[str]()
    for word, tag in sentence:
        if words and not (tag[0] == "I" and tag[2:] == kind):
            yield kind, words
            words = []
        kind = tag[2:] or "O"
        words.append(word)
    yield kind, words


def _mentions(sentences: Iterable[Sentence]) -> dict[str, list[list[str]]]:
    found = defaultdict(list)
    for sentence in sentences:
        for kind, words in _spans(sentence):
            found[kind].append(words)
    return found


def _swapped(
    sentence: Sentence, mentions: dict[str, list[list[str]]], draw: random.Random
) -> Sentence:
    result: Sentence = []
    for kind, words in _spans(sentence):
        if kind == "O":
            result += [(word, "O") for word in words]
            continue
        chosen = draw.choice(mentions[kind]) if draw.random() < _SWAPPED else words
        result += _tagged(chosen, kind)
    return result


def _tagged(words: Sequence[str], kind: str) -> Sentence:
    return [(word, f"{'I' if place else 'B'}-{kind}") for place, word in enumerate(words)]


def _split(sentence: Sentence) -> Sentence:
    """Split words at punctuation; the parts of a mention stay in it."""
    result: Sentence = []
    for word, tag in sentence:
        for place, part in enumerate(_PARTS.findall(word) or [word]):
            inside = f"I-{tag[2:]}" if tag != "O" and place else tag
            result.append((part, inside))
    return result[:_MAX_WORDS]


def _write(path: Path, sentences: Iterable[Sentence]) -> None:
    blocks = ["".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences]
    path.write_text("\n".join(blocks), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
