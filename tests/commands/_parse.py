"""Strict parsers of what commands write: anything but data on stdout makes them fail."""

import csv
import io
import json
from typing import Any


def delimited(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the rows of CSV or TSV, each with exactly the cells of its header."""
    records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    header, rows = records[0], records[1:]
    assert len(set(header)) == len(header)
    return [dict(zip(header, row, strict=True)) for row in rows]


def json_lines(text: str) -> list[dict[str, Any]]:
    """Return the objects of JSONL, one to a line."""
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]
