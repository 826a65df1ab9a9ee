"""Faults of the rows to learn from, found before any step: each counted, with examples.

Texts are compared without regard to case and white space. Every check is one pass over the rows.
"""

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence, Sized
from dataclasses import dataclass
from hashlib import blake2b

from distilcli.training.findings import MOST_EXAMPLES, Finding
from distilcli.training.label_typos import find_typos

FEWEST_ROWS = 10  # with fewer of a label, a tenth set aside for validation holds none of them
_EXCERPT = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedRows:
    """What the checks look at.

    `labels` are those of each row: one for `classify`, any number for `multilabel`, the types of
    its entities for `tag`; None where labels are not what is learned. `known` are labels that the
    model will have whether or not a row has them. `pairs` are second texts: of a pair, or the
    context of a question. `places` are file and line of each row; without them
    rows are counted from 1.
    """

    name: str
    texts: Sequence[str]
    pairs: Sequence[str] | None = None
    labels: Sequence[tuple[str, ...]] | None = None
    known: Sequence[str] = ()
    places: Sequence[tuple[str, int]] | None = None

    def place(self, index: int) -> str:
        """Say where a row is."""
        if self.places is None:
            return f"{self.name}: row {index + 1}"
        file, line = self.places[index]
        return f"{file}: line {line}"


def check_texts(train: CheckedRows, valid: CheckedRows | None = None) -> list[Finding]:
    """Find data without rows, empty texts, duplicates, and rows to validate on that are learned.

    Rows are the same if their texts are (and their second texts, for pairs). Rows whose first text
    is empty are counted as that alone.
    """
    parts = [train] if valid is None else [train, valid]
    found = [_no_rows(rows) for rows in parts if not rows.texts]
    found += [finding for rows in parts if (finding := _empty_texts(rows))]
    first: dict[bytes, int] = {}
    repeated: list[tuple[int, int]] = []
    contradicted: dict[bytes, tuple[int, int]] = {}
    for index, key in _keys(train):
        earlier = first.setdefault(key, index)
        if earlier == index:
            continue
        if train.labels is None or set(train.labels[earlier]) == set(train.labels[index]):
            repeated.append((earlier, index))
        else:
            contradicted.setdefault(key, (earlier, index))
    if repeated:
        found.append(_duplicates(train, repeated))
    if contradicted:
        found.append(_contradictions(train, list(contradicted.values())))
    if valid is not None:
        leaks = [(first[key], index) for index, key in _keys(valid) if key in first]
        if leaks:
            found.append(_leaks(train, valid, leaks))
    return found


def check_labels(
    train: CheckedRows,
    valid: CheckedRows | None = None,
    *,
    exclusive: bool = True,
    fewest: int = FEWEST_ROWS,
) -> list[Finding]:
    """Find labels that cannot be learned, or that look like another one with a typing error.

    `exclusive` says that a row has one label, so that there must be two to choose from. Labels of
    fewer than `fewest` rows are named.
    """
    counts = Counter(label for row in train.labels or () for label in row)
    if not counts:
        return []  # no rows: that is `check_texts`'
    found = []
    known = {*counts, *train.known}
    if exclusive and len(known) == 1:
        found.append(_one_label(train, next(iter(counts))))
    if typos := find_typos(counts):
        message = f"{_counted(typos, 'label looks', 'labels look')} like a typing error"
        examples = tuple(
            f"{_where(train, label)}: {label!r} ({_rows(counts[label])}), did you mean "
            f"{meant!r} ({_rows(counts[meant])})?"
            for label, meant in list(typos.items())[:MOST_EXAMPLES]
        )
        found.append(Finding("label typo", message, len(typos), examples))
    if small := sorted((count, label) for label, count in counts.items() if count < fewest):
        message = f"{_counted(small, 'label has', 'labels have')} fewer than {fewest} rows"
        examples = tuple(f"{label!r}: {_rows(count)}" for count, label in small[:MOST_EXAMPLES])
        found.append(Finding("small label", message, len(small), examples))
    if valid is not None and (finding := _unknown_labels(valid, known)):
        found.append(finding)
    return found


def check_answers(
    rows: CheckedRows, answers: Sequence[Sequence[tuple[str, int | None]]]
) -> list[Finding]:
    """Find answers, as (text, offset in characters), that are not in their context at the offset.

    The contexts are the second texts of `rows`. A row may have no answer, an answer no offset. It
    is an error if no answer at all is in its context.
    """
    total = 0
    moved: list[str] = []
    missing: list[str] = []
    for index, (context, given) in enumerate(zip(rows.pairs or (), answers, strict=True)):
        total += len(given)
        for text, start in given:
            if start is not None and start >= 0 and context.startswith(text, start):
                continue
            nearest = _nearest(context, text, start or 0)
            where = f"{rows.place(index)}: {_excerpt(text)}"
            if nearest is None:
                missing.append(where)
            elif start is not None:
                moved.append(f"{where} is at {nearest:,}, not {start:,}")
    found = []
    if missing:
        message = f"{rows.name}: {_counted(missing, 'answer is', 'answers are')} not in the context"
        if every := len(missing) == total:
            message += ", and no other is; check the columns of context and answer"
        found.append(Finding("missing answer", message, len(missing), _first(missing), every))
    if moved:
        message = (
            f"{rows.name}: {_counted(moved, 'answer is', 'answers are')} elsewhere in the context"
        )
        found.append(Finding("moved answer", message, len(moved), _first(moved)))
    return found


