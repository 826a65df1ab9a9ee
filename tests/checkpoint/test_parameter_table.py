"""True counts: of DistilBERT and its heads, of BERT-base, and of what is stored but not learned."""

from pathlib import Path

import pytest

from distilcli.checkpoint.parameter_table import bert_base, location_of, parameter_table
from distilcli.checkpoint.safetensors_header import CheckpointHeader, read_header
from tests.checkpoint._files import distilbert, sequence_classifier, write_safetensors

Shapes = dict[str, tuple[int, ...]]

MASKED_LM: Shapes = {
    "vocab_transform.weight": (768, 768),
    "vocab_transform.bias": (768,),
    "vocab_layer_norm.weight": (768,),
    "vocab_layer_norm.bias": (768,),
    "vocab_projector.bias": (30522,),
}
QUESTIONS: Shapes = {"qa_outputs.weight": (2, 768), "qa_outputs.bias": (2,)}


def _as_f32(shapes: Shapes) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: ("F32", shape) for name, shape in shapes.items()}


def _bert_base() -> dict[str, tuple[str, tuple[int, ...]]]:
    """The tensors of bert-base-uncased under its own names, with the buffer of old files."""
    shapes: Shapes = {
        "embeddings.word_embeddings.weight": (30522, 768),
        "embeddings.position_embeddings.weight": (512, 768),
        "embeddings.token_type_embeddings.weight": (2, 768),
    }
    linears: Shapes = {"pooler.dense": (768, 768)}
    norms = ["embeddings.LayerNorm"]
    for layer in range(12):
        at = f"encoder.layer.{layer}"
        linears |= {f"{at}.attention.self.{part}": (768, 768) for part in ("query", "key", "value")}
        linears[f"{at}.attention.output.dense"] = (768, 768)
        linears[f"{at}.intermediate.dense"] = (3072, 768)
        linears[f"{at}.output.dense"] = (768, 3072)
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
    for name, shape in linears.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:
        shapes |= {f"{name}.weight": (768,), f"{name}.bias": (768,)}
    return {f"bert.{name}": value for name, value in _as_f32(shapes).items()}


@pytest.fixture
def header_of(tmp_path: Path):
    def header_of(tensors: dict[str, tuple[str, tuple[int, ...]]]) -> CheckpointHeader:
        return read_header(write_safetensors(tmp_path / "m.safetensors", tensors))

    return header_of


@pytest.mark.parametrize(
    ("tensors", "parameters"),
    [
        (distilbert(), 66_362_880),
        (sequence_classifier(), 66_955_010),
        (distilbert() | _as_f32(QUESTIONS), 66_364_418),
        (distilbert() | _as_f32(MASKED_LM), 66_985_530),
        (distilbert(vocab=119_547), 134_734_080),
        (_bert_base(), 109_482_240),
    ],
    ids=["body", "classification", "questions", "masked", "multilingual", "bert"],
)
@pytest.mark.parametrize("by", ["module", "layer", "tensor"])
def test_true_counts(header_of, tensors, parameters: int, by) -> None:
    header = header_of(tensors)
    table = parameter_table(header, {}, by=by)
    assert table.total.parameters == table.total.trainable == parameters
    assert table.total.bytes == 4 * parameters
    assert sum(part.parameters for part in table.parts) == parameters
    assert sum(part.bytes for part in table.parts) == 4 * parameters
    assert table.total.bert_base == 109_482_240
    assert table.notes == ()


def test_the_reference_is_what_a_bert_checkpoint_holds(header_of) -> None:
    table = parameter_table(header_of(_bert_base()), {})
    assert all(part.parameters == part.bert_base for part in table.parts)
    assert all(part.ratio == 1 for part in table.parts)
    assert sum(bert_base().values()) == 109_482_240


def test_modules_come_in_the_order_of_the_forward_pass(header_of) -> None:
    table = parameter_table(header_of(sequence_classifier()), {})
    assert [part.name for part in table.parts] == [
        "embeddings.word",
        "embeddings.position",
        "embeddings.token_type",
        "embeddings.norm",
        "attention.q",
        "attention.k",
        "attention.v",
        "attention.out",
        "attention.norm",
        "feed_forward.lin1",
        "feed_forward.lin2",
        "feed_forward.norm",
        "pooler",
        "head.classifier",
        "head.pre_classifier",
    ]
    query = table.parts[4]
    assert (query.parameters, query.bert_base, query.ratio) == (3_543_552, 7_087_104, 0.5)
    head = table.parts[-1]
    assert (head.parameters, head.bert_base, head.ratio) == (590_592, 0, None)


