import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from distilcli.errors import ResourceError
from distilcli.model import inference, precision
from distilcli.model.heads import HEADS, SequenceClassifier, TaskModel
from distilcli.model.inference import for_inference
from distilcli.model.int8 import weight_steps
from distilcli.model.precision_name import Precision
from distilcli.model.varlen import VarlenTransformer
from tests.model.test_heads import TINY, TINY_BERT, built

CPU = torch.device("cpu")
SIZES: dict[Precision, float] = {"fp32": 1e-5, "bf16": 0.06, "int8": 0.06 * 127 / weight_steps()}


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(1))
    return ids, (torch.arange(9)[None, :] < torch.tensor([[9], [6], [2]])).long()


@pytest.mark.parametrize("asked", SIZES)
@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("config", [TINY, TINY_BERT], ids=["distilbert", "bert"])
def test_every_head_gives_nearly_what_it_gave(
    monkeypatch: pytest.MonkeyPatch, asked: Precision, kind: type[TaskModel], config: Any
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    model = built(kind, config)
    ids, mask = batch()
    with torch.inference_mode():
        wanted = model(ids, mask)
        found = for_inference(copy.deepcopy(model), asked, CPU)(ids, mask).float()
    real = wanted[mask.bool()] if wanted.dim() == 3 else wanted
    got = found[mask.bool()] if found.dim() == 3 else found
    assert float((got - real).abs().max()) <= SIZES[asked] * max(1.0, float(real.abs().max()))


def test_int8_leaves_the_model_that_it_was_made_of() -> None:
    model = built(SequenceClassifier)
    ids, mask = batch()
    with torch.inference_mode():
        before = model(ids, mask)
        quantised = for_inference(model, "int8", CPU)
        assert torch.equal(model(ids, mask), before)
        assert not torch.equal(quantised(ids, mask), before)
    table = "distilbert.embeddings.word_embeddings.weight"
    ours, theirs = quantised.get_parameter(table), model.get_parameter(table)
    assert ours.data_ptr() == theirs.data_ptr()


def test_without_the_operators_linear_maps_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "can_pack", lambda dtype: False)
    model = built(SequenceClassifier)
    ready = for_inference(model, "fp32", CPU)
    assert ready is model
    assert isinstance(ready.distilbert.transformer.layer[0].ffn.lin1, torch.nn.Linear)


def test_another_activation_is_not_fused() -> None:
    model = built(SequenceClassifier, replace(TINY, activation="relu"))
    ids, mask = batch()
    with torch.inference_mode():
        wanted = model(ids, mask)
        found = for_inference(copy.deepcopy(model), "fp32", CPU)(ids, mask)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("asked", ["fp32", "bf16", "int8"])
def test_padding_changes_nothing(monkeypatch: pytest.MonkeyPatch, asked: Precision) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    ready = for_inference(built(SequenceClassifier), asked, CPU)
    ids, mask = batch()
    with torch.inference_mode():
        together = ready(ids, mask).float()
        alone = torch.cat([ready(ids[[row]][:, : int(mask[row].sum())]) for row in range(3)])
    tolerance = 2e-2 if asked == "bf16" else 1e-5
    torch.testing.assert_close(together, alone.float(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("asked", "device", "message"),
    [
        ("fp16", "cpu", "`precision` fp16 is for accelerators; on the CPU use bf16 or int8"),
        ("tf32", "cpu", "`precision` tf32 is for CUDA devices; on cpu use fp32"),
        (
            "int8",
            "mps",
            "`precision` int8 is for the CPU; on mps use fp16 or bf16, or `device` cpu",
        ),
        ("bf16", "cpu", "`precision` bf16: this cpu has no bf16 instructions"),
        ("bf16", "mps", "`precision` bf16: this mps has no bf16 instructions"),
    ],
)
def test_a_format_that_the_device_lacks_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, asked: Precision, device: str, message: str
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    with pytest.raises(ResourceError, match=message):
        for_inference(built(SequenceClassifier), asked, torch.device(device))


def test_tf32_is_only_taken_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", asked.append)
    for_inference(built(SequenceClassifier), "fp32", CPU)
    assert asked == []  # it is a matter of CUDA
    model, cuda = built(SequenceClassifier), torch.device("cuda")
    for_inference(model, "tf32", cuda)
    for_inference(model, "fp32", cuda)
    assert asked == ["high", "highest"]


@pytest.mark.slow
@pytest.mark.parametrize("asked", SIZES)
def test_the_same_threads_give_the_same_bits_and_others_the_same_but_for_rounding(
    monkeypatch: pytest.MonkeyPatch, asked: Precision
) -> None:
    """A lone batch runs on all cores; its kernels may add up in another order than on one."""
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    config = replace(TINY, dim=128, hidden_dim=512, n_heads=4)
    ready = for_inference(built(SequenceClassifier, config), asked, CPU)
    before = torch.get_num_threads()
    try:
        for rows, tokens in ((1, 1), (1, 40), (8, 7)):
            ids = torch.randint(5, 60, (rows, tokens))
            found = []
            for threads in (1, 2, 4):
                torch.set_num_threads(threads)
                with torch.inference_mode():
                    found.append(ready(ids))
                    assert torch.equal(ready(ids), found[-1])
            bound = SIZES[asked] * max(1.0, float(found[0].abs().max()))
            assert all(float((other - found[0]).abs().max()) <= bound for other in found)
    finally:
        torch.set_num_threads(before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("asked", ["bf16", "fp16"])
def test_cuda_gives_in_half_precision_what_the_cpu_gives(asked: Precision) -> None:
    config = replace(TINY, dim=64, hidden_dim=128, n_heads=2)
    model = built(SequenceClassifier, config)
    ids, mask = batch()
    with torch.inference_mode():
        wanted = model(ids, mask)
        ready = for_inference(model.to("cuda"), asked, torch.device("cuda"))
        found = ready(ids.to("cuda"), mask.to("cuda")).float().cpu()
    assert isinstance(ready.distilbert.transformer, VarlenTransformer)
    assert float((found - wanted).abs().max()) <= 0.06 * max(1.0, float(wanted.abs().max()))
