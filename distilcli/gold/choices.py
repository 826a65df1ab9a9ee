"""The right options of problems, as rows say them: by text, by letter or by number, all in one way.

The first of these that fits every row is the one. Where the options are not known, texts stand for
themselves.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from distilcli.errors import InputError
from distilcli.tasks.choose import Options


@dataclass(frozen=True, slots=True)
class Solution:
    """What a row says of its right option, with the row's place for messages.

    `numbers` are those of the option, from 0, by each way of saying it, None where that does not
    fit; there are none where the options are not known.
    """

    answer: str
    place: str
    numbers: tuple[int | None, ...] = ()


def solution_of(answer: str, options: Options | None, *, place: str) -> Solution:
    """Return what an answer says of the right one of the options.

    Raises `InputError` where it is none of them by any way; None is no option.
    """
    answer = answer.strip()
    if options is None:
        return Solution(answer, place)
    numbers = tuple(way(options, answer) for way in (_by_text, _by_letter, _by_number))
    solution = Solution(answer, place, numbers)
    if not any(number is not None for number in numbers):
        raise _unfit(solution)
    return solution


def right_options(solutions: Sequence[Solution]) -> list[int]:
    """Return the number of each right option, from 0, of rows whose options are known.

    Raises `InputError` for the first row that does not say it as the others do.
    """
    furthest = 0
    for numbers in zip(*(solution.numbers for solution in solutions), strict=True):
        found = [number for number in numbers if number is not None]
        if len(found) == len(solutions):
            return found
        furthest = max(furthest, numbers.index(None))
    if not solutions:
        return []
    raise _unfit(solutions[furthest], ", as the same in all rows")


def right_choices(solutions: Sequence[Solution], chosen: Collection[str]) -> Sequence[int | str]:
    """Return the number of each right option, or its text where the options are not known.

    Letters are then letters if none is the text of an option that was `chosen`.
    """
    if not solutions or solutions[0].numbers:
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
        f"(A, B, …), nor its number (from 0){why}"
    )


Way = Callable[[Options, str], int | None]


def _by_text(options: Options, answer: str) -> int | None:
    texts = [None if option is None else option.strip() for option in options]
    return texts.index(answer) if answer in texts else None


def _by_letter(options: Options, answer: str) -> int | None:
    return _existing(options, _letter(answer))


def _by_number(options: Options, answer: str) -> int | None:
    return _existing(options, int(answer) if answer.isdecimal() else None)


def _letter(answer: str) -> int | None:
    is_one = len(answer) == 1 and answer.upper() in ascii_uppercase
    return ascii_uppercase.index(answer.upper()) if is_one else None


def _existing(options: Options, number: int | None) -> int | None:
    is_there = number is not None and number < len(options) and options[number] is not None
    return number if is_there else None