def test_layers_beside_those_of_bert(header_of) -> None:
    parts = parameter_table(header_of(sequence_classifier()), {}, by="layer").parts
    assert [part.name for part in parts] == [
        "embeddings", *(f"layer.{n}" for n in range(12)), "pooler", "head",
    ]  # fmt: skip
    assert [part.parameters for part in parts[1:8]] == [7_087_872] * 6 + [0]
    assert parts[8].ratio == 0


def test_tensors_are_not_compared(header_of) -> None:
    parts = parameter_table(header_of(sequence_classifier()), {}, by="tensor").parts
    assert parts[0].name == "distilbert.embeddings.word_embeddings.weight"
    assert {part.bert_base for part in parts} == {None}


TIED_TWICE = _as_f32(MASKED_LM | {"vocab_projector.weight": (30522, 768)})


def test_tied_words_stored_twice_count_once(header_of) -> None:
    table = parameter_table(header_of(distilbert() | TIED_TWICE), {"tie_weights_": True})
    assert table.total.parameters == 66_985_530
    assert table.total.bytes == 4 * (66_985_530 + 30522 * 768)
    (note,) = table.notes
    assert note.startswith("vocab_projector.weight is tied to distilbert.embeddings.word_embed")


@pytest.mark.parametrize("key", ["tie_weights_", "tie_word_embeddings"])
def test_untied_words_count(header_of, key: str) -> None:
    table = parameter_table(header_of(distilbert() | TIED_TWICE), {key: False})
    assert table.total.parameters == 66_985_530 + 30522 * 768
    assert table.notes == ()


def test_a_buffer_is_no_parameter(header_of) -> None:
    buffer = {"distilbert.embeddings.position_ids": ("I64", (1, 512))}
    table = parameter_table(header_of(distilbert() | buffer), {})
    assert table.total.parameters == 66_362_880
    assert table.total.bytes == 4 * 66_362_880 + 8 * 512
    assert table.notes == ("distilbert.embeddings.position_ids is a buffer, not a parameter",)


def test_scales_of_int8_rows_are_bytes_but_no_parameters(header_of) -> None:
    packed = {
        "classifier.weight": ("I8", (4, 8)),
        "classifier.weight_scale": ("F16", (4,)),
        "classifier.bias": ("F32", (4,)),
    }
    table = parameter_table(header_of(packed), {})
    (head,) = (part for part in table.parts if part.parameters)
    assert (head.parameters, head.bytes, head.dtype) == (36, 32 + 8 + 16, "F16+F32+I8")
    assert table.notes[0].startswith("1 tensor stored as int8 rows; their scales (8 bytes)")


def test_a_scale_of_its_own_is_a_parameter(header_of) -> None:
    table = parameter_table(header_of({"logit_scale": ("F32", (3,))}), {})
    assert table.total.parameters == 3


def test_computed_positions_are_not_trained(header_of) -> None:
    table = parameter_table(header_of(distilbert()), {"sinusoidal_pos_embds": True})
    assert table.total.parameters - table.total.trainable == 512 * 768
    assert "sinusoidal" in table.notes[0]


@pytest.mark.parametrize(
    ("name", "module", "layer"),
    [
        ("bert.encoder.layer.11.attention.self.value.bias", "attention.v", 11),
        ("transformer.layer.3.output_layer_norm.weight", "feed_forward.norm", 3),
        ("bert.embeddings.LayerNorm.gamma", "embeddings.norm", None),
        ("bert.pooler.dense.weight", "pooler", None),
        ("cls.predictions.bias", "head.cls.predictions", None),
        ("qa_outputs.weight", "head.qa_outputs", None),
        ("logit_scale", "head.logit_scale", None),
        ("transformer.layer.0.adapter.weight", "other.adapter", 0),
    ],
)
def test_places(name: str, module: str, layer: int | None) -> None:
    place = location_of(name)
    assert (place.module, place.layer) == (module, layer)
