import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig, parse_config
from distilcli.checkpoint.folder import describe_folder
from distilcli.errors import ModelError, UsageError
from distilcli.model.capture import forward_all
from distilcli.model.embeddings import sinusoidal_positions
from distilcli.model.encoder import Encoder
from distilcli.model.heads import (
    HEADS,
    BaseModel,
    MaskedLanguageModel,
    SequenceClassifier,
    TaskModel,
)
from distilcli.model.keys import PREFIX
from distilcli.model.loading import load_model
from distilcli.model.saving import save_model
from distilcli.model.surgery import (
    fold_token_types,
    grow_vocabulary,
    prune_heads,
    prune_neurons,
    prune_vocabulary,
    resize_positions,
    spread_layers,
    take_layers,
)
from distilcli.model.weights import read_weights
from distilcli.tokenizer.loading import load_tokenizer

TINY = ModelConfig(
    vocab_size=60,
    max_position_embeddings=10,
    dim=16,
    n_layers=3,
    n_heads=4,
    hidden_dim=32,
    initializer_range=0.3,
    labels=("a", "b"),
)
TINY_BERT = replace(TINY, model_type="bert", type_vocab_size=2)
CONFIGS = pytest.mark.parametrize("config", [TINY, TINY_BERT], ids=["distilbert", "bert"])


def built(kind: Any = BaseModel, config: ModelConfig = TINY) -> Any:
    torch.manual_seed(0)
    return kind(config).eval()


def ids(tokens: int = 9) -> Tensor:
    return torch.randint(1, 60, (3, tokens), generator=torch.Generator().manual_seed(1))


def mask() -> Tensor:
    return (torch.arange(9)[None, :] < torch.tensor([[9], [4], [1]])).long()


def positions(model: TaskModel) -> Tensor:
    return model.distilbert.embeddings.position_embeddings.weight


def reloaded(model: TaskModel, folder: Path) -> TaskModel:
    folder.mkdir(exist_ok=True)
    save_model(model, folder, tokenizer_files=[])
    return load_model(describe_folder("m", folder), type(model)).model


@CONFIGS
@pytest.mark.parametrize("how", ["copy", "interpolate"])
@pytest.mark.parametrize("n_positions", [1, 4, 10, 11, 37])
def test_resized_positions_go_with_the_model(
    config: ModelConfig, how: Any, n_positions: int, tmp_path: Path
) -> None:
    model = built(config=config)
    resize_positions(model, n_positions, how)
    assert model.config.max_position_embeddings == n_positions
    assert model.distilbert.config is model.config
    assert model.distilbert.embeddings.position_embeddings.num_embeddings == n_positions
    again = reloaded(model, tmp_path / "m")
    assert again.config.max_position_embeddings == n_positions
    torch.testing.assert_close(again(ids(n_positions)), model(ids(n_positions)))


@pytest.mark.parametrize("how", ["copy", "interpolate"])
def test_fewer_positions_are_the_first(how: Any) -> None:
    model = built()
    before, expected = positions(model).clone(), model(ids(4))
    resize_positions(model, 4, how)
    assert torch.equal(positions(model), before[:4])
    assert torch.equal(model(ids(4)), expected)


def test_copied_positions_start_again_from_the_first() -> None:
    model = built()
    before, expected = positions(model).clone(), model(ids())
    resize_positions(model, 23)
    assert torch.equal(positions(model), torch.cat([before, before, before[:3]]))
    assert torch.equal(model(ids()), expected)


