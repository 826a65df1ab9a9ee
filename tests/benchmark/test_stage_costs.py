import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distilcli.benchmark.stage_costs import time_stages
from distilcli.benchmark.stages import STAGES, Stages
from distilcli.predictors.classifier import Classifier
from distilcli.rows import open_rows
from distilcli.rows.row_writer import Block
from distilcli.tasks.classify import ClassificationColumns
from distilcli.tasks.files import texts_from

pytestmark = pytest.mark.slow


class Kept:
    def __init__(self) -> None:
        self.rows: list[tuple[str, object]] = []
        self.threads: set[str] = set()

    def write_rows(self, block: Block) -> None:
        self.threads |= {thread.name for thread in threading.enumerate()}
        self.rows += [(row.source, additions.get("label")) for row, additions in block]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("n,text\n" + "".join(f"{n},{'good ' * (n % 7)}\n" for n in range(50)))
    return path


def measured(rows: Path, folder: Path, **changes: Any) -> tuple[Stages, Kept]:
    classifier = Classifier(str(folder), device="cpu")
    stages, sink = Stages(), Kept()
    engine = replace(classifier.engine(texts_from("text", None)), window_rows=20, **changes)
    columns = ClassificationColumns(classifier.labels, classifier.kind)
    with open_rows([str(rows)]) as source:
        time_stages(stages, source, engine, sink, columns)
    return stages, sink


def test_every_stage_runs_alone_and_gives_what_a_run_gives(rows: Path, tiny_folder: Path) -> None:
    stages, sink = measured(rows, tiny_folder)
    assert tuple(stages.seconds) == STAGES
    assert all(seconds > 0 for seconds in stages.seconds.values())
    texts = ["good " * (n % 7) for n in range(50)]
    classifier = Classifier(str(tiny_folder), device="cpu")
    labels: Sequence[str] = [each.label for each in classifier([t for t in texts if t])]
    assert [label for _, label in sink.rows if label] == labels
    assert len(sink.rows) == 50
    # Neither reading nor tokenizing goes on while rows are written.
    assert not {name for name in sink.threads if name in {"distil-reader", "distil-feeder"}}


def test_a_failure_comes_through_and_ends_the_threads(rows: Path, tiny_folder: Path) -> None:
    class Broken:
        def __init__(self, task: Any) -> None:
            self.size, self.encode = task.size, task.encode

        def forward(self, batch: object) -> Sequence[object]:
            raise ValueError("broken")

    task = Classifier(str(tiny_folder), device="cpu").engine(texts_from("text", None)).task
    with pytest.raises(ValueError, match="broken"):
        measured(rows, tiny_folder, task=Broken(task))
    names = {thread.name for thread in threading.enumerate()}
    assert not {name for name in names if name.startswith("distil-worker")}
