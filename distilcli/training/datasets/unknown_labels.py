"""Labels in rows that the model which learns from them does not have."""

import difflib
from collections.abc import Iterable, Sequence

from distilcli.errors import InputError

_LISTED = 10


def refuse_unknown(
    used: Iterable[str], names: Sequence[str], *, source: str, taught: bool = False
) -> None:
    """Raise `InputError` for a label that is not among `names`, with the nearest that is.

    The names are the teacher's where the lesson is `taught`, else those of the rows to learn from.
    """
    unknown = sorted(set(used) - set(names))
    if not unknown:
        return
    near = difflib.get_close_matches(unknown[0], names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    lacking, whose = ("teacher does", "its") if taught else ("training rows do", "theirs")
    raise InputError(
        f"{source}: has the label {unknown[0]!r}, which the {lacking} not have{hint} "
        f"({whose}: {', '.join(names[:_LISTED])})"
    )
