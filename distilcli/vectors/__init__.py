"""Vectors in files: written as they come, searched without reading them into memory."""
