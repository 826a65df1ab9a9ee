import copy
import gzip
import json
import shutil
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.benchmark import dataset as module
from distilcli.benchmark.dataset import DatasetPlan, run_dataset
from distilcli.benchmark.forecast import Fleet
from distilcli.benchmark.memory import reset_peak
from distilcli.benchmark.stages import STAGES, Stages
from distilcli.checkpoint.config import ModelConfig
from distilcli.errors import InputError, ModelError, ResourceError, UsageError
from distilcli.memory import resident_bytes
from distilcli.model.device import Placement

pytestmark = pytest.mark.slow


def nothing(_: str) -> None:
    pass


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("n,text\n" + "".join(f"{n},the film was good {n}\n" for n in range(30)))
    return path


def test_every_stage_has_its_time(rows: Path, tiny_folder: Path) -> None:
    plan = DatasetPlan(file=str(rows), model=str(tiny_folder), device="cpu", reading={"limit": 20})
    (found,) = run_dataset(plan, note=nothing, warn=nothing).results
    assert (found.rows, found.failed_rows) == (20, 0)
    assert found.done == "rows are classified by the model's head"
    assert tuple(found.stages) == STAGES
    assert all(seconds > 0 for seconds in found.stages.values())
    *stages, whole = found.records()
    assert sum(record["share"] for record in stages) == pytest.approx(1)
    assert (whole["stage"], whole["seconds"]) == ("whole run", found.seconds)


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.jsonl", "rows.txt"])
def test_formats(name: str, tmp_path: Path, tiny_folder: Path) -> None:
    text = {"jsonl": '{"text": "good"}\n', "txt": "good\n"}.get(name.split(".")[1], "text\ngood\n")
    (tmp_path / name).write_text(text)
    plan = DatasetPlan(file=str(tmp_path / name), model=str(tiny_folder), device="cpu")
    assert run_dataset(plan, note=nothing, warn=nothing).results[0].rows == 1


def test_a_model_without_labels_embeds(rows: Path, mlm_folder: Path) -> None:
    plan = DatasetPlan(file=str(rows), model=str(mlm_folder), device="cpu", threads=1)
    noted: list[str] = []
    (found,) = run_dataset(plan, note=noted.append, warn=nothing).results
    assert found.done == "rows are embedded (the model has no labels)"
    assert found.threads == 1
    assert noted == [f"measuring {rows} in fp32: {found.done}"]


