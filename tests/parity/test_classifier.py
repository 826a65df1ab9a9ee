"""The same numbers as transformers: its folders read here, our folders read there."""

from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.checkpoint.folder import describe_folder
from distilcli.model.loading import load_classifier, save_classifier

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


def their_model(build: str) -> Any:
    family, settings = BUILDS[build]
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**settings)
    return getattr(transformers, f"{family}ForSequenceClassification")(config).eval()


@pytest.mark.parametrize("build", BUILDS)
def test_their_folder_gives_their_logits_here(build: str, tmp_path: Path) -> None:
    theirs = their_model(build)
    theirs.save_pretrained(tmp_path)
    ours = load_classifier(describe_folder("theirs", tmp_path)).model
    inputs = batch()
    with torch.inference_mode():
        expected = theirs(**inputs).logits
        torch.testing.assert_close(ours(**inputs), expected, atol=1e-5, rtol=0)
    assert expected.std() > 0.01  # the comparison is not one of zeros


@pytest.mark.parametrize("build", BUILDS)
def test_our_folder_gives_our_logits_there(build: str, tmp_path: Path) -> None:
    their_model(build).save_pretrained(tmp_path / "theirs")
    ours = load_classifier(describe_folder("theirs", tmp_path / "theirs")).model
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.mul_(1.1)
    (tmp_path / "ours").mkdir()
    save_classifier(ours, tmp_path / "ours", tokenizer_files=[])
    theirs, report = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    inputs = batch()
    with torch.inference_mode():
        expected = ours(**inputs)
        torch.testing.assert_close(theirs.eval()(**inputs).logits, expected, atol=1e-5, rtol=0)


def test_token_types_reach_bert(tmp_path: Path) -> None:
    theirs = their_model("bert")
    theirs.save_pretrained(tmp_path)
    ours = load_classifier(describe_folder("theirs", tmp_path)).model
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
    ours = load_classifier(describe_folder("theirs", tmp_path)).model.double()
    theirs.double()
    inputs, labels = batch(), torch.tensor([0, 1, 1, 0])
    theirs(**inputs, labels=labels).loss.backward()
    torch.nn.functional.cross_entropy(ours(**inputs), labels).backward()
    expected = {name: weight.grad for name, weight in theirs.named_parameters()}
    for name, weight in ours.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name], atol=1e-12, rtol=1e-9)
