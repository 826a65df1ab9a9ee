from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from distilcli.checkpoint.config import ModelConfig
from distilcli.checkpoint.locate import locate
from distilcli.errors import ModelError
from distilcli.model.expected import check_headers, check_sizes, encoder_shapes, head_shapes
from distilcli.model.heads import HEADS, TaskModel

SMALL = ModelConfig(
    vocab_size=20, max_position_embeddings=8, dim=8, n_layers=2, n_heads=4, hidden_dim=12,
    labels=("a", "b", "c"),
)  # fmt: skip
BERT = replace(SMALL, model_type="bert", type_vocab_size=2)
CONFIGS = {
    "distilbert": SMALL,
    "bert": BERT,
    "pruned": replace(SMALL, pruned_heads={1: (0, 3)}),
    "untied": replace(SMALL, tie_word_embeddings=False),
    "no layers": replace(SMALL, n_layers=0),
}


@pytest.mark.parametrize("kind", HEADS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", CONFIGS)
def test_the_weights_of_every_model_are_those_it_has(kind: type[TaskModel], name: str) -> None:
    config = CONFIGS[name]
    architecture = HEADS[kind].architecture(config.model_type)
    expected = dict(encoder_shapes(config)) | head_shapes(config, architecture, labels=3)
    has = {key: tuple(weight.shape) for key, weight in kind(config).state_dict().items()}
    assert expected == has


def test_an_unknown_architecture_has_no_head() -> None:
    assert head_shapes(SMALL, "DistilBertForDancing", labels=3) == {}


def test_absurd_sizes_are_compared_without_counting_to_them() -> None:
    shapes = dict(encoder_shapes(SMALL))
    check_sizes(SMALL, shapes, source="m")
    with pytest.raises(ModelError, match="its n_layers is 1,000,000,000, but the weights have 2;"):
        check_sizes(replace(SMALL, n_layers=10**9), shapes, source="m")
    with pytest.raises(
        ModelError, match="type_vocab_size is 1,000,000,000, but the weights have 2;"
    ):
        check_sizes(replace(BERT, type_vocab_size=10**9), dict(encoder_shapes(BERT)), source="m")


def test_a_smaller_size_is_left_to_the_comparison_of_all_weights() -> None:
    check_sizes(replace(SMALL, n_layers=1, vocab_size=3), dict(encoder_shapes(SMALL)), source="m")


def test_a_missing_table_is_named() -> None:
    with pytest.raises(ModelError, match=r"missing: bert\.embeddings\.word_embeddings\.weight"):
        check_sizes(BERT, {}, source="m")


def test_headers_are_enough(make_model: Callable[..., Path]) -> None:
    folder = make_model()
    check_headers(SMALL, locate(str(folder)))
    with pytest.raises(ModelError, match=r"model: .* its dim is 64, but the weights have 32"):
        check_headers(replace(SMALL, dim=64), locate(str(folder)))


def test_a_vocabulary_without_end_is_refused_unread(make_model: Callable[..., Path]) -> None:
    folder = make_model()
    with (folder / "vocab.txt").open("r+b") as file:
        file.truncate(1 << 40)  # it takes no room on the disk
    with pytest.raises(ModelError, match=r"vocab.txt: is larger than 32 MiB"):
        check_headers(SMALL, locate(str(folder)))