def test_interpolated_positions_lie_between_the_old_ones() -> None:
    model = built()
    before = positions(model).clone()
    resize_positions(model, 25, "interpolate")
    after = positions(model)
    for place in range(25):
        at = place * 9 / 24
        low, share = int(at), at - int(at)
        high = min(low + 1, 9)
        expected = (1 - share) * before[low] + share * before[high]
        torch.testing.assert_close(after[place], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("n_positions", [4, 23])
def test_sinusoidal_positions_are_computed_anew(n_positions: int) -> None:
    model = built(config=replace(TINY, sinusoidal_pos_embds=True))
    resize_positions(model, n_positions)
    assert torch.equal(positions(model), sinusoidal_positions(n_positions, 16))
    assert not positions(model).requires_grad


def test_learned_positions_are_learned_on() -> None:
    model = built()
    resize_positions(model, 20)
    model(ids(15)).sum().backward()
    assert positions(model).grad is not None


def test_the_tokenizer_of_a_resized_model_knows_of_it(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    files = describe_folder("m", make_model())
    assert load_tokenizer(files).max_length == 64
    model = load_model(files, SequenceClassifier).model
    resize_positions(model, 100)
    for limit, expected in ((None, 64), (100, 100)):
        save_model(model, tmp_path, tokenizer_files=files.tokenizer_files, max_length=limit)
        assert load_tokenizer(describe_folder("m", tmp_path)).max_length == expected
    raw = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert raw == {"do_lower_case": True, "model_max_length": 100}


def test_positions_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="of 0 positions reads nothing"):
        resize_positions(built(), 0)
    with pytest.raises(UsageError, match=r"^`position_growth` .* take one of copy, interpolate$"):
        resize_positions(built(), 20, "stretch")  # type: ignore[arg-type]


def silenced(model: TaskModel, heads: dict[int, set[int]]) -> TaskModel:
    """The model with the output of some heads, none of which is pruned, set to nothing."""
    for layer, indices in heads.items():
        attention = model.distilbert.transformer.layer[layer].attention
        columns = attention.out_lin.weight.view(-1, len(attention.heads), attention.head_dim)
        with torch.no_grad():
            columns[:, list(indices)] = 0
    return model


some_heads = st.dictionaries(st.integers(0, 2), st.sets(st.integers(0, 3), max_size=3), max_size=3)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(some_heads, some_heads, st.sampled_from([TINY, TINY_BERT]), st.sampled_from(list(HEADS)))
@torch.no_grad()
def test_a_pruned_model_is_the_one_with_those_heads_silenced(
    first: dict[int, set[int]], second: dict[int, set[int]], config: ModelConfig, kind: Any
) -> None:
    pruned = built(kind, config)
    prune_heads(pruned, first)
    expected = silenced(built(kind, config), first)(ids(), mask())
    torch.testing.assert_close(pruned(ids(), mask()), expected, atol=1e-5, rtol=0)
    both = {layer: first.get(layer, set()) | second.get(layer, set()) for layer in range(3)}
    if any(len(heads) == 4 for heads in both.values()):
        return
    prune_heads(pruned, second)
    assert pruned.config.pruned_heads == {
        layer: tuple(sorted(heads)) for layer, heads in both.items() if heads
    }
    expected = silenced(built(kind, config), both)(ids(), mask())
    torch.testing.assert_close(pruned(ids(), mask()), expected, atol=1e-5, rtol=0)


@CONFIGS
@pytest.mark.parametrize("kind", HEADS)
def test_a_pruned_model_is_saved_and_loaded(kind: Any, config: Any, tmp_path: Path) -> None:
    model = built(kind, config)
    prune_heads(model, {0: [1, 2]})
    prune_heads(model, {2: [3], 0: [0]})
    found = reloaded(model, tmp_path / "m")
    raw = json.loads((tmp_path / "m" / "config.json").read_text())
    assert raw["pruned_heads"] == {"0": [0, 1, 2], "2": [3]}
    torch.testing.assert_close(found(ids(), mask()), model(ids(), mask()))
    prune_heads(found, {2: [0]})
    assert found.config.pruned_heads == {0: (0, 1, 2), 2: (0, 3)}
    expected = silenced(built(kind, config), {0: {0, 1, 2}, 2: {0, 3}})(ids(), mask())
    torch.testing.assert_close(found(ids(), mask()), expected, atol=1e-5, rtol=0)


def test_pruning_takes_the_weights_away() -> None:
    model = built()
    before = sum(weight.numel() for weight in model.parameters())
    prune_heads(model, {1: [0, 3]})
    after = sum(weight.numel() for weight in model.parameters())
    # Two heads of 4 numbers: rows and biases of q, k and v, columns of the output.
    assert before - after == 2 * 4 * (3 * (16 + 1) + 16)
    attention = model.distilbert.transformer.layer[1].attention
    assert attention.q_lin.out_features == attention.out_lin.in_features == 8


@torch.no_grad()
def test_pruned_heads_are_absent_from_the_attentions() -> None:
    model = built()
    prune_heads(model, {1: [1]})
    outputs = forward_all(model.distilbert, ids(), mask(), attentions=True)
    assert outputs.attentions is not None
    assert [layer.shape[1] for layer in outputs.attentions] == [4, 3, 4]


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ({1: [4]}, "layer 1 has no heads [4]; the model has 3 layers of 4 heads"),
        ({1: [-1]}, "layer 1 has no heads [-1]"),
        ({3: [0]}, "layer 3 has no heads [0]"),
        ({-1: [0]}, "layer -1 has no heads [0]"),
        ({0: [0], 1: [0, 1, 2, 3]}, "leaves layer 1 none; keep at least one"),
        ({2: [1, 2, 3]}, "leaves layer 2 none"),
    ],
)
def test_heads_that_cannot_be_pruned_are_refused_and_nothing_is_pruned(
    heads: dict[int, list[int]], message: str
) -> None:
    model = built(SequenceClassifier)
    prune_heads(model, {2: [0]})
    before, config = model(ids()), model.config
    with pytest.raises(UsageError) as caught:
        prune_heads(model, heads)
    assert message in str(caught.value)
    assert model.config is config
    assert torch.equal(model(ids()), before)


