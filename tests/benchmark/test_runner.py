from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.benchmark import runner as module
from distilcli.benchmark.batch_runner import BatchRunner
from distilcli.benchmark.measure import Effort, Round
from distilcli.benchmark.memory import Memory, MemoryWatch
from distilcli.benchmark.model_under_test import ModelUnderTest
from distilcli.benchmark.peak_flops import PeakFlops
from distilcli.benchmark.runner import Plan, Voice, run
from distilcli.engine.batching import Batch
from distilcli.errors import ResourceError, UsageError
from distilcli.model.precision_name import Precision

pytestmark = pytest.mark.slow

SHORT = Effort(rounds=4, seconds=0)
SILENT = Voice(lambda _: None, lambda _: None, lambda _: None)


@pytest.fixture(autouse=True)
def _known_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the products of large matrices."""
    monkeypatch.setattr(PeakFlops, "sample", lambda self: setattr(self, "per_second", 1e12))


@pytest.fixture
def two(make_model: Callable[..., Path]) -> tuple[str, str]:
    return str(make_model("model")), str(make_model("rival", n_layers=3))


def test_contenders_take_turns(two: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[object] = []

    def measure_round(runner: object, pieces: object, effort: object) -> Round:
        order.append(runner)
        return Round([0.001], 1.0)

    monkeypatch.setattr(module, "measure_round", measure_round)
    model, rival = two
    report = run(Plan(model=model, rival=rival, device="cpu", sizes=[(8, 1)], effort=SHORT), SILENT)
    first, second = order[:2]
    assert first is not second
    assert order == [first, second, second, first, first, second, second, first]
    assert [result.setting.model for result in report.results] == [model, rival]


def test_a_bigger_rival_in_ratios(two: tuple[str, str]) -> None:
    model, rival = two
    plan = Plan(model=model, rival=rival, device="cpu", sizes=[(8, 1), (16, 2)], effort=SHORT)
    report = run(plan, SILENT)
    for comparison in report.comparisons:
        found = comparison.ratios()
        assert found["flops_ratio"] == pytest.approx(2 / 3)
        assert 0 < found["parameters_ratio"] == found["model_bytes_ratio"] < 1
        assert found["rate_ratio"] > 0
    sizes = [(each.model.setting.seq, each.model.setting.batch) for each in report.comparisons]
    assert sizes == [(8, 1), (16, 2)]


def test_precisions_by_sizes_and_what_is_not_there_left_out(tiny_folder: Path) -> None:
    noted: list[str] = []
    warned: list[str] = []
    report = run(
        Plan(
            model=str(tiny_folder),
            device="cpu",
            precisions=("fp32", "fp16", "int8"),
            sizes=[(8, 1), (8, 3)],
            threads=1,
            effort=SHORT,
        ),
        Voice(noted.append, warned.append, lambda _: None),
    )
    settings = [result.setting for result in report.results]
    assert [(each.precision, each.batch, each.threads) for each in settings] == [
        ("fp32", 1, 1), ("fp32", 3, 1), ("int8", 1, 1), ("int8", 3, 1),
    ]  # fmt: skip
    assert warned == ["`precision` fp16 is for accelerators; on the CPU use bf16 or int8; skipped"]
    assert report.skipped.keys() == {"fp16"}
    assert noted[0] == "measuring fp32, seq 8, batch 1"
    fp32, int8 = report.results[0], report.results[2]
    assert int8.model_bytes < fp32.model_bytes
    assert int8.parameters == fp32.parameters
    assert all(result.timings >= 10 for result in report.results)
    assert report.environment["threads"] == 1


@pytest.mark.parametrize("precisions", [("fp16",), ("tf32", "fp16")])
def test_none_of_the_precisions_is_there(
    tiny_folder: Path, precisions: tuple[Precision, ...]
) -> None:
    plan = Plan(model=str(tiny_folder), device="cpu", precisions=precisions, sizes=[(8, 1)])
    with pytest.raises(ResourceError, match="`precision` fp16 is for accelerators"):
        run(plan, SILENT)


def test_sequences_longer_than_a_model_reads(
    two: tuple[str, str],
) -> None:
    with pytest.raises(UsageError, match="sequences of 65 tokens"):
        run(Plan(model=two[0], rival=two[1], device="cpu", sizes=[(8, 1), (65, 1)]), SILENT)


def test_the_ceiling_is_the_highest_before_and_after(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = iter([1e9, 5e9])
    monkeypatch.setattr(PeakFlops, "sample", lambda self: setattr(self, "per_second", next(rates)))
    plan = Plan(model=str(tiny_folder), device="cpu", sizes=[(8, 1), (8, 2)], effort=SHORT)
    assert [result.ceiling for result in run(plan, SILENT).results] == [5e9, 5e9]


def test_every_worker_has_run_before_memory_is_read(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[object] = []
    carry, read = BatchRunner.run, MemoryWatch.read

    def carry_and_note(self: BatchRunner, pieces: object, *, times: int = 1) -> float:
        events.append(times)
        return carry(self, pieces, times=times)  # type: ignore[arg-type]

    def read_and_note(self: MemoryWatch) -> Memory:
        events.append("read")
        return read(self)

    monkeypatch.setattr(BatchRunner, "run", carry_and_note)
    monkeypatch.setattr(MemoryWatch, "read", read_and_note)
    plan = Plan(model=str(tiny_folder), device="cpu", sizes=[(8, 1)], threads=3, effort=SHORT)
    run(plan, SILENT)
    assert events[events.index("read") - 1] == 3


def test_batches_that_did_not_fit_are_told(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = ModelUnderTest.forward

    def scarce(self: ModelUnderTest, batch: Batch) -> list[None]:
        if len(batch.pieces) > 2:
            raise MemoryError
        return forward(self, batch)

    monkeypatch.setattr(ModelUnderTest, "forward", scarce)
    warned: list[str] = []
    plan = Plan(
        model=str(tiny_folder),
        device="cpu",
        sizes=[(8, 1), (8, 4), (8, 2)],
        threads=1,
        effort=SHORT,
    )
    run(plan, Voice(lambda _: None, warned.append, lambda _: None))
    (said,) = warned
    assert said.startswith(f"{tiny_folder}, fp32, seq 8, batch 4: memory ran out; ")
    assert "batches have at most 16 tokens" in said
