"""Labels of words as other tools spell them, and IOB1, made the usual BIO or BIOES."""

import re
from collections.abc import Collection, Sequence

from distilcli.scores.entities import OUTSIDE, OUTSIDE_TAG, parse_tag

_BEFORE = re.compile(r"([BIESLUMWbieslumw])[-_:](.+)", re.DOTALL)
_BEHIND = re.compile(r"(?P<type>.+)[-_](?P<position>[BIESLUMW])", re.DOTALL)
_OUTSIDE = {"o", "outside", "none", "other"}
_NO_TYPE = {"0", "_", "-", "out"}
"""Other spellings of `O` (outside), where all other labels look like B-TYPE."""
_BMEWO = frozenset("BMEWS")
_WORD_CLASS = re.compile(
    "ADJ|ADP|ADV|AUX|CCONJ|DET|INTJ|NOUN|NUM|PART|PRON|PROPN|PUNCT|SCONJ|SYM|VERB|X|_|"
    "CC|CD|DT|EX|FW|IN|JJ|JJR|JJS|LS|MD|NN|NNS|NNP|NNPS|PDT|POS|PRP|RB|RBR|RBS|RP|TO|UH|VB|VBD|"
    r"VBG|VBN|VBP|VBZ|WDT|WP|WRB|HYPH|NFP|ADD|AFX|GW|XX|UNK|[AC-HJ-Z]|[A-Z]+\$|-[LR]RB-|[#$'`,.:()]+"
)
"""Parts of speech: Universal Dependencies, Penn Treebank, and single letters except B and I."""

Tags = Sequence[str]


def usual_spellings(labels: Collection[str]) -> dict[str, str]:
    """Return each label in the usual spelling: `O`, `B-TYPE`, `I-TYPE` and so on.

    It recognizes `o`, `none` and the like where there is no `O`; `0` and `_` where all other labels
    name a position; `B_PER`, `B:PER`, `b-PER` and `PER-B`; a key before all labels (`NER=B-PER`) or
    before that one (`NER=O`); and BMEWO. Labels of any other kind stay as they are.
    """
    found = {label: label for label in labels}
    keyed = {label: label.partition("=")[2] for label in labels if "=" in label}
    keys = {label.partition("=")[0] for label in keyed}
    bare = {**found, **keyed}
    is_of_all = len(keyed) == len(found) or any(name.lower() in _OUTSIDE for name in keyed.values())
    if len(keys) == 1 and is_of_all and len({*bare.values()}) == len(bare):
        found = bare
    if OUTSIDE not in found.values():
        outside = [label for label, bare in found.items() if bare.lower() in _OUTSIDE]
        found.update(dict.fromkeys(outside if len(outside) == 1 else [], OUTSIDE))
        others = {label: bare for label, bare in found.items() if bare.lower() not in _NO_TYPE}
        if not outside and len(others) == len(found) - 1 and _prefixed(others):
            found.update(dict.fromkeys(found.keys() - others.keys(), OUTSIDE))
    inside = {label: bare for label, bare in found.items() if parse_tag(bare).type is not None}
    parts = _prefixed(inside)
    if not parts:
        return found
    positions = {position for position, _ in parts.values()}
    usual = {"M": "I", "W": "S"} if positions & {"M", "W"} and positions <= _BMEWO else {}
    for label, (position, name) in parts.items():
        found[label] = f"{usual.get(position, position)}-{name}"
    return found


def _prefixed(labels: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return position and type of all labels; nothing if they are not so spelled."""
    before = {label: _BEFORE.fullmatch(bare) for label, bare in labels.items()}
    parts = {label: (match[1].upper(), match[2]) for label, match in before.items() if match}
    signs = {bare[1:2] for bare in labels.values()}
    has_b = any(position == "B" for position, _ in parts.values())
    if len(parts) == len(labels) and len(signs) == 1 and has_b:
        return parts
    behind = {label: _BEHIND.fullmatch(bare) for label, bare in labels.items()}
    parts = {label: (match["position"], match["type"]) for label, match in behind.items() if match}
    if len(parts) == len(labels) and {"B", "I"} <= {position for position, _ in parts.values()}:
        return parts
    return {}


def unlike_others(labels: Collection[str]) -> str | None:
    """Return a label that names no position where another does, or that names it at its end."""
    named = {label for label in labels if _BEFORE.fullmatch(label) and label[1] == "-"}
    behind = {label: match["type"] for label in labels if (match := _BEHIND.fullmatch(label))}
    plain = [label for label in labels if label not in named and len(label) > 1]
    if named and plain:
        return min(plain)
    twins = [label for label, name in behind.items() if list(behind.values()).count(name) > 1]
    return min(twins, default=None)


def are_word_classes(labels: Collection[str]) -> bool:
    """Whether all labels are parts of speech, as in a treebank."""
    return all(map(_WORD_CLASS.fullmatch, labels))


def is_iob1(rows: Sequence[Tags]) -> bool | None:
    """Whether B- stands only between touching entities of one type; None if nothing says so."""
    found = None
    for tags in rows:
        before = OUTSIDE_TAG
        for tag in map(parse_tag, tags):
            touches = tag.type is not None and tag.type == before.type
            if tag.position not in "BIO" or (tag.position == "B" and not touches):
                return False
            found = found or tag.position == "B" or None
            before = tag
    return found


def as_bio2(tags: Tags) -> list[str]:
    """Return tags in IOB1 with B- at the beginning of every entity."""
    found, before = [], OUTSIDE_TAG
    for text in tags:
        tag = parse_tag(text)
        begins = tag.type is not None and not tag.continues(before)
        found.append(f"B{text[1:]}" if begins and tag.position == "I" else text)
        before = tag
    return found