def test_a_pruned_model_learns() -> None:
    model = built()
    model.distilbert.embeddings.word_embeddings.requires_grad_(False)
    model.distilbert.transformer.layer[0].attention.q_lin.requires_grad_(False)
    prune_heads(model, {0: [0]})
    model(ids()).logsumexp(2).sum().backward()
    attention = model.distilbert.transformer.layer[0].attention
    assert attention.v_lin.weight.grad.any()
    assert attention.q_lin.weight.grad is None


def test_a_folded_bert_gives_its_hidden_states(make_model: Callable[..., Path]) -> None:
    folder = make_model(model_type="bert")
    bert = load_model(describe_folder("m", folder), SequenceClassifier)
    config, weights = fold_token_types(bert.config, read_weights(describe_folder("m", folder))[0])
    assert parse_config({"model_type": config.model_type}).type_vocab_size == 0
    with torch.device("meta"):
        folded = Encoder(config)
    given = {key.removeprefix(PREFIX): w for key, w in weights.items() if key.startswith(PREFIX)}
    folded.load_state_dict(given, assign=True)
    given_ids = torch.tensor([[2, 7, 8, 9, 3], [2, 11, 12, 13, 3]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    with torch.inference_mode():
        expected = bert.model.distilbert(given_ids, mask)
        torch.testing.assert_close(folded.eval()(given_ids, mask), expected, atol=1e-5, rtol=0)


def test_only_a_bert_can_be_folded(make_model: Callable[..., Path]) -> None:
    weights, _ = read_weights(describe_folder("m", make_model()))
    with pytest.raises(ModelError, match="no token types to fold"):
        fold_token_types(ModelConfig(), weights)


def test_a_bert_with_another_epsilon_cannot_be_folded(make_model: Callable[..., Path]) -> None:
    folder = make_model(model_type="bert", layer_norm_eps=1e-5)
    config = load_model(describe_folder("m", folder), SequenceClassifier).config
    with pytest.raises(ModelError, match="layer_norm_eps is 1e-05"):
        fold_token_types(config, read_weights(describe_folder("m", folder))[0])


def taken(model: TaskModel, layers: tuple[int, ...]) -> TaskModel:
    """The model of some layers of another."""
    config, weights = take_layers(model.config, dict(model.state_dict()), layers)
    with torch.device("meta"):
        student = type(model)(config)
    student.load_state_dict(weights, assign=True)
    return student.eval()


@CONFIGS
@pytest.mark.parametrize("n_layers", [1, 2, 3])
@torch.no_grad()
def test_the_first_layers_compute_what_they_computed(config: ModelConfig, n_layers: int) -> None:
    model = built(SequenceClassifier, config)
    student = taken(model, tuple(range(n_layers)))
    assert student.config == replace(config, n_layers=n_layers)
    states = forward_all(model.distilbert, ids(), mask()).hidden_states
    assert torch.equal(student.distilbert(ids(), mask()), states[n_layers])
    assert torch.equal(student.classifier.weight, model.classifier.weight)


@torch.no_grad()
def test_layers_are_taken_in_the_order_in_which_they_are_named() -> None:
    model = built()
    student = taken(model, (2, 0))
    x = model.distilbert.embeddings(ids(), None)
    for layer in (2, 0):
        x = model.distilbert.transformer.layer[layer](x)
    assert torch.equal(student.distilbert(ids()), x)


def test_a_layer_that_is_taken_twice_learns_as_two(tmp_path: Path) -> None:
    student = taken(built(), (1, 1))
    layers = student.distilbert.transformer.layer
    before = layers[1].ffn.lin1.weight.clone()
    with torch.no_grad():
        layers[0].ffn.lin1.weight.zero_()
    assert torch.equal(layers[1].ffn.lin1.weight, before)
    reloaded(student, tmp_path / "m")


@torch.no_grad()
def test_pruned_heads_move_along_with_their_layers() -> None:
    model = built()
    prune_heads(model, {0: [3], 2: [0, 1]})
    student = taken(model, (0, 2))
    assert student.config.pruned_heads == {0: (3,), 1: (0, 1)}
    x = model.distilbert.embeddings(ids(), None)
    for layer in (0, 2):
        x = model.distilbert.transformer.layer[layer](x)
    torch.testing.assert_close(student.distilbert(ids()), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("layers", [(0, 3), (3,), (-1,)])
def test_a_layer_that_there_is_not_is_named(layers: tuple[int, ...]) -> None:
    model = built()
    wanted = next(layer for layer in layers if layer not in range(3))
    with pytest.raises(
        UsageError, match=rf"`student_layers`: no layer {wanted}; the model has layers 0 to 2"
    ):
        take_layers(model.config, model.state_dict(), layers)


def test_layers_spread_as_distilberts_do() -> None:
    assert spread_layers(6, 12) == (0, 2, 4, 7, 9, 11)
    assert spread_layers(1, 12) == (0,)


@given(st.integers(2, 40), st.integers(0, 40))
def test_layers_spread_from_the_first_to_the_last(n_student: int, more: int) -> None:
    n_teacher = n_student + more
    layers = spread_layers(n_student, n_teacher)
    assert len(layers) == n_student
    assert (layers[0], layers[-1]) == (0, n_teacher - 1)
    gaps = {after - before for before, after in itertools.pairwise(layers)}
    assert min(gaps) >= 1
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("tied", [True, False])
def test_a_vocabulary_grows_by_means_of_old_vectors(tied: bool) -> None:
    config = ModelConfig(
        vocab_size=10,
        dim=8,
        n_layers=1,
        n_heads=2,
        hidden_dim=16,
        tie_word_embeddings=tied,
    )
    model = MaskedLanguageModel(config).eval()
    ids = torch.tensor([[1, 2, 3]])
    before = model(ids)
    # The table has room for one of the two: id 9 has never been used.
    grow_vocabulary(model, 9, [(1, 2), (3,)])
    table = model.distilbert.embeddings.word_embeddings.weight
    assert model.config.vocab_size == len(table) == 11
    torch.testing.assert_close(table[9], (table[1] + table[2]) / 2)
    torch.testing.assert_close(table[10], table[3])
    after = model(ids)
    torch.testing.assert_close(after[..., :9], before[..., :9])
    torch.testing.assert_close(after[..., 9], (before[..., 1] + before[..., 2]) / 2)
    assert table.requires_grad


@CONFIGS
@torch.no_grad()
def test_pruned_neurons_are_silent_neurons(config: ModelConfig, tmp_path: Path) -> None:
    model, kept = built(SequenceClassifier, config), [[3, 4, 9, 31]] * 3
    prune_neurons(smaller := built(SequenceClassifier, config), kept)
    for block, here in zip(model.distilbert.transformer.blocks, kept, strict=True):
        gone = [neuron for neuron in range(32) if neuron not in here]
        block.ffn.lin2.weight[:, gone] = 0
    torch.testing.assert_close(smaller(ids()), model(ids()), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(reloaded(smaller, tmp_path / "m")(ids()), smaller(ids()))
    for wrong in ([[1]], [[1], [1], [1, 2]]):
        with pytest.raises(ValueError, match="same number"):
            prune_neurons(model, wrong)


@pytest.mark.parametrize("tied", [True, False])
@torch.no_grad()
def test_a_pruned_vocabulary_reads_kept_tokens_as_before(tied: bool, tmp_path: Path) -> None:
    config = replace(TINY, pad_token_id=5, tie_word_embeddings=tied)
    model = built(MaskedLanguageModel, config)
    kept = [2, 5, 7, 8, 30, 59]
    old, new = torch.tensor([[7, 59, 2, 30]]), torch.tensor([[2, 5, 0, 4]])
    before = model(old)[..., kept]
    prune_vocabulary(model, kept)
    assert (model.config.vocab_size, model.config.pad_token_id) == (6, 1)
    torch.testing.assert_close(model(new), before, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(reloaded(model, tmp_path / "m")(new), before, atol=1e-5, rtol=1e-5)
