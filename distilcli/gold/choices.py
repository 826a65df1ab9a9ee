"""Right options of problems, given by text, by letter or by index, the same way in all rows.

The first of these ways that fits every row counts. If the options are not known, a text stands for
itself.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from distilcli.errors import InputError
from distilcli.tasks.choose import Options


@dataclass(frozen=True, slots=True)
class Solution:
    """What a row says of its right option, with the row's place for messages.

    `indices` are those of the option, from 0, read each way, None where a way does not fit; empty
    if the options are not known.
    """

    answer: str
    place: str
    indices: tuple[int | None, ...] = ()


def solution_of(answer: str, options: Options | None, *, place: str) -> Solution:
    """Return what an answer says of the right one of the options.

    Raises `InputError` if it is none of them, read any way; None is not an option.
    """
    answer = answer.strip()
    if options is None:
        return Solution(answer, place)
    by_index = int(answer) if answer.isdecimal() else None
    indices = (
        _by_text(options, answer),
        _existing(options, _letter(answer)),
        _existing(options, by_index),
    )
    solution = Solution(answer, place, indices)
    if not any(index is not None for index in indices):
        raise _unfit(solution)
    return solution


def right_options(solutions: Sequence[Solution]) -> list[int]:
    """Return the index of each right option, of rows whose options are known.

    Raises `InputError` for the first row that does not give it the way the others do.
    """
    furthest = 0
    for indices in zip(*(solution.indices for solution in solutions), strict=True):
        found = [index for index in indices if index is not None]
        if len(found) == len(solutions):
            return found
        furthest = max(furthest, indices.index(None))
    if not solutions:
        return []
    raise _unfit(solutions[furthest], ", and must be the same in all rows")


def right_choices(solutions: Sequence[Solution], chosen: Collection[str]) -> Sequence[int | str]:
    """Return the index of each right option, or its text if the options are not known.

    Letters then count as letters if none is the text of an option that was `chosen`.
    """
    if not solutions or solutions[0].indices:
        return right_options(solutions)
    answers = [solution.answer for solution in solutions]
    if all(answer.isdecimal() for answer in answers):
        return [int(answer) for answer in answers]
    letters = [_letter(answer) for answer in answers]
    if None in letters or set(answers) & set(chosen):
        return answers
    return [letter for letter in letters if letter is not None]


def _unfit(solution: Solution, why: str = "") -> InputError:
    return InputError(
        f"{solution.place}: {solution.answer!r} is neither the text of an option, nor its letter "
        f"(A, B, …), nor its index (from 0){why}"
    )


def _by_text(options: Options, answer: str) -> int | None:
    texts = [None if option is None else option.strip() for option in options]
    return texts.index(answer) if answer in texts else None


def _letter(answer: str) -> int | None:
    is_one = len(answer) == 1 and answer.upper() in ascii_uppercase
    return ascii_uppercase.index(answer.upper()) if is_one else None


def _existing(options: Options, index: int | None) -> int | None:
    exists = index is not None and index < len(options) and options[index] is not None
    return index if exists else None
