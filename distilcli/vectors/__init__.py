"""Vectors in files: written as they come, searched where they lie."""
