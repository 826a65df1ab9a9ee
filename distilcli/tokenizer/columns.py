"""The columns that hold the tokens of a row."""

import json
from collections.abc import Iterator, Mapping, Sequence

from distilcli.errors import UsageError
from distilcli.rows.row import JsonText
from distilcli.tokenizer.rows import Tokens
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.tokenizer.windows import Window

# The encoder in C; there are no floats to round here.
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class TokenColumns:
    """The tokens of a row as JSON lists, one per column.

    The lists are flat over the windows of a row; with `windowed` a column `windows` holds the
    start and end of each window in them.
    """

    NAMES = ("n_tokens", "tokens", "ids", "offsets", "word_ids")

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        chosen: Sequence[str] = NAMES,
        paired: bool = False,
        windowed: bool = False,
    ) -> None:
        """Raise `UsageError` for an unknown column."""
        for name in chosen:
            if name not in self.NAMES:
                raise UsageError(f"`columns` {name!r} is unknown; use {', '.join(self.NAMES)}")
        self.names = [*chosen, *["token_type_ids"] * paired, *["windows"] * windowed]
        self._token_json = _TokenJson(tokenizer.tokens)

    @property
    def need_offsets(self) -> bool:
        """Whether a column needs offsets or words."""
        return "offsets" in self.names or "word_ids" in self.names

    def values(self, tokens: Tokens) -> dict[str, object]:
        """Return the values of one row, with `truncated` if it was."""
        values: dict[str, object] = {
            name: getattr(self, f"_{name}")(tokens.windows) for name in self.names
        }
        if tokens.truncated:
            values["truncated"] = True
        return values

    def _n_tokens(self, windows: Sequence[Window]) -> int:
        return sum(len(window.input_ids) for window in windows)

    def _tokens(self, windows: Sequence[Window]) -> JsonText:
        json_of = self._token_json
        return _list(",".join([json_of[i] for i in window.input_ids]) for window in windows)

    def _ids(self, windows: Sequence[Window]) -> JsonText:
        return _list(_inside(window.input_ids) for window in windows)

    def _offsets(self, windows: Sequence[Window]) -> JsonText:
        return _list(_inside(window.offsets) for window in windows)

    def _word_ids(self, windows: Sequence[Window]) -> JsonText:
        return _list(_inside(window.word_ids) for window in windows)

    def _token_type_ids(self, windows: Sequence[Window]) -> JsonText:
        return _list(_inside(window.token_type_ids) for window in windows)

    def _windows(self, windows: Sequence[Window]) -> list[list[int]]:
        bounds = []
        start = 0
        for window in windows:
            bounds.append([start, start + len(window.input_ids)])
            start = bounds[-1][1]
        return bounds


class _TokenJson(dict[int, str]):
    """The tokens of ids as JSON, encoded when first needed."""

    def __init__(self, tokens: Mapping[int, str]) -> None:
        super().__init__()
        self._tokens = tokens

    def __missing__(self, token_id: int) -> str:
        self[token_id] = encoded = json.dumps(self._tokens[token_id], ensure_ascii=False)
        return encoded


def _inside(values: Sequence[object]) -> str:
    """Return the inside of a JSON list, without spaces."""
    return _encode(values)[1:-1]


def _list(parts: Iterator[str]) -> JsonText:
    return JsonText(f"[{','.join(parts)}]")
