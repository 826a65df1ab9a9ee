"""What may be wrong with the rows of a lesson, looked for before any step."""

from collections.abc import Sequence
from typing import Any

from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.checks import (
    CheckedRows,
    check_answers,
    check_labels,
    check_lengths,
    check_texts,
)
from distilcli.training.datasets.choose import SolvedProblem
from distilcli.training.datasets.qa import Question
from distilcli.training.findings import Finding, refuse_errors
from distilcli.training.lesson_rows import NAMES, rows_of
from distilcli.training.objectives.base import Lesson

# The others read long texts in windows while they learn, and lose nothing.
_CUT = ("classify", "multilabel", "regress", "embed", "choose")
_SPECIALS, _SPECIALS_OF_A_PAIR = 2, 3


def find_faults(lesson: Lesson, tokenizer: Tokenizer, *, max_length: int) -> list[Finding]:
    """Return what is wrong with the rows; raise `InputError` where nothing can be learned."""
    train, valid = rows_of(lesson.train, NAMES[0]), rows_of(lesson.valid, NAMES[1])
    found = check_texts(train, valid)
    if train.labels is not None:
        found += check_labels(train, valid, exclusive=lesson.task == "classify")
    if lesson.task == "qa":
        for rows, questions in ((train, lesson.train), (valid, lesson.valid)):
            found += check_answers(rows, [_answers(question) for question in questions])
    refuse_errors(found)
    if lesson.task in _CUT:
        for rows, part in ((train, lesson.train), (valid, lesson.valid)):
            lengths = _lengths(rows, part, lesson.task, tokenizer)
            found += check_lengths(rows, lengths, max_length)
    return found


def _answers(question: Question) -> list[tuple[str, int | None]]:
    """Return the first answer, which is what is learned, and where it is said to begin."""
    return [(text, question.said) for text in question.answers[:1]]


def _lengths(rows: CheckedRows, part: Any, task: str, tokenizer: Tokenizer) -> list[int]:
    """Count the tokens of each row, specials included.

    Of two texts read apart, and of the options of a problem, it is the longest that counts.
    """
    firsts = [len(ids) for ids in tokenizer.ids(rows.texts)]
    if rows.pairs is None:
        return [first + _SPECIALS for first in firsts]
    if task == "choose":
        seconds = _longest_options(part, tokenizer)
    else:
        seconds = [len(ids) for ids in tokenizer.ids(rows.pairs)]
    both = zip(firsts, seconds, strict=True)
    if task == "embed":
        return [max(pair) + _SPECIALS for pair in both]
    return [sum(pair) + _SPECIALS_OF_A_PAIR for pair in both]


def _longest_options(problems: Sequence[SolvedProblem], tokenizer: Tokenizer) -> list[int]:
    """Count the tokens of the longest option of each problem."""
    options = [option or "" for each in problems for option in each.options]
    counts = iter([len(ids) for ids in tokenizer.ids(options)])
    return [max(next(counts) for _ in each.options) for each in problems]