def check_lengths(rows: CheckedRows, lengths: Sequence[int], limit: int) -> list[Finding]:
    """Find rows of more tokens than `limit`, which are cut; `lengths` count them before the cut."""
    over = [index for index, length in enumerate(lengths) if length > limit]
    if not over:
        return []
    lost, total = sum(lengths[index] - limit for index in over), sum(lengths)
    longest = sorted(over, key=lambda index: -lengths[index])[:MOST_EXAMPLES]
    message = (
        f"{rows.name}: {_counted(over, 'row is', 'rows are')} cut at {limit:,} tokens: "
        f"{lost:,} of {total:,} tokens are lost ({lost / total:.1%})"
    )
    examples = tuple(f"{rows.place(index)}: {lengths[index]:,} tokens" for index in longest)
    return [Finding("too long", message, len(over), examples)]


def _no_rows(rows: CheckedRows) -> Finding:
    return Finding("no rows", f"{rows.name}: holds no rows", 1, is_error=True)


def _empty_texts(rows: CheckedRows) -> Finding | None:
    seconds = rows.texts if rows.pairs is None else rows.pairs
    both = zip(rows.texts, seconds, strict=True)
    empty = [index for index, texts in enumerate(both) if not all(map(str.strip, texts))]
    if not empty:
        return None
    message = f"{rows.name}: {_counted(empty, 'row has', 'rows have')} an empty text"
    if every := len(empty) == len(rows.texts):
        message += ", and no other row is there; check --text-column"
        message += "" if rows.pairs is None else " and --pair-column"
    examples = tuple(rows.place(index) for index in empty[:MOST_EXAMPLES])
    return Finding("empty text", message, len(empty), examples, every)


def _duplicates(train: CheckedRows, pairs: Sequence[tuple[int, int]]) -> Finding:
    message = f"{_counted(pairs, 'training row is', 'training rows are')} there more than once"
    return Finding("duplicate", message, len(pairs), _repetitions(train, train, pairs))


def _leaks(train: CheckedRows, valid: CheckedRows, pairs: Sequence[tuple[int, int]]) -> Finding:
    message = (
        f"{_counted(pairs, 'row', 'rows')} to validate on ({len(pairs) / len(valid.texts):.1%}) "
        f"{'is a training row' if len(pairs) == 1 else 'are training rows'} too, "
        "so that the figures will flatter"
    )
    return Finding("leak", message, len(pairs), _repetitions(train, valid, pairs))


def _repetitions(
    first: CheckedRows, again: CheckedRows, pairs: Sequence[tuple[int, int]]
) -> tuple[str, ...]:
    return tuple(
        f"{again.place(index)}: {_excerpt(again.texts[index])}, as {first.place(earlier)}"
        for earlier, index in pairs[:MOST_EXAMPLES]
    )


def _contradictions(train: CheckedRows, pairs: Sequence[tuple[int, int]]) -> Finding:
    labels = train.labels or ()

    def told(index: int) -> str:
        return f"{', '.join(map(repr, labels[index])) or 'no label'} ({train.place(index)})"

    message = f"{_counted(pairs, 'text has', 'texts have')} different labels in the training rows"
    examples = tuple(
        f"{_excerpt(train.texts[index])}: {told(earlier)}, {told(index)}"
        for earlier, index in pairs[:MOST_EXAMPLES]
    )
    return Finding("contradiction", message, len(pairs), examples)


def _one_label(train: CheckedRows, label: str) -> Finding:
    message = (
        f"{train.name}: every row has the label {label!r}; a classifier needs at least two labels"
    )
    return Finding("one label", message, len(train.texts), is_error=True)


def _unknown_labels(valid: CheckedRows, known: Collection[str]) -> Finding | None:
    counts = Counter(label for row in valid.labels or () for label in row if label not in known)
    if not counts:
        return None
    examples = []
    for label, count in counts.most_common(MOST_EXAMPLES):
        near = difflib.get_close_matches(label, known, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        examples.append(f"{_where(valid, label)}: {label!r} ({_rows(count)}){hint}")
    message = (
        f"{valid.name}: has {_counted(counts, 'label', 'labels')} that the training rows do not"
    )
    return Finding("unknown label", message, len(counts), tuple(examples), is_error=True)


def _keys(rows: CheckedRows) -> Iterator[tuple[int, bytes]]:
    """Yield the index of each row that has a text, and what is compared of it."""
    for index, text in enumerate(rows.texts):
        if words := text.casefold().split():
            second = rows.pairs[index].casefold().split() if rows.pairs is not None else ()
            content = " ".join((*words, "\0", *second))
            # Texts may be long and many: a digest of each is what is kept.
            yield index, blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _nearest(context: str, text: str, start: int) -> int | None:
    """Return where `text` stands in `context` nearest to `start`, None if nowhere."""
    before = context.rfind(text, 0, max(0, start) + len(text))
    after = context.find(text, max(0, start))
    found = [place for place in (before, after) if place >= 0]
    return min(found, key=lambda place: abs(place - start), default=None)


def _where(rows: CheckedRows, label: str) -> str:
    """Say where a label occurs first."""
    return rows.place(next(i for i, row in enumerate(rows.labels or ()) if label in row))


def _first(examples: Sequence[str]) -> tuple[str, ...]:
    return tuple(examples[:MOST_EXAMPLES])


def _excerpt(text: str) -> str:
    words = " ".join(text.split())
    return repr(words if len(words) <= _EXCERPT else words[: _EXCERPT - 1] + "…")


def _counted(things: Sized, one: str, more: str) -> str:
    return f"{len(things):,} {one if len(things) == 1 else more}"


def _rows(count: int) -> str:
    return f"{count:,} row" + ("" if count == 1 else "s")
