"""What may be wrong with the rows of a lesson, looked for before any step."""

from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.checks import (
    CheckedRows,
    check_answers,
    check_labels,
    check_lengths,
    check_texts,
)
from distilcli.training.data.questions import Question
from distilcli.training.findings import Finding, refuse_errors
from distilcli.training.lesson_rows import NAMES, rows_of
from distilcli.training.lessons.lesson import Lesson

# The others read long texts in windows, and lose nothing.
_CUT = ("classify", "multilabel", "regress", "embed")
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
        for rows in (train, valid):
            found += check_lengths(rows, _lengths(rows, lesson, tokenizer), max_length)
    return found


def _answers(question: Question) -> list[tuple[str, int | None]]:
    """Return the first answer, which is what is learned, and where it is said to begin."""
    return [(text, question.said) for text in question.answers[:1]]


def _lengths(rows: CheckedRows, lesson: Lesson, tokenizer: Tokenizer) -> list[int]:
    """Count the tokens of each row, specials included; of two texts read apart the longer's."""
    firsts = [len(ids) for ids in tokenizer.ids(rows.texts)]
    if rows.pairs is None:
        return [first + _SPECIALS for first in firsts]
    both = zip(firsts, (len(ids) for ids in tokenizer.ids(rows.pairs)), strict=True)
    if lesson.task == "embed":
        return [max(pair) + _SPECIALS for pair in both]
    return [sum(pair) + _SPECIALS_OF_A_PAIR for pair in both]
