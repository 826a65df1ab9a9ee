"""Labelled rows that are probably wrong."""
