"""The one engine that carries rows through a model in batches."""

from distilcli.engine.batching import Batch, Piece
from distilcli.engine.engine import Engine, OnError
from distilcli.engine.task import Encoded, Outcome, Task

__all__ = ["Batch", "Encoded", "Engine", "OnError", "Outcome", "Piece", "Task"]