def test_a_shape_gets_a_head_of_random_weights(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ModelConfig(dim=32, n_layers=1, n_heads=4, hidden_dim=48)
    monkeypatch.setitem(module.SHAPES, "distilbert-base", small)
    plan = DatasetPlan(file=str(rows), model="distilbert-base", device="cpu")
    report = run_dataset(plan, note=nothing, warn=nothing)
    assert report.results[0].done == "rows are classified by a head of random weights"
    document = report.as_dict()
    assert json.loads(json.dumps(document)) == document
    assert document["results"][0]["model"] == "distilbert-base"


def test_precisions(rows: Path, tiny_folder: Path) -> None:
    warned: list[str] = []
    plan = DatasetPlan(
        file=str(rows), model=str(tiny_folder), device="cpu", precisions=("fp16", "fp32", "int8")
    )
    report = run_dataset(plan, note=nothing, warn=warned.append)
    assert [found.precision for found in report.results] == ["fp32", "int8"]
    assert len(warned) == 1
    alone = DatasetPlan(file=str(rows), model=str(tiny_folder), device="cpu", precisions=("fp16",))
    with pytest.raises(ResourceError, match="for accelerators"):
        run_dataset(alone, note=nothing, warn=nothing)


def test_a_model_is_gone_before_the_next_is_loaded(
    rows: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[weakref.ref[object]] = []
    alive: list[int] = []

    class Watched(module.Classifier):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            alive.append(sum(each() is not None for each in opened))
            opened.append(weakref.ref(self))
            super().__init__(*arguments, **more)

    monkeypatch.setattr(module, "Classifier", Watched)
    plan = DatasetPlan(
        file=str(rows), model=str(tiny_folder), device="cpu", precisions=("fp32", "int8", "fp32")
    )
    run_dataset(plan, note=nothing, warn=nothing)
    assert alive == [0, 0, 0]


@pytest.mark.skipif(not reset_peak(), reason="this system cannot reset the peak")
def test_the_peak_is_that_of_the_run(rows: Path, tiny_folder: Path) -> None:
    size = 2**29
    del_me = torch.ones(size, dtype=torch.uint8)
    del del_me
    plan = DatasetPlan(file=str(rows), model=str(tiny_folder), device="cpu")
    (found,) = run_dataset(plan, note=nothing, warn=nothing).results
    now = resident_bytes()
    assert found.peak_memory_bytes is not None
    assert now is not None
    assert found.peak_memory_bytes < now + size // 2


def test_batches_that_did_not_fit_are_told(
    rows: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_files = module.run_files

    def run_with_halvings(*arguments: Any, **more: Any) -> None:
        run_files(*arguments, **more)
        more["stats"].add_halving()

    monkeypatch.setattr(module, "run_files", run_with_halvings)
    warned: list[str] = []
    plan = DatasetPlan(file=str(rows), model=str(tiny_folder), device="cpu")
    run_dataset(plan, note=nothing, warn=warned.append)
    assert warned == [
        f"{tiny_folder}, fp32: memory ran out, and batches were halved (1); use fewer `threads`"
    ]


def test_rows_that_cannot_be_read(tmp_path: Path, tiny_folder: Path, rows: Path) -> None:
    def refused(file: object, **more: object) -> None:
        plan = DatasetPlan(file=str(file), model=str(tiny_folder), device="cpu", **more)  # type: ignore[arg-type]
        run_dataset(plan, note=nothing, warn=nothing)

    with pytest.raises(InputError, match="no such file"):
        refused(tmp_path / "no.csv")
    with pytest.raises(InputError, match="other"):
        refused(rows, reading={"text_column": "other"})
    with pytest.raises(UsageError, match="reads only files"):
        refused("-")
    empty = tmp_path / "empty.csv"
    empty.write_text("text\n")
    with pytest.raises(InputError, match="no rows to measure"):
        refused(empty)


def test_rows_that_fail_are_told(rows: Path, tiny_folder: Path) -> None:
    rows.write_text("n,text\n1,good\n2,good,film\n3,bad\n4\n")
    warned: list[str] = []
    plan = DatasetPlan(file=str(rows), model=str(tiny_folder), device="cpu")
    (found,) = run_dataset(plan, note=nothing, warn=warned.append).results
    assert (found.rows, found.failed_rows) == (4, 2)
    assert [record["failed_rows"] for record in found.records()] == [2] * 6
    assert len(warned) == 1
    assert f"{rows}: 2 of 4 rows failed, the first: {rows}: line 3" in warned[0]
    rows.write_text("n,text\n1\n2\n")
    with pytest.raises(InputError, match=r"every row failed: .*line 2"):
        run_dataset(plan, note=nothing, warn=nothing)


def test_a_head_that_is_broken_is_not_passed_over(
    rows: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(tiny_folder, tmp_path / "broken"))
    config = json.loads((broken / "config.json").read_text())
    labels = {str(number): f"l{number}" for number in range(9)}
    config |= {"id2label": labels, "label2id": {name: int(n) for n, name in labels.items()}}
    (broken / "config.json").write_text(json.dumps(config))
    plan = DatasetPlan(file=str(rows), model=str(broken), device="cpu")
    with pytest.raises(ModelError, match="names 9 labels"):
        run_dataset(plan, note=nothing, warn=nothing)


def test_a_tagger_embeds(rows: Path, hand_tagger: Path) -> None:
    plan = DatasetPlan(file=str(rows), model=str(hand_tagger), device="cpu", threads=1)
    (found,) = run_dataset(plan, note=nothing, warn=nothing).results
    assert found.done.startswith("rows are embedded")


def test_a_model_that_is_none(rows: Path, tmp_path: Path, make_model: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match="no folder"):
        run_dataset(
            DatasetPlan(file=str(rows), model=str(tmp_path / "none")), note=nothing, warn=nothing
        )


def test_a_run_names_all_its_devices(
    rows: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [torch.device("cpu:0"), torch.device("cpu:1")]  # stand-ins for GPUs

    def copies(model: Any, *_: object, **__: object) -> list[tuple[Any, Placement]]:
        models = [model, copy.deepcopy(model)]
        return [(each, Placement(on, "")) for each, on in zip(models, devices, strict=True)]

    monkeypatch.setattr("distilcli.predictors.base.place_copies", copies)
    plan = DatasetPlan(file=str(rows), model=str(tiny_folder), device="cuda:all", threads=1)
    report = run_dataset(plan, note=nothing, warn=nothing)
    assert report.results[0].device == "cpu:0, cpu:1"
    assert report.results[0].threads == 2
    assert report.environment["device"] == "cpu:0, cpu:1"


def test_a_plan_rests_on_the_rows(rows: Path, tiny_folder: Path) -> None:
    noted: list[str] = []
    plan = DatasetPlan(
        file=str(rows), model=str(tiny_folder), device="cpu", threads=1,
        precisions=("fp32", "int8"),
        fleet=Fleet(rows=3000, cores=4),
    )  # fmt: skip
    report = run_dataset(plan, note=noted.append, warn=nothing)
    assert [each.precision for each in report.plans] == ["fp32", "int8"]
    found = report.plans[0]
    assert (found.costs.rows, found.costs.cores, found.costs.gpus) == (30, 1, 0)
    assert found.costs.bytes_read == rows.stat().st_size
    assert found.costs.is_whole
    assert found.ways[0].bytes_read == 100 * rows.stat().st_size
    assert found.costs.bytes_written > rows.stat().st_size
    assert found.measured_here == report.results[0].rows_per_second
    assert "measuring each stage alone" in noted
    document = report.as_dict()
    assert json.loads(json.dumps(document)) == document
    assert len(report.records()) == 6


@pytest.mark.parametrize("kind", ["jsonl", "csv.gz", "txt"])
def test_a_plan_counts_the_bytes_of_a_file(kind: str, tmp_path: Path, tiny_folder: Path) -> None:
    lines = [*([] if kind == "txt" else ["text"]), *["good film"] * 20]
    if kind == "jsonl":
        lines = ['{"text": "good film"}'] * 20
    content = "".join(f"{line}\n" for line in lines).encode()
    path = tmp_path / f"rows.{kind}"
    path.write_bytes(gzip.compress(content) if kind.endswith("gz") else content)
    plan = DatasetPlan(file=str(path), model=str(tiny_folder), device="cpu", fleet=Fleet(rows=20))
    (found,) = run_dataset(plan, note=nothing, warn=nothing).plans
    assert found.costs.bytes_read == path.stat().st_size
    cut = run_dataset(replace(plan, reading={"limit": 3}), note=nothing, warn=nothing).plans[0]
    assert (cut.costs.rows, cut.costs.is_whole) == (3, False)


def test_a_plan_that_does_not_fit_the_run_is_doubted(
    rows: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(stages: Stages, *_: object) -> None:
        stages.seconds = dict.fromkeys(STAGES, 1e6)

    monkeypatch.setattr(module, "time_stages", slow)
    warned: list[str] = []
    plan = DatasetPlan(file=str(rows), model=str(tiny_folder), device="cpu", fleet=Fleet(rows=1))
    run_dataset(plan, note=nothing, warn=warned.append)
    assert len(warned) == 1
    assert "too few rows, or a busy machine; measure again" in warned[0]


def test_a_plan_for_gpus_needs_their_rate(rows: Path, tiny_folder: Path) -> None:
    def run(**more: object) -> None:
        fleet = Fleet(rows=1, gpus=1, **more)  # type: ignore[arg-type]
        plan = DatasetPlan(file=str(rows), model=str(tiny_folder), device="cpu", fleet=fleet)
        run_dataset(plan, note=nothing, warn=nothing)

    with pytest.raises(UsageError, match="measures no GPU"):
        run()
    run(gpu_rows_per_second=100)
