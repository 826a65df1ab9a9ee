"""Rows in and out: one reader and one writer for every format."""
