"""Labels that look like typos of other labels: `postive` beside `positive`."""

import re
from collections.abc import Mapping

_MUCH_RARER = 10
_MIN_LENGTH = 4  # in shorter labels one letter matters: "cat", "car"
_SEPARATORS = re.compile(r"[\s_-]+")
_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(r"\+?(-?\d+)(?:\.0*)?")  # 1.0 and +1 are 1

Shape = tuple[str, tuple[str, ...]]


def find_typos(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the labels that look like typos, with the label that was probably meant.

    A typo differs from a more frequent label only in case and separators, or is the same number
    (1 and 1.0); or the other label is
    ten times as frequent, and both are equal once at most one letter is removed from each (a
    letter that is missing, doubled, wrong or swapped with the next). Labels with different digits
    are different labels. Time grows with the number of labels times their length.
    """
    typos: dict[str, str] = {}
    spelled: dict[Shape, str] = {}
    shortened: dict[Shape, str] = {}  # by at most one letter
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        plain = _SEPARATORS.sub(" ", label.casefold()).strip()
        if number := _NUMBER.fullmatch(label.strip()):
            plain = number[1]  # with its sign: -1 is not 1
        digits = tuple(_DIGITS.findall(plain))
        cuts = range(len(plain)) if len(plain) >= _MIN_LENGTH else ()
        shapes = [(plain[:index] + plain[index + 1 :], digits) for index in cuts]
        if shapes:
            shapes.append((plain, digits))
        near = (shortened[shape] for shape in shapes if shape in shortened)
        meant = spelled.get((plain, digits)) or next(
            (other for other in near if counts[label] * _MUCH_RARER <= counts[other]), None
        )
        if meant is not None:
            typos[label] = meant
            continue
        spelled[plain, digits] = label
        if counts[label] >= _MUCH_RARER:
            for shape in shapes:
                shortened.setdefault(shape, label)
    return typos
