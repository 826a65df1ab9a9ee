from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.capture import LayerOutputs, captured_layers, forward_all, interleaved
from distilcli.model.encoder import Transformer
from distilcli.model.heads import SequenceClassifier, TokenClassifier

TINY = ModelConfig(
    vocab_size=60,
    max_position_embeddings=20,
    dim=16,
    n_layers=3,
    n_heads=4,
    hidden_dim=32,
    initializer_range=0.3,
    labels=("a", "b", "c"),
)
CONFIGS = {"distilbert": TINY, "bert": replace(TINY, model_type="bert", type_vocab_size=2)}
HEADS = pytest.mark.parametrize("kind", [SequenceClassifier, TokenClassifier])
ATTENTIONS = pytest.mark.parametrize("attentions", [False, True])


def built(kind: Any, name: str = "distilbert", **settings: Any) -> Any:
    torch.manual_seed(0)
    return kind(replace(CONFIGS[name], **settings))


def ids() -> Tensor:
    return torch.randint(1, 60, (3, 9), generator=torch.Generator().manual_seed(1))


def mask() -> Tensor:
    return (torch.arange(9)[None, :] < torch.tensor([[9], [4], [2]])).long()


@ATTENTIONS
@torch.no_grad()
def test_every_layer_is_returned_on_request(attentions: bool) -> None:
    encoder = built(TokenClassifier).eval().distilbert
    found = forward_all(encoder, ids(), mask(), attentions=attentions)
    assert len(found.hidden_states) == 4
    torch.testing.assert_close(found.hidden_states[0], encoder.embeddings(ids()))
    expected = encoder(ids(), mask())
    torch.testing.assert_close(found.hidden_states[-1], expected, atol=1e-5, rtol=0)
    if attentions:
        assert found.attentions is not None
        assert [tuple(layer.shape) for layer in found.attentions] == [(3, 4, 9, 9)] * 3
    else:
        assert found.attentions is None


@HEADS
@ATTENTIONS
@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_capturing_changes_nothing_and_sees_every_layer(
    kind: Any, attentions: bool, name: str
) -> None:
    model = built(kind, name).eval()
    expected = model(ids(), mask())
    everything = forward_all(model.distilbert, ids(), mask(), attentions=attentions)
    with captured_layers(model.distilbert, attentions=attentions) as seen:
        found = model(ids(), mask())
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    (output,) = seen
    assert len(output.hidden_states) == 4
    for ours, theirs in zip(output.hidden_states, everything.hidden_states, strict=True):
        assert torch.equal(ours, theirs)
    if attentions:
        assert [layer.shape for layer in output.attentions] == [(3, 4, 9, 9)] * 3
        for ours, theirs in zip(output.attentions, everything.attentions, strict=True):
            assert torch.equal(ours, theirs)
    else:
        assert output.attentions is None


@HEADS
@ATTENTIONS
@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_are_those_without_capturing(
    kind: Any, attentions: bool, checkpointing: bool
) -> None:
    without = {"dropout": 0.0, "attention_dropout": 0.0, "classifier_dropout": 0.0}
    plain, captured_one = built(kind, **without), built(kind, **without)
    captured_one.distilbert.transformer.gradient_checkpointing = checkpointing
    plain(ids(), mask()).logsumexp(-1).sum().backward()
    with captured_layers(captured_one.distilbert, attentions=attentions):
        captured_one(ids(), mask()).logsumexp(-1).sum().backward()
    expected = {name: weight.grad for name, weight in plain.named_parameters()}
    assert any(grad is not None and grad.any() for grad in expected.values())
    for name, weight in captured_one.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name], atol=1e-5, rtol=1e-4)


def test_with_gradient_checkpointing_the_same_elements_drop_out_twice() -> None:
    grads = []
    for checkpointing in (False, True):
        model = built(TokenClassifier, dropout=0.3, attention_dropout=0.3)
        model.distilbert.transformer.gradient_checkpointing = checkpointing
        torch.manual_seed(5)
        with captured_layers(model.distilbert, attentions=True) as seen:
            outputs = model(ids(), mask())
        states = torch.stack(seen[0].hidden_states)
        (outputs.sum() + states.square().sum()).backward()
        grads.append([weight.grad for weight in model.parameters()])
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_gradients_reach_the_weights_through_what_was_seen() -> None:
    model = built(SequenceClassifier).eval()
    with captured_layers(model.distilbert, attentions=True) as seen:
        model(ids(), mask())
    (seen[0].hidden_states[1].sum() + seen[0].attentions[0].square().sum()).backward()
    layers = model.distilbert.transformer.layer
    assert layers[0].attention.q_lin.weight.grad.any()
    assert layers[1].attention.q_lin.weight.grad is None


def test_every_call_is_seen_until_the_end() -> None:
    model = built(SequenceClassifier).eval()
    with captured_layers(model.distilbert) as seen:
        model(ids())
        model(ids()[:1])
    assert [output.hidden_states[0].shape[0] for output in seen] == [3, 1]
    model(ids())
    assert len(seen) == 2


def test_an_error_ends_the_capturing() -> None:
    model = built(SequenceClassifier).eval()
    with pytest.raises(IndexError), captured_layers(model.distilbert) as seen:
        model(torch.full((1, 4), 1_000))
    model(ids())
    assert seen == []
    assert type(model.distilbert.transformer) is Transformer


def test_calls_that_took_every_second_sequence_make_one_batch() -> None:
    generator = torch.Generator().manual_seed(0)

    def call(length: int) -> LayerOutputs:
        states = tuple(torch.rand(2, length, 4, generator=generator) for _ in range(3))
        return LayerOutputs(states, (torch.rand(2, 5, length, length, generator=generator),) * 2)

    short, long = call(3), call(6)
    found = interleaved([short, long])
    for layer, states in enumerate(found.hidden_states):
        assert states.shape == (4, 6, 4)
        assert states[1::2].equal(long.hidden_states[layer])
        assert states[0::2, :3].equal(short.hidden_states[layer])
        assert not states[0::2, 3:].any()
    assert found.attentions is not None
    assert found.attentions[0][0::2, :, :3, :3].equal(short.attentions[0])
    assert found.attentions[0][1::2].equal(long.attentions[0])
    assert found.attentions[0].shape == (4, 5, 6, 6)
