"""Folders as people have them give the numbers that transformers gives for them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from distilcli.checkpoint.folder import describe_folder, describe_tokenizer
from distilcli.model.activation import ACTIVATIONS
from distilcli.model.heads import MaskedLanguageModel, SequenceClassifier
from distilcli.model.loading import load_model
from distilcli.model.saving import save_model
from distilcli.predictors.classifier import Classifier
from distilcli.predictors.mask_filler import MaskFiller
from distilcli.tokenizer.loading import EngineName, load_tokenizer

transformers = pytest.importorskip("transformers")

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

Make = Callable[..., Path]
LONG = "the film was good and " * 20 + "the plot was dull"


def settings(folder: Path, name: str, **changes: object) -> None:
    path = folder / name
    raw = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(raw | changes))


def pipeline(folder: Path, task: str = "text-classification", **options: Any) -> Any:
    return transformers.pipeline(task, model=str(folder), device="cpu", **options)


def assert_same_scores(folder: Path, texts: list[str]) -> None:
    theirs = pipeline(folder)(texts, truncation=True)
    for found, expected in zip(Classifier(str(folder), device="cpu")(texts), theirs, strict=True):
        assert found.label == expected["label"]
        assert found.score == pytest.approx(expected["score"], abs=1e-5)


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_truncation_from_the_left(make_model: Make, model_type: str) -> None:
    folder = make_model(model_type=model_type)
    before = Classifier(str(folder), device="cpu")([LONG])[0].score
    settings(folder, "tokenizer_config.json", truncation_side="left")
    assert_same_scores(folder, [LONG, "good"])
    assert Classifier(str(folder), device="cpu")([LONG])[0].score != pytest.approx(before, abs=1e-4)


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_one_output_without_a_problem_type(make_model: Make, model_type: str) -> None:
    folder = make_model(model_type=model_type, labels=("LABEL_0",), problem_type=None)
    assert_same_scores(folder, ["good", "the plot was dull"])


@pytest.mark.parametrize("engine", ["fast", "wordpiece"])
@pytest.mark.parametrize(
    "files",
    [
        {"tokenizer_config.json": {"split_special_tokens": True}},
        {"added_tokens.json": {"[E1]": 0, "BIG-word": 0}},
        {
            "added_tokens.json": {"[E1]": 0, "BIG-word": 0},
            "special_tokens_map.json": {"additional_special_tokens": ["[E1]"]},
        },
        {"tokenizer_config.json": {"extra_special_tokens": ["[E1]"]}},
    ],
)
def test_settings_of_a_tokenizer(
    make_model: Make, vocab: list[str], files: dict[str, Any], engine: EngineName
) -> None:
    folder = make_model()
    for name, content in files.items():
        is_added = name == "added_tokens.json"
        ids = {token: len(vocab) + index for index, token in enumerate(content)}
        settings(folder, name, **(ids if is_added else content))
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ours = load_tokenizer(describe_tokenizer("m", folder), engine=engine)
    for text in ("a [SEP] film[MASK]", "the [E1] BIG-word big-WORD ."):
        expected = theirs(text, add_special_tokens=False)["input_ids"]
        assert list(ours.ids([text])[0]) == expected


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_activation(activation: str) -> None:
    from transformers.activations import ACT2FN

    x = torch.linspace(-14, 14, 2_001)
    torch.testing.assert_close(
        ACTIVATIONS[activation](x), ACT2FN[activation](x), atol=1e-6, rtol=1e-6
    )


@pytest.mark.parametrize("activation", ["gelu_python", "gelu_fast", "quick_gelu", "mish", "relu6"])
def test_a_model_with_an_activation(make_model: Make, activation: str) -> None:
    assert_same_scores(make_model(activation=activation), ["good", "the plot was dull"])


@pytest.mark.parametrize("tied", [True, False])
def test_a_masked_language_model_both_ways(make_model: Make, tmp_path: Path, tied: bool) -> None:
    """The bias of an untied BERT has another name in transformers 5 than the tied one."""
    source = make_model(
        "source", head="MaskedLanguageModel", model_type="bert", tie_word_embeddings=tied
    )
    model = load_model(describe_folder("m", source), MaskedLanguageModel).model
    with torch.no_grad():
        model.vocab_projector.bias.normal_()
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    save_model(model, ours, tokenizer_files=[])
    assert ("cls.predictions.decoder.bias" in load_file(ours / "model.safetensors")) is not tied
    input_ids = torch.tensor([[2, 7, 4, 9, 3]])
    loaded, report = transformers.BertForMaskedLM.from_pretrained(ours, output_loading_info=True)
    assert not report["missing_keys"]
    with torch.inference_mode():
        expected = model(input_ids)
        torch.testing.assert_close(loaded(input_ids).logits, expected, atol=1e-5, rtol=0)
        loaded.cls.predictions.decoder.bias.add_(1.0)
        loaded.save_pretrained(theirs)
        again = load_model(describe_folder("m", theirs), MaskedLanguageModel).model
        torch.testing.assert_close(again(input_ids), expected + 1, atol=1e-5, rtol=0)


def test_two_biases_of_a_tied_model_must_be_equal(make_model: Make) -> None:
    folder = make_model(head="MaskedLanguageModel", model_type="bert")
    path = folder / "model.safetensors"
    weights = load_file(path)
    other = weights["cls.predictions.bias"] + 1
    save_file(weights | {"cls.predictions.decoder.bias": other}, path)
    with pytest.raises(Exception, match="twice, under two names and with different values"):
        MaskFiller(str(folder), device="cpu")


def test_a_model_type_that_only_the_architecture_says(make_model: Make) -> None:
    folder = make_model()
    expected = Classifier(str(folder), device="cpu")(["good"])[0].scores
    raw = json.loads((folder / "config.json").read_text())
    del raw["model_type"]
    for ours, alias in (("dim", "hidden_size"), ("n_heads", "num_attention_heads")):
        raw[alias] = raw.pop(ours)
    (folder / "config.json").write_text(json.dumps(raw))
    assert Classifier(str(folder), device="cpu")(["good"])[0].scores == expected
    config = transformers.DistilBertConfig.from_pretrained(folder)
    theirs = transformers.DistilBertForSequenceClassification.from_pretrained(folder, config=config)
    model = load_model(describe_folder("m", folder), SequenceClassifier).model
    input_ids = torch.tensor([[2, 7, 8, 9, 3]])
    with torch.inference_mode():
        torch.testing.assert_close(model(input_ids), theirs(input_ids).logits, atol=1e-5, rtol=0)


def test_pruned_heads_as_the_documentation_says(make_model: Make) -> None:
    """transformers 4 loads them; 5 no longer knows of pruning, and refuses the shapes."""
    folder = make_model(pruned_heads={0: (1,)})
    load = transformers.DistilBertForSequenceClassification.from_pretrained
    if transformers.__version__.startswith("4."):
        assert load(folder).distilbert.transformer.layer[0].attention.q_lin.out_features == 24
    else:
        with pytest.raises(Exception, match=r"size|shape|mismatch"):
            load(folder)
