"""Plain texts, to learn from as they are."""

from distilcli.errors import InputError
from distilcli.rows.reader import RowSource
from distilcli.rows.row import cell_text
from distilcli.training.data.reading import read_each
from distilcli.training.data.split import set_aside


def read_texts(
    train: RowSource, valid: RowSource | None, *, share: float, seed: int
) -> tuple[list[str], list[str]]:
    """Read texts to learn from and texts to validate on; empty ones are left out.

    Without `valid`, a `share` of the texts is set aside. Raises `InputError` for rows that cannot
    be read.
    """
    texts = _read(train)
    return set_aside(texts, share=share, seed=seed) if valid is None else (texts, _read(valid))


def _read(source: RowSource) -> list[str]:
    column = source.text_column
    texts = read_each(source, lambda row: cell_text(row, column), what="texts")
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise InputError(f"{source.name}: has no texts to learn from")
    return texts
