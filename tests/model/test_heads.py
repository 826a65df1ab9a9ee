import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from distilcli.checkpoint.config import ModelConfig
from distilcli.checkpoint.folder import describe_folder
from distilcli.checkpoint.parameter_table import dissect
from distilcli.checkpoint.safetensors_header import read_header
from distilcli.errors import ModelError
from distilcli.model.heads import (
    HEADS,
    BaseModel,
    MaskedLanguageModel,
    MultipleChoice,
    QuestionAnswerer,
    SequenceClassifier,
    TaskModel,
    TokenClassifier,
)
from distilcli.model.loading import LoadedModel, load_model
from distilcli.model.saving import save_model

TINY = ModelConfig(
    vocab_size=60,
    max_position_embeddings=40,
    dim=16,
    n_layers=2,
    n_heads=4,
    hidden_dim=32,
    initializer_range=0.3,
    labels=("a", "b", "c"),
    problem_type="single_label_classification",
)
TINY_BERT = replace(TINY, model_type="bert", type_vocab_size=2)
CONFIGS = pytest.mark.parametrize("config", [TINY, TINY_BERT], ids=["distilbert", "bert"])
KINDS = pytest.mark.parametrize("kind", HEADS)
WIDTHS: dict[type[TaskModel], tuple[int, ...]] = {
    BaseModel: (3, 9, 16),
    SequenceClassifier: (3, 3),
    TokenClassifier: (3, 9, 3),
    QuestionAnswerer: (3, 9, 2),
    MaskedLanguageModel: (3, 9, 60),
    MultipleChoice: (3, 1),
}
Build = Callable[..., Any]


def built(kind: Build, config: ModelConfig = TINY) -> Any:
    torch.manual_seed(0)
    return kind(config).eval()


def ids() -> Tensor:
    return torch.randint(1, 60, (3, 9), generator=torch.Generator().manual_seed(1))


def mask() -> Tensor:
    return (torch.arange(9)[None, :] < torch.tensor([[9], [4], [1]])).long()


def saved(model: TaskModel, folder: Path) -> Path:
    folder.mkdir()
    save_model(model, folder, tokenizer_files=[])
    return folder


def load(folder: Path, kind: type[TaskModel]) -> LoadedModel[TaskModel]:
    return load_model(describe_folder("m", folder), kind)


def refusal(folder: Path, kind: type[TaskModel]) -> str:
    with pytest.raises(ModelError) as caught:
        load(folder, kind)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@CONFIGS
@KINDS
def test_each_head_gives_one_tensor_of_its_shape(kind: type[TaskModel], config: Any) -> None:
    found = built(kind, config)(ids(), mask())
    assert tuple(found.shape) == WIDTHS[kind]
    assert torch.isfinite(found).all()


@CONFIGS
@KINDS
def test_padding_changes_no_head(kind: type[TaskModel], config: ModelConfig) -> None:
    model, row = built(kind, config), ids()[1:2, :4]
    padded = model(ids(), mask())[1:2]
    expected = model(row)
    if expected.dim() == 3:
        padded = padded[:, :4]
    torch.testing.assert_close(padded, expected, atol=1e-5, rtol=0)


