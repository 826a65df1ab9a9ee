"""CoNLL out: the lines of sentences with a column of tags, or the words of texts with theirs."""

from collections.abc import Mapping, Sequence
from typing import cast

from distilcli.rows.conll import Sentence, sentence_text, tagged
from distilcli.rows.output import Output, State
from distilcli.rows.row import Row
from distilcli.rows.row_writer import AddedNames, Block, RowWriter

Tags = Sequence[str | None]


class ConllWriter(RowWriter):
    """Writes each row as a sentence, from its additions `tags` and, for texts, `words`.

    Columns have no names here. What concerns a whole row (`error`, `abstained`) is a comment
    before it.
    """

    def __init__(self, output: Output) -> None:
        super().__init__(output, AddedNames("", renamed=False, taken=frozenset()))
        self._ended = True

    def write_rows(self, block: Block) -> None:
        """See `RowWriter`."""
        self._write(block)
        self._output.flush()

    def _own_state(self) -> State:
        return {"ended": self._ended}

    def _set_own_state(self, state: State) -> None:
        self._ended = state["ended"]

    def _write(self, block: Block) -> None:
        for row, additions in block:
            text = self._text(row, additions)
            # An input file may end without a blank line; the next row is another sentence.
            self._output.write(text if self._ended else f"\n{text}")
            self._ended = not (isinstance(row, Sentence) and row.lines[-1].strip())

    def _text(self, row: Row, additions: Mapping[str, object]) -> str:
        comments = "".join(
            f"# {name} = {' '.join(str(additions[name]).split())}\n"
            for name in ("error", "abstained", "truncated")
            if additions.get(name)
        )
        tags = cast("Tags | None", additions["tags"])
        if isinstance(row, Sentence):
            return comments + tagged(row, tags or [None] * len(row.word_lines))
        words = cast("Sequence[str] | None", additions["words"])
        return comments + sentence_text(words or (), tags or ())
