from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.checkpoint.config import (
    NO_ANSWER_THRESHOLD,
    TEMPERATURE,
    ModelConfig,
    dump_config,
    parse_config,
    read_config,
)
from distilcli.errors import ModelError

DISTILBERT: dict[str, Any] = {
    "model_type": "distilbert",
    "vocab_size": 50,
    "max_position_embeddings": 20,
    "dim": 12,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 24,
    "activation": "relu",
    "dropout": 0.3,
    "attention_dropout": 0.4,
    "seq_classif_dropout": 0.5,
    "qa_dropout": 0.6,
    "sinusoidal_pos_embds": True,
    "initializer_range": 0.05,
    "pad_token_id": 1,
    "chunk_size_feed_forward": 2,
    "tie_word_embeddings": False,
}
BERT: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": 50,
    "max_position_embeddings": 20,
    "hidden_size": 12,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "hidden_act": "relu",
    "hidden_dropout_prob": 0.3,
    "attention_probs_dropout_prob": 0.4,
    "classifier_dropout": 0.5,
    "type_vocab_size": 3,
    "layer_norm_eps": 1e-6,
    "initializer_range": 0.05,
    "pad_token_id": 1,
    "chunk_size_feed_forward": 2,
    "tie_word_embeddings": False,
}
SHARED = {
    "vocab_size": 50,
    "max_position_embeddings": 20,
    "dim": 12,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 24,
    "activation": "relu",
    "dropout": 0.3,
    "attention_dropout": 0.4,
    "classifier_dropout": 0.5,
    "initializer_range": 0.05,
    "pad_token_id": 1,
    "chunk_size_feed_forward": 2,
    "tie_word_embeddings": False,
}


def test_each_family_is_read_under_its_own_names() -> None:
    assert parse_config(DISTILBERT) == ModelConfig(
        sinusoidal_pos_embds=True, qa_dropout=0.6, **SHARED
    )
    assert parse_config(BERT) == ModelConfig(
        model_type="bert", type_vocab_size=3, layer_norm_eps=1e-6, **SHARED
    )


def test_what_a_config_leaves_out_is_the_base_models() -> None:
    assert parse_config({"model_type": "distilbert"}) == ModelConfig()
    bert = parse_config({"model_type": "bert"})
    assert (bert.n_layers, bert.type_vocab_size) == (12, 2)
    assert ModelConfig().classifier_dropout == 0.2
    assert bert.classifier_dropout is None


def test_null_means_left_out() -> None:
    raw = {"model_type": "distilbert", "pad_token_id": None, "problem_type": None, "id2label": None}
    assert parse_config(raw) == ModelConfig()


@pytest.mark.parametrize("raw", [DISTILBERT, BERT], ids=["distilbert", "bert"])
def test_a_config_is_written_as_it_was_read(raw: dict[str, Any]) -> None:
    raw = {
        **raw,
        "id2label": {"0": "no", "1": "yes"},
        "label2id": {"no": 0, "yes": 1},
        "problem_type": "single_label_classification",
        "tie_weights_": True,
        "task_specific_params": {"a": [1, None]},
    }
    assert dump_config(parse_config(raw)) == raw


