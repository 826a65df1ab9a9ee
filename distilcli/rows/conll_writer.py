"""CoNLL out: the lines of sentences with one more column, or the words of texts with one."""

from collections.abc import Mapping, Sequence
from typing import cast

from distilcli.rows.conll import Sentence, labelled, written_anew
from distilcli.rows.output import Output
from distilcli.rows.row import Row
from distilcli.rows.row_writer import AddedNames, Block, RowWriter

Tags = Sequence[str | None]


class ConllWriter(RowWriter):
    """Writes each row as a sentence, from its additions `tags` and, for texts, `words`.

    Columns have no names here. What is to be said of a row as a whole, that it failed or was cut
    short, is a comment before it.
    """

    def __init__(self, output: Output) -> None:
        super().__init__(output, AddedNames("", renamed=False, taken=frozenset()))
        self._ended = True

    def write_rows(self, block: Block) -> None:
        """See `RowWriter`."""
        self._write(block)
        self._output.flush()

    def _write(self, block: Block) -> None:
        for row, additions in block:
            text = self._text(row, additions)
            # A file may end without a blank line; what comes after it is another sentence.
            self._output.write(text if self._ended else f"\n{text}")
            self._ended = not (isinstance(row, Sentence) and row.lines[-1].strip())

    def _text(self, row: Row, additions: Mapping[str, object]) -> str:
        remarks = "".join(
            f"# {name} = {' '.join(str(additions[name]).split())}\n"
            for name in ("error", "truncated")
            if name in additions
        )
        tags = cast("Tags | None", additions["tags"])
        if isinstance(row, Sentence):
            return remarks + labelled(row, tags or [None] * len(row.places))
        words = cast("Sequence[str] | None", additions["words"])
        return remarks + written_anew(words or (), tags or ())
