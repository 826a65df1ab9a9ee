"""Faults of training data, found before the first step: counted, with examples.

Texts are compared without case and white space. Every check is one pass over the rows.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

from distilcli.errors import InputError
from distilcli.rows.row import is_blank
from distilcli.training.datasets.base import Place
from distilcli.training.label_typos import find_typos
from distilcli.wording import count as counted

if TYPE_CHECKING:
    from distilcli.tokenizer.tokenizer import Tokenizer
    from distilcli.training.objectives import AnyObjective

MIN_ROWS = 10  # of a label: with fewer, a tenth set aside for validation has none
_MAX_EXAMPLES = 3
_MISSING = {"none", "null", "na", "n/a", "#n/a", "<na>", "-nan", "nil"}
"""How other tools write that there is no label; some are also labels."""
_EXCERPT = 60

Fault = TypeVar("Fault")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: how many rows (or labels) have it, and a few of them.

    `message` includes the count. Data with an error cannot be learned from.
    """

    kind: str
    message: str
    count: int
    examples: tuple[str, ...] = ()
    is_error: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedRows:
    """The rows that are checked.

    `labels` are those of each row: one if `exclusive`, any number for `multilabel`, the types of
    the entities for `tag`; None for tasks without labels. `known` are labels that the model has
    even if no row does. `pairs` are second texts, or the contexts of questions, and `answers` the
    (text, offset in characters) of each question. `places` are file and line of each row;
    rows without are counted from 1.
    """

    name: str
    texts: Sequence[str]
    pairs: Sequence[str] | None = None
    labels: Sequence[tuple[str, ...]] | None = None
    known: Sequence[str] = ()
    exclusive: bool = True
    answers: Sequence[Sequence[tuple[str, int | None]]] | None = None
    places: Sequence[Place | None] | None = None

    def place(self, index: int) -> str:
        """Return file and line of a row in words."""
        place = self.places[index] if self.places else None
        return f"{place[0]}: line {place[1]}" if place else f"{self.name}: row {index + 1}"

    def labelled(self, index: int) -> str:
        """Return the labels of a row and its place in words."""
        labels = self.labels[index] if self.labels else ()
        return f"{', '.join(map(repr, labels)) or 'no label'} ({self.place(index)})"

    def as_earlier(self, earlier: int, index: int, first: "CheckedRows") -> str:
        """Say of which row of `first` a row is the repetition."""
        return f"{self.place(index)}: {_excerpt(self.texts[index])}, as {first.place(earlier)}"

    def place_of_label(self, label: str) -> str:
        """Return the place of the first row with a label."""
        return self.place(next(i for i, row in enumerate(self.labels or ()) if label in row))


def check_data(
    objective: "AnyObjective", tokenizer: "Tokenizer", *, max_length: int
) -> list[Finding]:
    """Return the faults of the rows; raise `InputError` if nothing can be learned from them."""
    parts = ((objective.train, "train"), (objective.valid, "valid"))
    train, valid = (objective.checked(rows, name) for rows, name in parts)
    found = [*check_texts(train, valid), *check_labels(train, valid)]
    found += [*check_answers(train), *check_answers(valid)]
    refuse_errors(found)
    for checked, (rows, _) in zip((train, valid), parts, strict=True):
        lengths = objective.lengths(rows, tokenizer)
        found += check_lengths(checked, lengths, max_length) if lengths else []
    return found


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Raise `InputError` for the first finding that is an error, with its first example."""
    for finding in findings:
        if finding.is_error:
            example = f": {finding.examples[0]}" if finding.examples else ""
            raise InputError(finding.message + example)


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Return findings as lines of text, errors first, each with its examples below it."""
    lines = []
    for finding in sorted(findings, key=lambda finding: not finding.is_error):
        lines.append(f"{'error' if finding.is_error else 'warning'}: {finding.message}")
        lines += [f"  {example}" for example in finding.examples]
        if finding.examples and finding.count > len(finding.examples):
            lines.append(f"  and {finding.count - len(finding.examples):,} more")
    return lines


