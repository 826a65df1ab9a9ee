"""DistilBERT at work on files: the library behind the `distil` command."""

__version__ = "0.1.0"
