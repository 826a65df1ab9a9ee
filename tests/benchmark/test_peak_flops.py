import gc
import weakref

import pytest
import torch
from torch import nn

from distilcli.benchmark import peak_flops as module
from distilcli.benchmark.peak_flops import PeakFlops
from distilcli.model.precision import has_bf16
from distilcli.model.precision_name import Precision

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_TOKENS", "_IN", "_OUT"):
        monkeypatch.setattr(module, name, 64)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_sample_is_the_rate_of_products(precision: Precision) -> None:
    if precision == "bf16" and not has_bf16(CPU):
        pytest.skip("this CPU has no bf16")
    peak = PeakFlops(precision, CPU, workers=2)
    assert peak.per_second == 0
    peak.sample()
    assert 0 < peak.per_second < 1e15


def test_no_matrix_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[nn.Module]] = []

    def on_cpu(precision: Precision) -> module.Product:
        linear = nn.Linear(8, 8)
        made.append(weakref.ref(linear))
        return lambda: linear(torch.ones(8))

    monkeypatch.setattr(module, "_on_cpu", on_cpu)
    peak = PeakFlops("fp32", CPU, workers=2)
    peak.sample()
    gc.collect()
    assert [ref() for ref in made] == [None]
    assert peak.per_second > 0


def test_the_draws_of_others_go_on_as_if() -> None:
    before = torch.get_rng_state()
    PeakFlops("fp32", CPU, workers=1).sample()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_highest_rate_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([9.0, 2.0, 1.0, 4.0, 9.0, 8.0, 8.0, 8.0])
    monkeypatch.setattr(module.BatchRunner, "run", lambda *_: next(seconds))
    peak = PeakFlops("fp32", CPU, workers=3)
    for _ in range(2):
        peak.sample()
        # Four products for each worker, the first time of each sample left out.
        assert peak.per_second == 4 * 3 * 2 * 64**3
