from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from distilcli.errors import ResourceError, UsageError
from distilcli.model import device as device_module
from distilcli.model.device import (
    available_accelerators,
    difference_from_cpu,
    names_of,
    place,
    place_copies,
)
from distilcli.model.heads import SequenceClassifier
from tests.model.test_encoder import TINY

CPU = torch.device("cpu")


class Accelerated(nn.Module):
    """A model that believes to be on an accelerator when it is moved for the second time."""

    def __init__(self, *, wrong_by: float = 0.0, fails: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.calls: list[Tensor] = []
        self._wrong_by, self._fails = wrong_by, fails

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        self.calls.append(attention_mask)
        if len(self.calls) > 1 and self._fails:
            raise RuntimeError("no kernel image is available\nfor execution")
        wrong_by = self._wrong_by if len(self.calls) > 1 else 0.0
        return (input_ids * attention_mask).sum(1, keepdim=True) + wrong_by


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """The CPU, offered as if it were an accelerator."""
    device = torch.device("cpu")
    monkeypatch.setattr(device_module, "available_accelerators", lambda: [device])
    monkeypatch.setattr(device_module, "_require", lambda name: None)
    return device


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_auto_takes_the_cpu_where_there_is_nothing_else(no_accelerator: None) -> None:
    placement = place(SequenceClassifier(TINY), "auto", vocab_size=60)
    assert (placement.device, placement.reason) == (CPU, "no accelerator here")


def test_the_cpu_is_taken_when_asked_for_without_a_check() -> None:
    model = Accelerated()
    assert place(model, "cpu", vocab_size=60).device == CPU
    assert not model.calls


@pytest.mark.parametrize(
    "name", ["gpu", "cuda:", "cuda:x", "CPU", "", "meta", "cuda:1000", "cuda:al", "mps:all"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="known are auto, cpu, cuda, cuda:N, cuda:all and mps"):
        place(Accelerated(), name, vocab_size=60)


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "cuda:all", "mps"])
def test_a_device_that_is_missing_is_refused(no_accelerator: None, name: str) -> None:
    with pytest.raises(ResourceError, match=f"`device` {name}: not on this machine; use cpu"):
        place_copies(Accelerated(), name, vocab_size=60)


def test_a_cuda_device_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(
        ResourceError, match="`device` cuda:2: not on this machine; the last is cuda:1"
    ):
        place(Accelerated(), "cuda:2", vocab_size=60)


def test_cuda_is_preferred_to_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert [device.type for device in available_accelerators()] == ["cuda", "mps"]


def test_auto_takes_an_accelerator_that_agrees(accelerator: torch.device) -> None:
    model = Accelerated(wrong_by=0.001)
    assert place(model, "auto", vocab_size=60).reason == "agrees with the CPU"
    assert [int(mask.sum()) for mask in model.calls] == [16 + 9 + 2] * 2  # padding is tried


@pytest.mark.parametrize("wrong_by", [0.5, float("nan"), float("inf")])
def test_auto_passes_over_an_accelerator_that_is_wrong(
    accelerator: torch.device, wrong_by: float
) -> None:
    placement = place(Accelerated(wrong_by=wrong_by), "auto", vocab_size=60)
    assert placement.device == CPU
    assert "its numbers differ from the CPU's by" in placement.reason


def test_auto_passes_over_an_accelerator_that_fails(accelerator: torch.device) -> None:
    placement = place(Accelerated(fails=True), "auto", vocab_size=60)
    assert placement.device == CPU
    assert "fails on a test batch (no kernel image is available)" in placement.reason


