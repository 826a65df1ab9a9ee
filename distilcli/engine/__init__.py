"""The engine that runs rows through a model in batches."""

from distilcli.engine.batching import Batch, Piece
from distilcli.engine.engine import Engine
from distilcli.engine.task import Encoded, Task
from distilcli.rows.outcome import OnError, Outcome

__all__ = ["Batch", "Encoded", "Engine", "OnError", "Outcome", "Piece", "Task"]
