"""Rows to learn from: read, checked, and split for validation."""