@pytest.mark.parametrize("fault", [{"wrong_by": 1.0}, {"fails": True}])
def test_a_wrong_device_that_was_asked_for_is_refused(
    accelerator: torch.device, fault: dict[str, float]
) -> None:
    with pytest.raises(ResourceError, match=r"^`device` mps: .*; use `device` cpu$"):
        place(Accelerated(**fault), "mps", vocab_size=60)  # type: ignore[arg-type]


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[nn.Module]]:
    """Return a function that offers CUDA devices, which are the CPU, and notes what is placed."""

    def offer(count: int, *, wrong: str = "") -> list[nn.Module]:
        placed: list[nn.Module] = []

        def fault(model: nn.Module, device: torch.device, *, vocab_size: int) -> str | None:
            placed.append(model)
            return "its numbers differ" if str(device) == wrong else None

        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(device_module, "_fault", fault)
        return placed

    return offer


def test_all_gpus_get_a_copy_each(gpus: Callable[..., list[nn.Module]]) -> None:
    placed = gpus(3)
    model = SequenceClassifier(TINY)
    found = place_copies(model, "cuda:all", vocab_size=60)
    assert names_of([placement.device for _, placement in found]) == "cuda:0, cuda:1, cuda:2"
    assert [copy for copy, _ in found] == placed
    assert found[0][0] is model
    weights = [next(copy.parameters()) for copy, _ in found]
    assert len({weight.data_ptr() for weight in weights}) == 3
    assert all(torch.equal(weight, weights[0]) for weight in weights)


def test_the_only_gpu_is_named_as_that(gpus: Callable[..., list[nn.Module]]) -> None:
    gpus(1)
    ((_, placement),) = place_copies(Accelerated(), "cuda:all", vocab_size=60)
    assert (str(placement.device), placement.reason) == (
        "cuda:0",
        "the only GPU here, agrees with the CPU",
    )


def test_one_wrong_gpu_of_several_is_named(gpus: Callable[..., list[nn.Module]]) -> None:
    gpus(2, wrong="cuda:1")
    with pytest.raises(ResourceError, match="`device` cuda:1: its numbers differ"):
        place_copies(Accelerated(), "cuda:all", vocab_size=60)


def test_one_device_gets_the_model_itself(gpus: Callable[..., list[nn.Module]]) -> None:
    gpus(2)
    model = Accelerated()
    ((found, placement),) = place_copies(model, "cuda:1", vocab_size=60)
    assert found is model
    assert str(placement.device) == "cuda:1"


def test_all_gpus_are_no_place_for_one_model(gpus: Callable[..., list[nn.Module]]) -> None:
    gpus(2)
    with pytest.raises(UsageError, match="`device` cuda:all: this takes one device"):
        place(Accelerated(), "cuda:all", vocab_size=60)


def test_no_number_is_as_different_as_can_be() -> None:
    model = Accelerated(wrong_by=float("nan"))
    assert difference_from_cpu(model, CPU, vocab_size=60) == float("inf")


def test_the_check_leaves_the_model_as_it_was() -> None:
    model = SequenceClassifier(TINY).train()
    assert difference_from_cpu(model, CPU, vocab_size=60) == 0
    assert model.training
    model.eval()
    difference_from_cpu(model, CPU, vocab_size=60)
    assert not model.training


def test_weights_that_were_moved_can_be_trained() -> None:
    class Doubled(nn.Linear):
        """Makes new weights whenever it is moved, as a move to another device does."""

        def to(self, *_: object) -> "Doubled":  # type: ignore[override]
            self.weight = nn.Parameter(self.weight.detach().clone())
            return self

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            return super().forward((input_ids * attention_mask).float())

    model = Doubled(16, 1)
    difference_from_cpu(model, CPU, vocab_size=60)
    assert not model.weight.is_inference()
    model(torch.ones(3, 16), torch.ones(3, 16)).sum().backward()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu_and_can_train() -> None:
    model = SequenceClassifier(TINY)
    placement = place(model, "auto", vocab_size=60)
    assert placement.device.type == "cuda"
    ids = torch.randint(1, 60, (2, 8), device="cuda")
    model(ids).sum().backward()
    assert all(p.device.type == "cuda" and p.grad is not None for p in model.parameters())
