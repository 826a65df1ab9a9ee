import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from distilcli.checkpoint.config import ModelConfig, parse_config
from distilcli.engine.batching import Piece, cut_batches, pad
from distilcli.errors import ModelError
from distilcli.model.embeddings import sinusoidal_positions
from distilcli.model.encoder import Encoder
from distilcli.model.heads import SequenceClassifier

TINY = ModelConfig(
    vocab_size=60,
    max_position_embeddings=40,
    dim=16,
    n_layers=2,
    n_heads=4,
    hidden_dim=32,
    initializer_range=0.3,
    labels=("a", "b", "c"),
)
TINY_BERT = replace(TINY, model_type="bert", type_vocab_size=2)


def encoder(config: ModelConfig = TINY, **settings_: Any) -> Encoder:
    torch.manual_seed(0)
    return Encoder(replace(config, **settings_)).eval()


def ids(rows: int = 3, tokens: int = 9) -> Tensor:
    return torch.randint(1, 60, (rows, tokens), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("chunk", [1, 2, 4, 9, 50])
def test_feed_forward_in_chunks_gives_the_same(chunk: int) -> None:
    whole, chunked = encoder(), encoder(chunk_size_feed_forward=chunk)
    with torch.inference_mode():
        torch.testing.assert_close(chunked(ids()), whole(ids()), atol=1e-5, rtol=0)


def test_chunks_bound_what_the_feed_forward_sees_at_once() -> None:
    model = encoder(chunk_size_feed_forward=4)
    seen: list[int] = []
    model.transformer.layer[0].ffn.lin1.register_forward_hook(
        lambda _module, inputs, _output: seen.append(inputs[0].shape[1])
    )
    model(ids(tokens=9))
    assert seen == [4, 4, 1]


def test_sinusoidal_positions_follow_the_formula() -> None:
    table = sinusoidal_positions(7, 6)
    for position in range(7):
        for pair in range(3):
            angle = position / 10_000 ** (2 * pair / 6)
            assert table[position, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-7)
            assert table[position, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-7)


def test_sinusoidal_positions_are_not_trained() -> None:
    model = encoder(sinusoidal_pos_embds=True)
    weight = model.embeddings.position_embeddings.weight
    assert not weight.requires_grad
    assert torch.equal(weight, sinusoidal_positions(40, 16))


def test_a_row_of_nothing_but_padding_gives_numbers() -> None:
    mask = torch.ones(3, 9, dtype=torch.int64)
    mask[1] = 0
    with torch.inference_mode():
        alone = encoder()(ids(), mask)
    assert torch.isfinite(alone).all()


def test_padding_changes_nothing_and_its_content_neither() -> None:
    model, row = encoder(), ids(rows=1, tokens=5)
    padded = torch.cat([row, torch.zeros(1, 4, dtype=torch.int64)], dim=1)
    other = torch.cat([row, torch.full((1, 4), 7)], dim=1)
    mask = torch.tensor([[1] * 5 + [0] * 4])
    with torch.inference_mode():
        expected = model(row)
        torch.testing.assert_close(model(padded, mask)[:, :5], expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(model(other, mask)[:, :5], expected, atol=1e-5, rtol=0)
        assert not torch.allclose(model(padded)[:, :5], expected, atol=1e-3)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([TINY, TINY_BERT]))
def test_logits_do_not_depend_on_the_batch(random: Any, config: ModelConfig) -> None:
    torch.manual_seed(0)
    model = SequenceClassifier(config).eval()
    lengths = [random.randint(1, 40) for _ in range(32)]
    pieces = [Piece([random.randrange(1, 60) for _ in range(length)]) for length in lengths]
    expected = logits(model, pieces, rows=1)
    assert expected.std() > 0.1
    for rows in (7, 32):
        order = random.sample(range(32), 32)
        found = logits(model, [pieces[index] for index in order], rows=rows)
        torch.testing.assert_close(found, expected[order], atol=1e-5, rtol=0)
        assert torch.equal(found.argmax(1), expected[order].argmax(1))


def logits(model: SequenceClassifier, pieces: list[Piece], *, rows: int) -> Tensor:
    found = torch.empty(len(pieces), 3)
    for places in cut_batches([len(p) for p in pieces], max_tokens=100_000, max_rows=rows):
        batch = pad([pieces[p] for p in places], pad_token_id=0, device=torch.device("cpu"))
        with torch.inference_mode():
            found[places] = model(batch.input_ids, batch.attention_mask)
    return found


def test_distilbert_drops_token_types_and_bert_takes_none_as_zeros() -> None:
    types = torch.ones(3, 9, dtype=torch.int64)
    with torch.inference_mode():
        model = encoder()
        assert torch.equal(model(ids(), None, types), model(ids()))
        bert = encoder(TINY_BERT)
        assert torch.allclose(bert(ids(), None, types * 0), bert(ids()), atol=1e-6)
        assert not torch.allclose(bert(ids(), None, types), bert(ids()), atol=1e-3)


def test_blocks_normalise_after_they_add() -> None:
    hidden = encoder(initializer_range=0.5)(ids())
    torch.testing.assert_close(hidden.mean(-1), torch.zeros(3, 9), atol=1e-5, rtol=0)
    torch.testing.assert_close(hidden.var(-1, correction=0), torch.ones(3, 9), atol=1e-4, rtol=0)


def test_an_unknown_activation_is_named_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"unknown activation 'prelu'; known are gelu, .*relu"):
        encoder(activation="prelu")


def test_weights_are_drawn_as_bert_draws_them() -> None:
    model = encoder(dim=64, hidden_dim=256, initializer_range=0.02)
    ffn = model.transformer.layer[0].ffn
    assert ffn.lin1.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not ffn.lin1.bias.any()
    assert not model.embeddings.word_embeddings.weight[0].any()
    assert model.embeddings.word_embeddings.weight[1].std().item() > 0.01


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_base_models_have_their_published_numbers_of_weights() -> None:
    with torch.device("meta"):
        body = count(Encoder(ModelConfig()))
        assert body == 66_362_880
        assert count(SequenceClassifier(ModelConfig(labels=("0", "1")))) == 66_955_010
        bert = parse_config({"model_type": "bert"})
        assert count(Encoder(bert, pooler=True)) == 109_482_240
        bert = replace(bert, labels=("0", "1"))
        assert count(SequenceClassifier(bert)) == 109_482_240 + 2 * 768 + 2
        multilingual = Encoder(ModelConfig(vocab_size=119_547))
        assert count(multilingual) == 134_734_080
    assert 1 - body / 109_482_240 == pytest.approx(0.394, abs=5e-4)
