"""Changes to JSON that keep it JSON: values become others that readers may trip over."""

import copy
import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

_HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, float("nan")),
    *(float("inf"), "", "x" * 300, "\ud800", "\x1b[2J", "[UNK]", "##", " ", "(a+)+$", "0", "-1"),
    *([], {}, [[]], {"": {}}, [None], ["x", "x"], {"type": "Sequence"}, {"content": "x"}, [0, 0]),
)


def mutated(target: str, data: bytes, seed: int) -> bytes | None:
    """Return the input of a target with its JSON changed; None if it holds none."""
    if target == "rows":
        return _framed(data[:2], data[2:], b"", seed)
    if target == "header":
        length = int.from_bytes(data[:8], "little")
        changed = _framed(b"", data[8 : 8 + length], b"", seed)
        if changed is None:
            return _framed(b"", data, b"", seed)
        return len(changed).to_bytes(8, "little") + changed + data[8 + length :]
    if target == "tokenizer_files":
        parts = data.split(b"\0")
        at = seed % len(parts)
        before, after = (b"".join(part + b"\0" for part in parts[:at])), parts[at + 1 :]
        return _framed(before, parts[at], b"".join(b"\0" + part for part in after), seed)
    return _framed(b"", data, b"", seed)


def _framed(before: bytes, text: bytes, after: bytes, seed: int) -> bytes | None:
    changed = mutated_json(text.decode("utf-8", "replace"), seed)
    return None if changed is None else before + changed.encode() + after


def mutated_json(text: str, seed: int) -> str | None:
    """Return JSON with one to three values changed, moved or doubled; None if it was none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(document))
        if not places:
            return json.dumps(chance.choice(_HOSTILE))
        parent, key = chance.choice(places)
        what = chance.randrange(4)
        if what == 0:
            del parent[key]
        elif what == 1:
            parent[key] = chance.choice(places)[0]
            return _dumped(document)
        elif isinstance(parent, dict) and what == 2:
            parent[str(chance.choice(_HOSTILE))] = parent.pop(key)
        else:
            parent[key] = copy.deepcopy(chance.choice(_HOSTILE))
    return _dumped(document)


def _dumped(document: Any) -> str | None:
    try:
        return json.dumps(document)
    except (ValueError, RecursionError):  # a value was put into itself
        return None


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every list and object with every index or key of it."""
    keys: Iterable[Any] = ()
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        yield from _places(value[key])
