"""Label schemes: how the labels of words mark the beginnings and ends of entities.

`B-PER I-PER` (BIO, also IOB1, in which B- only separates adjacent entities), `B I E S` (BIOES),
`B I L U` (BILOU), or plain labels, of which adjacent equal ones are one entity. `O` is outside
all entities. Inconsistent labels, such as an entity that begins with I-, are read as by
conlleval: a new entity begins.
"""

import re
from collections.abc import Sequence

from distilcli.errors import ModelError
from distilcli.scores.entities import INSIDE, NAMELESS, OUTSIDE, OUTSIDE_TAG, Span, Tag, spans

# Some models were trained with labels for the tokens that frame a text.
_FRAMING = re.compile(r"\[(?:CLS|SEP|PAD)\]")
_PREFIXED = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
_SCHEMES = (frozenset("BIES"), frozenset("BILU"))


class LabelScheme:
    """The labels of a model, parsed; `types` are the types of entities that they name."""

    def __init__(self, labels: Sequence[str], *, source: str) -> None:
        """Raise `ModelError`, which names the model `source`, for labels of an unknown scheme."""
        self.labels = tuple(labels)
        self._tags = _read(labels, source)
        self.types = tuple(dict.fromkeys(tag.type for tag in self._tags if tag.type is not None))
        self.outside = OUTSIDE if OUTSIDE in labels else None

    def is_outside(self, number: int) -> bool:
        """Whether the label with this index is outside all entities."""
        return self._tags[number].type is None

    def spans(self, numbers: Sequence[int | None]) -> list[Span]:
        """Return the entities of words, given the index of each word's label; None is outside."""
        return spans(OUTSIDE_TAG if number is None else self._tags[number] for number in numbers)


def _read(labels: Sequence[str], source: str) -> list[Tag]:
    inside = [label for label in labels if label != OUTSIDE and not _FRAMING.fullmatch(label)]
    if {"B", "I"} <= set(inside) and any(scheme.issuperset(inside) for scheme in _SCHEMES):
        known = {label: Tag(label, NAMELESS) for label in inside}
        return [known.get(label, OUTSIDE_TAG) for label in labels]
    known = {
        label: Tag(*match.groups()) for label in inside if (match := _PREFIXED.fullmatch(label))
    }
    positions = {tag.position for tag in known.values()}
    if not positions & INSIDE:
        # E-mail is a type, not the end of a mail.
        known = {label: Tag("I", label) for label in inside}
    elif plain := [label for label in inside if label not in known]:
        raise ModelError(
            f"{source}: its labels are no known scheme: {plain[0]!r} beside {next(iter(known))!r}; "
            "BIO, BIOES, BILOU and plain labels are known (see id2label in config.json)"
        )
    elif not any(positions <= scheme for scheme in _SCHEMES):
        raise ModelError(
            f"{source}: its labels are no known scheme: they begin with "
            f"{', '.join(sorted(positions))}; BIO, BIOES or BILOU do not mix"
        )
    return [known.get(label, OUTSIDE_TAG) for label in labels]