def check_texts(train: CheckedRows, valid: CheckedRows | None = None) -> list[Finding]:
    """Find missing rows, empty texts, duplicates, and validation rows that are training rows.

    Rows are equal if their texts are (and their second texts, for pairs). Rows whose first text
    is empty are only counted as that.
    """
    parts = [train] if valid is None else [train, valid]
    found = [
        Finding("no rows", f"{rows.name}: has no rows", 1, is_error=True)
        for rows in parts
        if not rows.texts
    ]
    for rows in parts:
        found += _empty_texts(rows)
    first: dict[bytes, int] = {}
    duplicates: list[tuple[int, int]] = []
    contradictions: dict[bytes, tuple[int, int]] = {}
    for index, key in _keys(train):
        earlier = first.setdefault(key, index)
        if earlier == index:
            continue
        if train.labels is None or set(train.labels[earlier]) == set(train.labels[index]):
            duplicates.append((earlier, index))
        else:
            contradictions.setdefault(key, (earlier, index))
    message = counted(
        len(duplicates), "training row is a duplicate", "training rows are duplicates"
    )
    found += _finding("duplicate", message, duplicates, lambda pair: train.as_earlier(*pair, train))
    message = counted(len(contradictions), "text has", "texts have")
    found += _finding(
        "contradiction",
        f"{message} different labels in the training rows",
        list(contradictions.values()),
        lambda pair: f"{_excerpt(train.texts[pair[1]])}: {', '.join(map(train.labelled, pair))}",
    )
    if valid is not None and valid.texts:
        leaks = [(first[key], index) for index, key in _keys(valid) if key in first]
        message = (
            f"{counted(len(leaks), 'validation row', 'validation rows')} "
            f"({len(leaks) / len(valid.texts):.1%}) {'is' if len(leaks) == 1 else 'are'} also in "
            "the training rows, which makes scores too good"
        )
        found += _finding("leak", message, leaks, lambda pair: valid.as_earlier(*pair, train))
    return found


def check_labels(
    train: CheckedRows,
    valid: CheckedRows | None = None,
    *,
    min_rows: int = MIN_ROWS,
) -> list[Finding]:
    """Find labels that cannot be learned, typos of labels, and labels of few rows.

    Exclusive labels must be at least two.
    """
    counts = Counter(label for row in train.labels or () for label in row)
    if not counts:
        return []
    found = []
    known = {*counts, *train.known}
    if train.exclusive and len(known) == 1:
        (label,) = counts
        message = f"{train.name}: every row has the label {label!r}; at least two are needed"
        found.append(Finding("one label", message, len(train.texts), is_error=True))
    typos = list(find_typos(counts).items())
    found += _finding(
        "label typo",
        f"{counted(len(typos), 'label looks', 'labels look')} like a typo",
        typos,
        lambda typo: (
            f"{train.place_of_label(typo[0])}: {typo[0]!r} ({counted(counts[typo[0]], 'row')}), "
            f"did you mean {typo[1]!r} ({counted(counts[typo[1]], 'row')})?"
        ),
    )
    absent = [label for label in counts if label.strip().lower() in _MISSING]
    found += _finding(
        "missing label",
        f"{counted(len(absent), 'label reads', 'labels read')} like a missing value and is learned "
        "as a class; if it is none, delete its rows",
        absent,
        lambda label: f"{train.place_of_label(label)}: {label!r} ({counted(counts[label], 'row')})",
    )
    small = sorted((count, label) for label, count in counts.items() if count < min_rows)
    found += _finding(
        "small label",
        f"{counted(len(small), 'label has', 'labels have')} fewer than {min_rows} rows",
        small,
        lambda label: f"{label[1]!r}: {counted(label[0], 'row')}",
    )
    return found if valid is None else found + _unknown_labels(valid, known)


