"""What the results of all tasks share: a short repr, and whether the text was cut off."""

from dataclasses import dataclass
from reprlib import Repr
from typing import ClassVar

ABSTAINED = "(abstained)"
"""Under this the summary counts the labels that a model did not give."""

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlist = _SHORT.maxtuple = 3


class Brief:
    """Shows the attributes named in `_shown`: floats rounded, long texts and lists cut."""

    __slots__ = ()
    _shown: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self._shown)
        shown = [f"{name}={_brief(value)}" for name, value in values if value is not None]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Result(Brief):
    """What a model says of one row; `truncated` if it did not read the whole text."""

    truncated: bool = False

    def __repr__(self) -> str:
        brief = Brief.__repr__(self)
        marks = [f", {name}=True" for name in ("abstained", "truncated") if getattr(self, name, 0)]
        return f"{brief[:-1]}{''.join(marks)})"


def _brief(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _SHORT.repr(value)
