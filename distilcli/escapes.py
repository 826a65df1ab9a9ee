"""Text whose control characters a terminal shows instead of obeying.

Names of files, columns, labels, tensors and tokens come from others. On a terminal an escape
sequence among them could move the cursor, clear the screen or set the clipboard, and a
bidirectional override could show text in another order. Everything written to a terminal goes
through here; data for files and pipes stays as it is.
"""

import re

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters except tab and line end, bidirectional overrides, separators, surrogates."""


def visible(text: str) -> str:
    r"""Return a text with its control characters written as escapes: `\x1b`, `\u202e`.

    JSON stays JSON with the same values. Marks that join letters or emoji are kept.
    """
    return _OBEYED.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"  # noqa: PLR2004