def check_answers(rows: CheckedRows) -> list[Finding]:
    """Find answers that are not in their context at their offset.

    A row may have no answer, an answer no offset. If no answer at all is in its context, that is
    an error.
    """
    total = 0
    moved: list[str] = []
    missing: list[str] = []
    for index, given in enumerate(rows.answers or ()):
        context = rows.pairs[index] if rows.pairs else ""
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
    if all_missing := len(missing) == total:
        fault = "no answer is in its context; check the columns of both"
    else:
        fault = f"{counted(len(missing), 'answer is', 'answers are')} not in the context"
    elsewhere = counted(len(moved), "answer is", "answers are")
    return [
        *_finding("missing answer", f"{rows.name}: {fault}", missing, str, is_error=all_missing),
        *_finding("moved answer", f"{rows.name}: {elsewhere} elsewhere in the context", moved, str),
    ]


def check_lengths(rows: CheckedRows, lengths: Sequence[int], limit: int) -> list[Finding]:
    """Find rows of more tokens than `limit`, which are cut; `lengths` are those before the cut."""
    over = [index for index, length in enumerate(lengths) if length > limit]
    lost, total = sum(lengths[index] - limit for index in over), sum(lengths)
    return _finding(
        "too long",
        f"{rows.name}: {counted(len(over), 'row is', 'rows are')} cut at {limit:,} tokens: "
        f"{lost:,} of {total:,} tokens are lost ({lost / max(1, total):.1%})",
        sorted(over, key=lambda index: -lengths[index]),
        lambda index: f"{rows.place(index)}: {lengths[index]:,} tokens",
    )


def _finding(
    kind: str,
    message: str,
    faults: Sequence[Fault],
    example: Callable[[Fault], str],
    *,
    is_error: bool = False,
) -> list[Finding]:
    """Return the finding of these faults, with the first as examples; none if there is no fault."""
    if not faults:
        return []
    examples = tuple(map(example, faults[:_MAX_EXAMPLES]))
    return [Finding(kind, message, len(faults), examples, is_error)]


def _empty_texts(rows: CheckedRows) -> list[Finding]:
    seconds = rows.texts if rows.pairs is None else rows.pairs
    both = zip(rows.texts, seconds, strict=True)
    empty = [index for index, texts in enumerate(both) if any(map(is_blank, texts))]
    if all_empty := len(empty) == len(rows.texts):
        also = "" if rows.pairs is None else " and `pair_column`"
        fault = f"every row has an empty text; check `text_column`{also}"
    else:
        fault = f"{counted(len(empty), 'row has', 'rows have')} an empty text"
    return _finding("empty text", f"{rows.name}: {fault}", empty, rows.place, is_error=all_empty)


def _unknown_labels(valid: CheckedRows, known: Collection[str]) -> list[Finding]:
    counts = Counter(label for row in valid.labels or () for label in row if label not in known)

    def example(found: tuple[str, int]) -> str:
        label, count = found
        near = difflib.get_close_matches(label, known, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        return f"{valid.place_of_label(label)}: {label!r} ({counted(count, 'row')}){hint}"

    labels = counted(len(counts), "label is", "labels are")
    message = f"{valid.name}: {labels} not in the training rows"
    return _finding("unknown label", message, counts.most_common(), example, is_error=True)


def _keys(rows: CheckedRows) -> Iterator[tuple[int, bytes]]:
    """Yield the index of each row that has a text, and the digest that is compared."""
    for index, text in enumerate(rows.texts):
        if words := text.casefold().split():
            second = rows.pairs[index].casefold().split() if rows.pairs is not None else ()
            content = " ".join((*words, "\0", *second))
            yield index, blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _nearest(context: str, text: str, start: int) -> int | None:
    """Return the offset of `text` in `context` nearest to `start`, None if it is not there."""
    before = context.rfind(text, 0, max(0, start) + len(text))
    after = context.find(text, max(0, start))
    found = [offset for offset in (before, after) if offset >= 0]
    return min(found, key=lambda offset: abs(offset - start), default=None)


def _excerpt(text: str) -> str:
    words = " ".join(text.split())
    return repr(words if len(words) <= _EXCERPT else words[: _EXCERPT - 1] + "…")
