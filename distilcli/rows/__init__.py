"""Rows in and out: one reader and one writer for all formats."""

from distilcli.rows.output import check_destination, is_same_file
from distilcli.rows.reader import RowSource, open_rows, read_text
from distilcli.rows.row import Row, cell_text, find_column
from distilcli.rows.row_writer import RowWriter
from distilcli.rows.table import Given
from distilcli.rows.writer import open_writer

__all__ = [
    "Given",
    "Row",
    "RowSource",
    "RowWriter",
    "cell_text",
    "check_destination",
    "find_column",
    "is_same_file",
    "open_rows",
    "open_writer",
    "read_text",
]