@CONFIGS
@KINDS
def test_what_is_saved_is_loaded(kind: type[TaskModel], config: Any, tmp_path: Path) -> None:
    model = built(kind, config)
    folder = saved(model, tmp_path / "m")
    loaded = load(folder, kind)
    assert not loaded.model.training
    assert loaded.unused == ()
    assert loaded.model.state_dict().keys() == model.state_dict().keys()
    torch.testing.assert_close(loaded.model(ids(), mask()), model(ids(), mask()))
    again = saved(loaded.model, tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    configs = [json.loads((path / "config.json").read_text()) for path in (folder, again)]
    assert configs[0] == configs[1]


@KINDS
def test_labels_are_kept_where_the_head_has_them(kind: type[TaskModel], tmp_path: Path) -> None:
    config = load(saved(built(kind), tmp_path / "m"), kind).config
    assert config.labels == (("a", "b", "c") if HEADS[kind].labelled else ())
    assert (config.problem_type is not None) == HEADS[kind].labelled


@CONFIGS
@KINDS
def test_every_folder_gives_its_encoder(kind: type[TaskModel], config: Any, tmp_path: Path) -> None:
    model = built(kind, config)
    folder = saved(model, tmp_path / "m")
    loaded = load(folder, BaseModel)
    expected = model.distilbert(ids(), mask())
    torch.testing.assert_close(loaded.model(ids(), mask()), expected, atol=1e-6, rtol=0)
    names = set(load_file(folder / "model.safetensors"))
    assert names - set(loaded.unused) == {
        name for name in names if ".layer." in name or "embeddings" in name
    }


def test_the_heads_left_over_are_named_as_the_checkpoint_names_them(tmp_path: Path) -> None:
    folder = saved(built(MaskedLanguageModel, TINY_BERT), tmp_path / "m")
    assert "cls.predictions.transform.dense.weight" in load(folder, BaseModel).unused


@CONFIGS
@KINDS
def test_a_head_that_was_never_trained_is_refused(
    kind: type[TaskModel], config: ModelConfig, tmp_path: Path
) -> None:
    folder = saved(built(BaseModel, config), tmp_path / "m")
    if kind is BaseModel:
        assert load(folder, kind).unused == ()
        return
    message = refusal(folder, kind)
    assert f"m: has no trained {HEADS[kind].name} head; " in message
    assert f"`distil finetune --task {HEADS[kind].task} --model m`" in message


@pytest.mark.parametrize("kind", [SequenceClassifier, TokenClassifier, MultipleChoice])
@pytest.mark.parametrize("other", [SequenceClassifier, TokenClassifier, MultipleChoice])
def test_a_head_with_the_names_of_another_is_told_from_it(
    kind: type[TaskModel], other: type[TaskModel], tmp_path: Path
) -> None:
    folder = saved(built(kind), tmp_path / "m")
    if kind is other:
        load(folder, kind)
        return
    assert f"m is for: distil {HEADS[kind].command}" in refusal(folder, other)


def test_half_a_masked_language_model_is_refused(tmp_path: Path) -> None:
    folder = saved(built(MaskedLanguageModel, TINY_BERT), tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    del weights["cls.predictions.bias"]
    save_file(weights, folder / "model.safetensors")
    assert "missing: cls.predictions.bias" in refusal(folder, MaskedLanguageModel)


@CONFIGS
def test_a_tied_table_may_be_in_the_file_twice(config: ModelConfig, tmp_path: Path) -> None:
    model = built(MaskedLanguageModel, config)
    folder = saved(model, tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    table = next(key for key in weights if "word_embeddings" in key)
    if config.model_type == "bert":
        copies = {
            "cls.predictions.decoder.weight": weights[table].clone(),
            "cls.predictions.decoder.bias": weights["cls.predictions.bias"].clone(),
        }
    else:
        copies = {"vocab_projector.weight": weights[table].clone()}
    assert not copies.keys() & weights.keys()
    save_file(weights | copies, folder / "model.safetensors")
    loaded = load(folder, MaskedLanguageModel)
    assert loaded.unused == ()
    torch.testing.assert_close(loaded.model(ids()), model(ids()))


def test_a_tied_table_learns_from_both_its_ends() -> None:
    model = built(MaskedLanguageModel)
    table = model.distilbert.embeddings.word_embeddings.weight
    model(ids()[:1, :2])[0, 0].logsumexp(0).backward()
    not_read = next(word for word in range(1, 60) if word not in ids()[0, :2].tolist())
    assert table.grad[not_read].abs().sum() > 0
    with torch.no_grad():
        before = model(ids())[..., not_read]
        table[not_read, 0] += 1.0
        assert not torch.allclose(model(ids())[..., not_read], before)


def test_an_untied_table_is_one_of_its_own(tmp_path: Path) -> None:
    model = built(MaskedLanguageModel, replace(TINY, tie_word_embeddings=False))
    folder = saved(model, tmp_path / "m")
    assert "vocab_projector.weight" in load_file(folder / "model.safetensors")
    loaded = load(folder, MaskedLanguageModel)
    torch.testing.assert_close(loaded.model(ids()), model(ids()))
    assert not torch.allclose(model(ids()), built(MaskedLanguageModel)(ids()), atol=1e-2)


@CONFIGS
def test_words_are_scored_only_where_they_are_asked_for(config: ModelConfig) -> None:
    model = built(MaskedLanguageModel, config)
    seen: list[int] = []
    model.vocab_projector.register_forward_hook(
        lambda _module, inputs, _output: seen.append(inputs[0].shape[:-1].numel())
    )
    positions = torch.zeros(3, 9, dtype=torch.bool)
    positions[0, 3] = positions[2, 0] = positions[2, 8] = True
    found = model(ids(), mask(), positions=positions)
    expected = model(ids(), mask())[positions]
    assert found.shape == (3, 60)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert seen == [3, 27]
    assert model(ids(), positions=torch.zeros(3, 9, dtype=torch.bool)).shape == (0, 60)


@pytest.mark.parametrize(
    ("kind", "config", "rate"),
    [
        (SequenceClassifier, TINY, 0.2),
        (MultipleChoice, TINY, 0.2),
        (TokenClassifier, TINY, 0.1),
        (QuestionAnswerer, TINY, 0.3),
        (SequenceClassifier, TINY_BERT, 0.2),
        (TokenClassifier, TINY_BERT, 0.2),
        (TokenClassifier, replace(TINY_BERT, classifier_dropout=None), 0.1),
        (QuestionAnswerer, TINY_BERT, 0.0),
    ],
)
def test_each_head_has_the_dropout_that_its_family_gives_it(
    kind: Build, config: ModelConfig, rate: float
) -> None:
    assert built(kind, replace(config, qa_dropout=0.3)).dropout.p == rate


@CONFIGS
@KINDS
def test_gradient_checkpointing_gives_the_same_gradients(
    kind: type[TaskModel], config: ModelConfig
) -> None:
    found = []
    for checkpointing in (False, True):
        model = built(kind, config).train()
        model.distilbert.transformer.gradient_checkpointing = checkpointing
        passes: list[int] = []
        model.distilbert.transformer.layer[0].ffn.register_forward_hook(
            lambda *_, passes=passes: passes.append(1)
        )
        torch.manual_seed(5)  # the same dropout
        output = model(ids(), mask())
        (output * torch.linspace(0, 1, output.numel()).view_as(output)).sum().backward()
        assert len(passes) == (2 if checkpointing else 1)
        found.append([parameter.grad for parameter in model.parameters()])
    assert all(gradient is not None for gradient in found[0])
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(checkpointed, plain, atol=1e-6, rtol=1e-5)


@CONFIGS
@KINDS
@pytest.mark.parametrize("pruned", [{}, {0: (1, 2)}], ids=["whole", "pruned"])
def test_the_anatomy_of_a_saved_model_counts_its_parameters(
    kind: type[TaskModel], config: ModelConfig, pruned: Any, tmp_path: Path
) -> None:
    model = built(kind, replace(config, pruned_heads=pruned))
    folder = saved(model, tmp_path / "m")
    raw = json.loads((folder / "config.json").read_text())
    anatomy = dissect(read_header(folder / "model.safetensors"), raw)
    assert anatomy.total.parameters == anatomy.total.trainable == count(model)
    assert anatomy.notes == ()


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_base_sizes_have_their_published_numbers_of_weights() -> None:
    with torch.device("meta"):
        assert count(BaseModel(ModelConfig())) == 66_362_880
        assert count(QuestionAnswerer(ModelConfig())) == 66_364_418
        assert count(MaskedLanguageModel(ModelConfig())) == 66_985_530