@pytest.mark.slow
@given(
    st.builds(
        ModelConfig,
        model_type=st.sampled_from(["distilbert", "bert"]),
        n_heads=st.just(4),
        dim=st.integers(1, 20).map(lambda n: 4 * n),
        n_layers=st.integers(0, 30),
        dropout=st.floats(0, 1),
        labels=st.lists(st.text(min_size=1), unique=True).map(tuple),
        problem_type=st.sampled_from([None, "regression"]),
        extra=st.dictionaries(st.text().map(lambda key: f"x{key}"), st.integers()),
    )
)
def test_what_is_dumped_is_parsed_again(config: ModelConfig) -> None:
    assert parse_config(dump_config(config)) == config


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ()),
        ({"num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")),
        ({"id2label": {"1": "b", "0": "a", "10": "k"} | {str(n): f"{n}" for n in range(2, 10)}},
         ("a", "b", *"23456789", "k")),
        ({"id2label": {"0": "a"}, "num_labels": 7}, ("a",)),
        ({"id2label": {0: 5}}, ("5",)),
    ],
)  # fmt: skip
def test_labels_stand_in_the_order_of_their_numbers(
    labels: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert parse_config({"model_type": "distilbert", **labels}).labels == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "model_type is 'gpt2'"),
        ({"model_type": None}, "model_type is None"),
        ({"model_type": ["bert"]}, "model_type is ['bert']"),
        ({"dim": "12"}, "dim is '12'; it must be a whole number"),
        ({"dim": 12.0}, "dim is 12.0; it must be a whole number"),
        ({"dim": True}, "dim is True; it must be a whole number"),
        ({"n_layers": -1}, "n_layers is -1; it must not be negative"),
        ({"hidden_dim": 0}, "hidden_dim is 0; it must be at least 1"),
        ({"dropout": "much"}, "dropout is 'much'; it must be a number"),
        ({"dropout": 1.5}, "dropout is 1.5; it must be between 0 and 1"),
        ({"seq_classif_dropout": 2}, "seq_classif_dropout is 2; it must be between 0 and 1"),
        ({"initializer_range": float("nan")}, "initializer_range is nan"),
        ({"activation": 3}, "activation is 3; it must be a text"),
        ({"sinusoidal_pos_embds": 1}, "sinusoidal_pos_embds is 1; it must be true or false"),
        ({"n_heads": 5}, "dim 12 does not divide into n_heads 5 heads"),
        ({"pad_token_id": 50}, "pad_token_id is 50, outside the vocabulary of 50 tokens"),
        ({"num_labels": "2"}, "num_labels is '2'"),
        ({"num_labels": True}, "num_labels is True"),
        ({"id2label": ["a"]}, "id2label must map numbers to label names"),
        ({"id2label": {"a": "b"}}, "id2label must map numbers to label names"),
        ({"id2label": {"0": "a", "2": "b"}}, "without gaps"),
        ({"problem_type": "ranking"}, "problem_type is 'ranking'"),
        ({"problem_type": ["regression"]}, "problem_type is ['regression']"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_config({**DISTILBERT, **changes}, source="m/config.json")
    text = str(caught.value)
    assert text.startswith("m/config.json: ")
    assert message in text
    assert "\n" not in text


def test_faults_of_a_bert_are_told_in_its_own_names() -> None:
    with pytest.raises(ModelError, match="hidden_size is 0"):
        parse_config({**BERT, "hidden_size": 0})
    with pytest.raises(ModelError, match="position_embedding_type is 'relative_key'"):
        parse_config({**BERT, "position_embedding_type": "relative_key"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"model_type": ', "line 1, column 16: not JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe", "line 1: byte 0xff is not UTF-8"),
        (b"[" * 200_000, "nested too deep"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        read_config(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file; download it again"):
        read_config(tmp_path / "config.json")
    with pytest.raises(ModelError, match="cannot be read"):
        read_config(tmp_path)


def test_a_number_too_long_to_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(f'{{"model_type": "distilbert", "dim": {"9" * 5_000}}}')
    with pytest.raises(ModelError, match=r"config\.json: cannot be read as JSON"):
        read_config(path)


def test_pruned_heads_are_read_and_written_as_layers_of_heads() -> None:
    config = parse_config(DISTILBERT | {"pruned_heads": {"2": [3], "0": [2, 1, 1], "1": []}})
    assert config.pruned_heads == {0: (1, 2), 2: (3,)}
    assert [config.heads_of(layer) for layer in range(3)] == [(0, 3), (0, 1, 2, 3), (0, 1, 2)]
    raw = dump_config(config)
    assert raw["pruned_heads"] == {"0": [1, 2], "2": [3]}
    assert parse_config(raw) == config
    assert "pruned_heads" not in dump_config(parse_config(DISTILBERT | {"pruned_heads": {}}))


@pytest.mark.parametrize(
    ("pruned", "message"),
    [
        ([1], "must map layers to lists of heads"),
        ({"a": [1]}, "must map layers to lists of heads"),
        ({"0": 1}, "must map layers to lists of heads"),
        ({"0": ["x"]}, "must map layers to lists of heads"),
        ({"3": [0]}, "names heads [0] of layer 3; there are 3 layers of 4 heads"),
        ({"0": [4]}, "names heads [4] of layer 0"),
        ({"0": [-1]}, "names heads [-1] of layer 0"),
        ({"1": [0, 1, 2, 3]}, "leaves layer 1 without heads"),
    ],
)
def test_heads_that_cannot_have_been_pruned_are_refused(pruned: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_config(DISTILBERT | {"pruned_heads": pruned}, source="c.json")
    assert str(caught.value).startswith("c.json: pruned_heads ")
    assert message in str(caught.value)


def test_a_temperature_is_read_and_written() -> None:
    config = parse_config({"model_type": "distilbert", TEMPERATURE: 2})
    assert config.temperature == 2.0
    assert dump_config(config)[TEMPERATURE] == 2.0
    assert TEMPERATURE not in dump_config(parse_config({"model_type": "distilbert"}))


def test_a_new_head_is_not_calibrated() -> None:
    config = parse_config({"model_type": "distilbert", TEMPERATURE: 2.0})
    fresh = config.with_labels(("a", "b"), problem_type="single_label_classification")
    assert fresh.temperature == 1.0


@pytest.mark.parametrize("temperature", [0, -1.5, "2", True, float("nan"), float("inf")])
def test_a_temperature_that_divides_nothing_is_refused(temperature: Any) -> None:
    with pytest.raises(ModelError, match=r"calibration_temperature is .*; it must be"):
        parse_config({"model_type": "bert", TEMPERATURE: temperature}, source="config.json")


def test_a_threshold_of_no_answer_is_read_and_written() -> None:
    config = parse_config({"model_type": "distilbert", NO_ANSWER_THRESHOLD: 0})
    assert config.no_answer_threshold == 0.0
    assert dump_config(config)[NO_ANSWER_THRESHOLD] == 0.0
    without = parse_config({"model_type": "distilbert"})
    assert without.no_answer_threshold is None
    assert NO_ANSWER_THRESHOLD not in dump_config(without)


@pytest.mark.parametrize("threshold", [-0.1, 1.5, "0.5", True, float("nan")])
def test_a_threshold_that_no_score_can_have_is_refused(threshold: Any) -> None:
    with pytest.raises(ModelError, match=r"no_answer_threshold is .*; it must be from 0 to 1"):
        parse_config({"model_type": "bert", NO_ANSWER_THRESHOLD: threshold}, source="config.json")


@pytest.mark.parametrize("key", ["is_decoder", "add_cross_attention", "is_encoder_decoder"])
def test_a_decoder_is_refused(key: str) -> None:
    with pytest.raises(ModelError, match=f"config.json: {key} is True; only encoders"):
        parse_config(BERT | {key: True})
    assert parse_config(BERT | {key: False}).extra == {key: False}


def test_a_distilbert_is_read_under_berts_names_too() -> None:
    names = {
        "dim": "hidden_size",
        "n_layers": "num_hidden_layers",
        "n_heads": "num_attention_heads",
    }
    renamed = {names.get(key, key): value for key, value in DISTILBERT.items()}
    assert parse_config(renamed) == parse_config(DISTILBERT)
    assert parse_config(DISTILBERT | renamed) == parse_config(DISTILBERT)
    with pytest.raises(ModelError, match="dim is 12 and hidden_size, its other name, 8; remove"):
        parse_config(DISTILBERT | {"hidden_size": 8})


@pytest.mark.parametrize(
    ("raw", "architecture"),
    [
        (DISTILBERT, "DistilBertForSequenceClassification"),
        (DISTILBERT, "DistilBertModel"),
        (BERT, "BertForMaskedLM"),
        (BERT, "BertModel"),
    ],
)
def test_a_missing_model_type_is_derived(raw: dict[str, Any], architecture: str) -> None:
    named = {**raw, "model_type": None, "architectures": [architecture]}
    assert parse_config(named).model_type == raw["model_type"]


@pytest.mark.parametrize(
    "architectures", [None, [], "BertModel", ["RobertaModel"], ["BertGenerationDecoder"], [5]]
)
def test_a_model_type_that_nothing_says_is_refused(architectures: object) -> None:
    with pytest.raises(ModelError, match="model_type is None"):
        parse_config({**BERT, "model_type": None, "architectures": architectures})


def test_labels_of_label2id_alone_are_taken() -> None:
    assert parse_config(BERT | {"label2id": {"bad": 0, "good": 1}}).labels == ("bad", "good")
    assert parse_config(BERT | {"label2id": {"b": "1", "a": "0"}, "num_labels": 9}).labels == (
        "a",
        "b",
    )
    both = {"id2label": {"0": "x"}, "label2id": {"y": 0}}
    assert parse_config(BERT | both).labels == ("x",)


@pytest.mark.parametrize("label2id", [{"a": [0]}, {"a": "x"}, ["a"], {"a": 1}, {"a": None}])
def test_a_label2id_that_numbers_nothing_is_refused(label2id: object) -> None:
    with pytest.raises(ModelError, match="id2label must"):
        parse_config(BERT | {"label2id": label2id})


@pytest.mark.parametrize("key", ["n_layers", "dim", "vocab_size", "chunk_size_feed_forward"])
@pytest.mark.parametrize("value", [10**30, 2**31, float("inf"), float("nan"), -1, True, "8", [8]])
def test_a_size_that_is_no_usable_number_is_refused(key: str, value: object) -> None:
    with pytest.raises(ModelError, match=rf"^config.json: {key} is .*; it must ") as caught:
        parse_config({"model_type": "distilbert", key: value})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -0.1, True, "0.1", 10**400])
def test_a_share_that_is_no_usable_number_is_refused(value: object) -> None:
    with pytest.raises(ModelError, match=r"dropout is .*; it must "):
        parse_config({"model_type": "distilbert", "dropout": value})


@pytest.mark.parametrize("count", [10**9, 10**30, -1, 2.0, True, "3"])
def test_labels_are_never_counted_into_absurdity(count: object) -> None:
    with pytest.raises(ModelError, match=r"num_labels is .*; it must be a whole"):
        parse_config({"model_type": "distilbert", "num_labels": count})
