"""Makes the training and validation data of the second stage of the built-in qa model.

    python .github/builtin/qa_data.py SOURCES FOLDER

SOURCES holds the data listed in the card of the model. The script writes to FOLDER `train.jsonl`,
`valid.jsonl`, and a `dev-NAME.jsonl` for each source; a row without an answer in its context has
an empty list of answers. SQuAD 1.1 has no such questions, so they are made from it in two ways:

- *moved*: a question before the paragraph of its article that shares most rare words with it, but
  does not contain its answer;
- *changed*: a question before its own paragraph, with a name or a number in it replaced by one from
  elsewhere in the article, a word by its opposite, or a verb denied.
"""

import json
import math
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_SEED = 0
_HELD_OUT = 0.1
_MAX_WORDS = 150  # of a paragraph of SQuAD
_TRAIN = {"asked": 500, "moved": 400, "changed": 700}
_VALID = {"asked": 300, "moved": 150, "changed": 150}
_MAX_ROWS = {"qamr": 3_000, "covidqa": 120}

_WORD = re.compile(r"\w+")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w-]+(?: (?:of (?:the )?)?[A-Z][\w-]+)*")
_NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")
_VERB = re.compile(r"\b(did|does|do|was|were|is|are|has|have|had|could|would)\b")
_OPPOSITES = (
    "first last|largest smallest|biggest smallest|highest lowest|most least|more less|"
    "before after|north south|northern southern|east west|eastern western|early late|"
    "earliest latest|oldest youngest|old new|greater smaller|larger smaller|high low|"
    "higher lower|increase decrease|increased decreased|begin end|began ended|start end|"
    "started ended|win lose|won lost|allow forbid|allowed prohibited|male female|men women|"
    "above below|inside outside|longest shortest|long short|major minor|many few|born died|"
    "common rare|positive negative|strong weak|best worst|public private|always never|"
    "enter leave|entered left|join leave|joined left|support oppose|supported opposed|"
    "similar different|same different|rise fall|rose fell|majority minority|success failure"
)
_OPPOSITE = {
    word: other
    for first, second in (pair.split() for pair in _OPPOSITES.split("|"))
    for word, other in ((first, second), (second, first))
}
_ANY_OPPOSITE = re.compile(rf"\b(?:{'|'.join(_OPPOSITE)})\b")


@dataclass(frozen=True)
class Row:
    """A question before a context; `answer` and `answer_start` are None if it has none there."""

    id: str
    question: str
    context: str
    answer: str | None
    answer_start: int | None


def main(sources: Path, folder: Path) -> None:
    """Write the files and print the number of rows per source."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(_SEED)
    train: list[Row] = []
    valid: list[Row] = []
    squad = sources / "squad"
    parts = {"squad": (_squad(squad / "train.json", _TRAIN, draw),
                       _squad(squad / "valid.json", _VALID, draw))}  # fmt: skip
    for name, most in _MAX_ROWS.items():
        kept, aside = _halves(_rows(sources / name / "train.jsonl"))
        parts[name] = draw.sample(kept, min(len(kept), most)), aside
    for name, (kept, aside) in parts.items():
        _write(folder / f"dev-{name}.jsonl", aside)
        train += kept
        valid += aside
        sys.stdout.write(f"{name}: {len(kept)} rows, {len(aside)} aside\n")
    draw.shuffle(train)
    _write(folder / "train.jsonl", train)
    _write(folder / "valid.jsonl", valid)


def _rows(path: Path) -> list[Row]:
    return [Row(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _halves(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Set aside the rows of the last contexts of a file."""
    contexts = list(dict.fromkeys(row.context for row in rows))
    held_out = set(contexts[round(len(contexts) * (1 - _HELD_OUT)) :])
    kept = [row for row in rows if row.context not in held_out]
    return kept, [row for row in rows if row.context in held_out]


def _squad(path: Path, wanted: dict[str, int], draw: random.Random) -> list[Row]:
    found: dict[str, list[Row]] = {name: [] for name in wanted}
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        paragraphs = [list(_asked(each)) for each in article["paragraphs"]]
        paragraphs = [rows for rows in paragraphs if rows]
        contexts = [rows[0].context for rows in paragraphs]
        bags = [set(_words(context)) for context in contexts]
        counts = Counter(word for bag in bags for word in bag)
        rarity = {word: math.log(len(bags) / count) for word, count in counts.items()}
        names = sorted({name for text in contexts for name in _NAME.findall(text)})
        numbers = sorted({number for text in contexts for number in _NUMBER.findall(text)})
        for rows in paragraphs:
            for row in rows:
                found["asked"].append(row)
                found["moved"] += _moved(row, contexts, bags, rarity)
                found["changed"] += _changed(row, names, numbers, draw)
    return [
        row
        for name, rows in found.items()
        for row in draw.sample(rows, min(len(rows), wanted[name]))
    ]


def _asked(paragraph: dict[str, object]) -> Iterator[Row]:
    context, questions = paragraph["context"], paragraph["qas"]
    assert isinstance(context, str) and isinstance(questions, list)  # noqa: S101, PT018
    if len(context.split()) <= _MAX_WORDS:
        for each in questions:
            answer = each["answers"][0]
            yield Row(each["id"], each["question"], context, answer["text"], answer["answer_start"])


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _moved(
    row: Row, contexts: Sequence[str], bags: Sequence[set[str]], rarity: dict[str, float]
) -> Iterator[Row]:
    asked = set(_words(row.question))
    answer = (row.answer or "").lower()
    shared = [math.fsum(rarity[word] for word in asked & bag) for bag in bags]
    for place in sorted(range(len(contexts)), key=lambda each: -shared[each]):
        if contexts[place] != row.context and answer not in contexts[place].lower():
            yield _unanswered(row, "moved", context=contexts[place])
            return


def _changed(
    row: Row, names: Sequence[str], numbers: Sequence[str], draw: random.Random
) -> Iterator[Row]:
    """Yield a changed question; its kind is drawn from those that are possible."""
    possible = []
    for pattern, others in ((_NAME, names), (_NUMBER, numbers)):
        other = [each for each in others if each not in row.context and each not in row.question]
        if (match := pattern.search(row.question)) and match[0] in row.context and other:
            alike = [each for each in other if _shape(each) == _shape(match[0])]
            possible.append((match, draw.choice(alike or other)))
    if match := _ANY_OPPOSITE.search(row.question):
        possible.append((match, _OPPOSITE[match[0]]))
    elif not possible and (match := _VERB.search(row.question)):
        possible.append((match, f"{match[0]}n't"))
    if possible:
        match, text = draw.choice(possible)
        question = row.question[: match.start()] + text + row.question[match.end() :]
        yield _unanswered(row, "changed", question=question)


def _shape(text: str) -> str | int:
    """Return the form of a number, or how many words a name has."""
    return re.sub(r"\d", "0", text) if text[0].isdigit() else len(text.split())


def _unanswered(row: Row, how: str, *, question: str = "", context: str = "") -> Row:
    return replace(
        row,
        id=f"{row.id}-{how}",
        question=question or row.question,
        context=context or row.context,
        answer=None,
        answer_start=None,
    )


def _write(path: Path, rows: Sequence[Row]) -> None:
    lines = []
    for row in rows:
        record = asdict(row)
        if row.answer is None:
            record["answer"] = []  # an empty cell could be an answer that nobody has given
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    path.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
