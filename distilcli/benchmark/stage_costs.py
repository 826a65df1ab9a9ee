"""What rows cost in each stage alone: the stages run one after another, not side by side."""

from typing import Any

from distilcli.benchmark.stages import Stages, TimedRows
from distilcli.engine.batching import cut_batches
from distilcli.engine.engine import Engine
from distilcli.engine.estimate import windows
from distilcli.engine.window import Window
from distilcli.engine.workers import Workers, workers_on
from distilcli.rows import Row, RowSource
from distilcli.rows.outcome import Sink, settle, with_additions
from distilcli.stats import RunStats
from distilcli.tasks.files import Columns


def time_stages(
    stages: Stages,
    source: RowSource,
    engine: Engine[Row, Any],
    sink: Sink,
    columns: Columns[Any],
) -> None:
    """Run the rows window by window; in each, one stage at a time has the machine for itself.

    Adds to `stages` the wall time of each, that of the model over all its workers.
    """
    stats = RunStats()
    workers = Workers(
        engine.task.forward,
        count=workers_on(*engine.devices, cores=engine.workers),
        devices=engine.devices,
        pad_token_id=engine.pad_token_id,
        max_tokens=engine.max_tokens,
        stats=stats,
    )
    workers.start()
    try:
        for items in windows(engine, TimedRows(source, stages)):
            window: Window[Row] = Window()
            window.fill(items, stages.timed("tokenizing", engine.task.encode, items))
            stages.timed("model", _run_model, window, workers, engine.max_rows)
            outcomes = stages.timed("decoding", engine.outcomes, window)
            for block in settle(outcomes, on_error=engine.on_error, stats=stats):
                stages.timed("writing", _write, sink, block, columns)
    finally:
        workers.close()


def _run_model(window: Window[Row], workers: Workers, max_rows: int | None) -> None:
    lengths = [len(piece) for piece in window.pieces]
    batches = list(cut_batches(lengths, max_tokens=workers.max_tokens, max_rows=max_rows))
    workers.submit(window, batches)
    workers.finish(window)
    if window.failure is not None:
        raise window.failure


def _write(sink: Sink, block: Any, columns: Columns[Any]) -> None:
    sink.write_rows(with_additions(block, columns.names, columns.values))
