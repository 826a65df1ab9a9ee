"""The same numbers as transformers: its folders read here, our folders read there."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from distilcli.checkpoint.abstention import Abstention
from distilcli.checkpoint.config import read_config
from distilcli.checkpoint.folder import describe_folder
from distilcli.evaluation.abstention import save_thresholds
from distilcli.evaluation.calibrate import save_temperature
from distilcli.model.capture import forward_all
from distilcli.model.heads import HEADS as OUR_HEADS
from distilcli.model.heads import (
    BaseModel,
    MaskedLanguageModel,
    MultipleChoice,
    QuestionAnswerer,
    SequenceClassifier,
    TaskModel,
    TokenClassifier,
)
from distilcli.model.loading import load_model
from distilcli.model.saving import save_model

transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.parity

VOCAB = 100
DISTILBERT: dict[str, Any] = {
    "vocab_size": VOCAB,
    "max_position_embeddings": 40,
    "dim": 48,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 96,
    "initializer_range": 0.3,
}
BERT: dict[str, Any] = {
    "vocab_size": VOCAB,
    "max_position_embeddings": 40,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "initializer_range": 0.3,
    "hidden_act": "gelu_new",
}
BUILDS = {
    "distilbert": ("DistilBert", DISTILBERT),
    "sinusoidal": ("DistilBert", DISTILBERT | {"sinusoidal_pos_embds": True}),
    "relu": ("DistilBert", DISTILBERT | {"activation": "relu"}),
    "chunked": ("DistilBert", DISTILBERT | {"chunk_size_feed_forward": 6}),
    "bert": ("Bert", BERT),
    "untied": ("DistilBert", DISTILBERT | {"tie_word_embeddings": False}),
    "five labels": ("DistilBert", DISTILBERT | {"num_labels": 5}),
}


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    input_ids = torch.randint(1, VOCAB, (4, 18), generator=generator)
    mask = torch.ones_like(input_ids)
    for row, length in enumerate((18, 11, 5, 1)):
        mask[row, length:] = 0
        input_ids[row, length:] = 0
    return {"input_ids": input_ids, "attention_mask": mask}


HEADS: dict[type[TaskModel], str] = {
    BaseModel: "Model",
    SequenceClassifier: "ForSequenceClassification",
    TokenClassifier: "ForTokenClassification",
    QuestionAnswerer: "ForQuestionAnswering",
    MaskedLanguageModel: "ForMaskedLM",
    MultipleChoice: "ForMultipleChoice",
}
CASES = [
    *((SequenceClassifier, build) for build in BUILDS),
    *((kind, build) for kind in HEADS for build in ("distilbert", "bert")),
    (MaskedLanguageModel, "untied"),
    (TokenClassifier, "five labels"),
]


def their_model(build: str, kind: type[TaskModel] = SequenceClassifier) -> Any:
    family, settings = BUILDS[build]
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**settings)
    model = getattr(transformers, f"{family}{HEADS[kind]}")(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # zeros, which would hide a bias that is lost
                parameter.normal_(std=0.3)
    return model


def their_output(theirs: Any, kind: type[TaskModel], inputs: dict[str, Tensor]) -> Tensor:
    """Return what our module of this kind returns, in one tensor."""
    if kind is MultipleChoice:  # two questions of two options each
        options = {name: value.unflatten(0, (2, 2)) for name, value in inputs.items()}
        return theirs(**options).logits.reshape(4, 1)
    found = theirs(**inputs)
    if kind is BaseModel:
        return found.last_hidden_state
    if kind is QuestionAnswerer:
        return torch.stack([found.start_logits, found.end_logits], dim=2)
    return found.logits


def test_every_head_is_compared() -> None:
    assert {kind: head.ending for kind, head in OUR_HEADS.items()} == HEADS


@pytest.mark.parametrize(("kind", "build"), CASES)
def test_their_folder_gives_their_output_here(
    kind: type[TaskModel], build: str, tmp_path: Path
) -> None:
    theirs = their_model(build, kind)
    theirs.save_pretrained(tmp_path)
    loaded = load_model(describe_folder("theirs", tmp_path), kind)
    assert [key for key in loaded.unused if "pooler" not in key] == []
    inputs = batch()
    with torch.inference_mode():
        expected = their_output(theirs, kind, inputs)
        torch.testing.assert_close(loaded.model(**inputs), expected, atol=1e-5, rtol=0)
    assert expected.std() > 0.01  # the comparison is not one of zeros


@pytest.mark.parametrize(("kind", "build"), CASES)
def test_our_folder_gives_our_output_there(
    kind: type[TaskModel], build: str, tmp_path: Path
) -> None:
    theirs = their_model(build, kind)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_model(describe_folder("theirs", tmp_path / "theirs"), kind).model
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.mul_(1.1)
    (tmp_path / "ours").mkdir()
    save_model(ours, tmp_path / "ours", tokenizer_files=[])
    again, report = type(theirs).from_pretrained(tmp_path / "ours", output_loading_info=True)
    # BERT's pooler is not part of a base model here.
    assert {key for key in report["missing_keys"] if "pooler" not in key} == set()
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    inputs = batch()
    with torch.inference_mode():
        expected = ours(**inputs)
        found = their_output(again.eval(), kind, inputs)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    names = load_file(tmp_path / "ours" / "model.safetensors").keys()
    theirs_names = load_file(tmp_path / "theirs" / "model.safetensors").keys()
    assert names == {key for key in theirs_names if kind is not BaseModel or "pooler" not in key}
    raw = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert raw["architectures"] == [type(theirs).__name__]


def test_token_types_reach_bert(tmp_path: Path) -> None:
    theirs = their_model("bert")
    theirs.save_pretrained(tmp_path)
    ours = load_model(describe_folder("theirs", tmp_path), SequenceClassifier).model
    inputs = batch()
    types = torch.zeros_like(inputs["input_ids"])
    types[:, 6:] = 1
    with torch.inference_mode():
        expected = theirs(**inputs, token_type_ids=types).logits
        torch.testing.assert_close(
            ours(**inputs, token_type_ids=types), expected, atol=1e-5, rtol=0
        )
        assert not torch.allclose(ours(**inputs), expected, atol=1e-3)


def test_gradients_agree(tmp_path: Path) -> None:
    # In double precision, where the order of sums leaves no trace.
    theirs = their_model("distilbert")
    theirs.save_pretrained(tmp_path)
    ours = load_model(describe_folder("theirs", tmp_path), SequenceClassifier).model.double()
    theirs.double()
    inputs, labels = batch(), torch.tensor([0, 1, 1, 0])
    theirs(**inputs, labels=labels).loss.backward()
    torch.nn.functional.cross_entropy(ours(**inputs), labels).backward()
    expected = {name: weight.grad for name, weight in theirs.named_parameters()}
    for name, weight in ours.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name], atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("build", ["distilbert", "bert"])
def test_every_layers_hidden_states_and_attentions_agree(build: str, tmp_path: Path) -> None:
    theirs = their_model(build, BaseModel)
    theirs.set_attn_implementation("eager")
    theirs.save_pretrained(tmp_path)
    ours = load_model(describe_folder("theirs", tmp_path), BaseModel).model
    inputs = batch()
    with torch.inference_mode():
        expected = theirs(**inputs, output_hidden_states=True, output_attentions=True)
        found = forward_all(ours.distilbert, **inputs, attentions=True)
    assert found.attentions is not None
    for name in ("hidden_states", "attentions"):
        for mine, other in zip(getattr(found, name), expected[name], strict=True):
            torch.testing.assert_close(mine, other, atol=1e-5, rtol=0)


def test_a_calibrated_folder_is_read_by_transformers(tmp_path: Path) -> None:
    theirs = transformers.DistilBertForSequenceClassification(
        transformers.DistilBertConfig(**DISTILBERT)
    )
    theirs.save_pretrained(tmp_path)
    save_temperature(tmp_path / "config.json", 2.5)
    abstention = Abstention(thresholds={"LABEL_0": 0.9}, max_error=0.1, confidence=0.9)
    save_thresholds(str(tmp_path), abstention)
    ours = load_model(describe_folder("model", tmp_path), SequenceClassifier)
    assert ours.config.temperature == 2.5
    again = transformers.DistilBertForSequenceClassification.from_pretrained(tmp_path)
    again.save_pretrained(tmp_path / "again")  # keeps it, and has nothing to complain of
    kept = read_config(tmp_path / "again" / "config.json")
    assert (kept.temperature, kept.abstention) == (2.5, abstention)
    ids = torch.arange(1, 9)[None]
    with torch.inference_mode():
        # The temperature is for probabilities: logits are what they were.
        assert torch.allclose(again.eval()(ids).logits, ours.model(ids), atol=1e-5)
