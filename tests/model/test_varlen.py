"""Rows end to end give what padded rows give: heads, layers, first tokens, pruned heads."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from distilcli.errors import ResourceError
from distilcli.model import inference, varlen
from distilcli.model.heads import HEADS, SequenceClassifier, TaskModel
from distilcli.model.surgery import prune_heads
from distilcli.model.varlen import VariableLengths, VarlenTransformer, has_kernel
from tests.model.test_heads import TINY, TINY_BERT, built

CPU = torch.device("cpu")
MASK = (torch.arange(9)[None, :] < torch.tensor([[9], [6], [1]])).long()
IDS = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(1))


def join(model: TaskModel) -> None:
    model.distilbert.transformer = VarlenTransformer(model.distilbert.transformer)


def joins_rows(model: TaskModel) -> bool:
    return isinstance(model.distilbert.transformer, VarlenTransformer)


def test_tokens_go_end_to_end_and_back() -> None:
    rows = VariableLengths(MASK)
    x = torch.randn(3, 9, 4)
    joined = rows.join(x)
    assert joined.shape == (1, 16, 4)
    assert torch.equal(rows.pad(joined), x * MASK[..., None])
    assert torch.equal(rows.first_tokens(joined)[0], x[:, 0])


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("config", [TINY, TINY_BERT], ids=["distilbert", "bert"])
def test_every_head_gives_what_it_gives_on_padded_rows(kind: type[TaskModel], config: Any) -> None:
    model = built(kind, config)
    with torch.inference_mode():
        wanted, unpadded = model(IDS, MASK), model(IDS)
        join(model)
        found, other = model(IDS, MASK), model(IDS)
    tokens = MASK.bool() if wanted.dim() == 3 else slice(None)
    torch.testing.assert_close(found[tokens], wanted[tokens], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(other, unpadded, rtol=1e-5, atol=1e-5)


def test_pruned_heads() -> None:
    model = built(SequenceClassifier)
    prune_heads(model, {0: (1,), 1: (0, 3)})
    with torch.inference_mode():
        wanted = model(IDS, MASK)
        join(model)
        torch.testing.assert_close(model(IDS, MASK), wanted, rtol=1e-5, atol=1e-5)


def test_the_kernel_is_told_where_rows_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is there on CUDA alone; what it is asked is checked with one of plain sums."""
    model = built(SequenceClassifier, replace(TINY, n_layers=3))
    with torch.inference_mode():
        wanted = model(IDS, MASK)

    class Kernel:
        @staticmethod
        def varlen_attn(
            q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *bounds: Any
        ) -> torch.Tensor:
            ends_q, ends_k, longest_q, longest_k = bounds
            assert ends_q.dtype is ends_k.dtype is torch.int32
            assert int(ends_q.diff().max()) <= longest_q
            assert int(ends_k.diff().max()) <= longest_k
            parts = []
            for row in range(len(ends_q) - 1):
                mine = slice(int(ends_q[row]), int(ends_q[row + 1]))
                theirs = slice(int(ends_k[row]), int(ends_k[row + 1]))
                scores = torch.einsum("qhs,khs->hqk", q[mine], k[theirs]) / q.shape[2] ** 0.5
                parts.append(torch.einsum("hqk,khs->qhs", scores.softmax(2), v[theirs]))
            return torch.cat(parts)

    monkeypatch.setattr(varlen, "has_kernel", lambda x: True)
    monkeypatch.setattr(varlen, "import_module", lambda name: Kernel)
    join(model)
    with torch.inference_mode():
        torch.testing.assert_close(model(IDS, MASK), wanted, rtol=1e-5, atol=1e-5)


def test_the_cpu_has_no_such_kernel() -> None:
    assert not has_kernel(torch.zeros(1, dtype=torch.bfloat16))


def test_a_model_joins_rows_if_that_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = built(SequenceClassifier)
    wanted = inference._test_states(model, CPU)
    model.to(torch.bfloat16)
    plain = model.distilbert.transformer
    inference.join_rows(model, CPU, wanted)
    assert joins_rows(model)
    assert model.state_dict().keys() == built(SequenceClassifier).state_dict().keys()
    model.distilbert.transformer = plain
    monkeypatch.setattr(VariableLengths, "attend", lambda self, queries, keys, values: values * 0)
    inference.join_rows(model, CPU, wanted)
    assert not joins_rows(model)


@pytest.mark.parametrize("error", [RuntimeError, ValueError])
def test_a_card_without_the_kernel_computes_padded_rows(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise error("FlashAttention only supports Ampere GPUs or newer")

    model = built(SequenceClassifier)
    wanted = inference._test_states(model, CPU)
    monkeypatch.setattr(VariableLengths, "attend", fail)
    inference.join_rows(model, CPU, wanted)
    assert not joins_rows(model)


def test_half_precision_that_computes_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inference._halve(built(SequenceClassifier), torch.bfloat16, CPU)
    monkeypatch.setattr(TaskModel, "to", lambda self, dtype: self.apply(_zero))
    with pytest.raises(ResourceError, match="differ from those in fp32"):
        inference._halve(built(SequenceClassifier), torch.float16, CPU)


def _zero(module: torch.nn.Module) -> None:
    if isinstance(module, torch.nn.Linear):
        torch.nn.init.zeros_(module.weight)
