"""Labels that look like another one with a typing error: `postive` beside `positive`."""

import re
from collections.abc import Mapping

_MUCH_RARER = 10
_SHORTEST = 4  # in shorter labels one letter makes a difference: "cat", "car"
_SEPARATORS = re.compile(r"[\s_-]+")
_DIGITS = re.compile(r"\d+")

Shape = tuple[str, tuple[str, ...]]


def find_typos(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the labels that look like typing errors, with what each was meant to be.

    They differ from a more frequent label in case and separators alone; or the other is ten times
    as frequent, and the two are equal once one letter at most is taken out of each, which takes in
    a letter that is missing, doubled, wrong or swapped with the next. Labels of other digits are
    other labels. The work grows with the number of labels times their length.
    """
    typos: dict[str, str] = {}
    spelled: dict[Shape, str] = {}
    lacking: dict[Shape, str] = {}  # a letter, or none
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        plain = _SEPARATORS.sub(" ", label.casefold()).strip()
        digits = tuple(_DIGITS.findall(plain))
        cuts = range(len(plain)) if len(plain) >= _SHORTEST else ()
        shapes = [(plain[:place] + plain[place + 1 :], digits) for place in cuts]
        if shapes:
            shapes.append((plain, digits))
        near = (lacking[shape] for shape in shapes if shape in lacking)
        meant = spelled.get((plain, digits)) or next(
            (other for other in near if counts[label] * _MUCH_RARER <= counts[other]), None
        )
        if meant is not None:
            typos[label] = meant
            continue
        spelled[plain, digits] = label
        if counts[label] >= _MUCH_RARER:
            for shape in shapes:
                lacking.setdefault(shape, label)
    return typos
