"""The same vectors as sentence-transformers, for folders that it saved itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distilcli.predictors.embedder import Embedder
from distilcli.tasks.settings import BatchOptions

sentence_transformers = pytest.importorskip("sentence_transformers")
# The folders of its modules have moved; how a model is saved has not.
models = pytest.importorskip("sentence_transformers.sentence_transformer.modules")

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

TEXTS = [
    "a film",
    "i loved the film and the story of it , but the plot was dull , slow and boring . " * 2,
    "",
    "the camera WAS great !",
    "x y z 1 2 3",
    "it was cheap but it works , and i loved the sound . fun !",
]
MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
Make = Callable[..., Path]
Save = Callable[..., tuple[Any, Embedder]]


def embedder(folder: Path, **options: Any) -> Embedder:
    """Return our program for a folder; like the other one it embeds empty texts too."""
    return Embedder(str(folder), device="cpu", keep_empty=True, **options)


@pytest.fixture(params=["distilbert", "bert"])
def save(request: pytest.FixtureRequest, make_model: Make, tmp_path: Path) -> Save:
    """Return a function that saves a chain of modules and loads it in both programs."""
    folder = make_model("source", model_type=request.param)

    def save_chain(*chain: Any, prompts: dict[str, str] | None = None, **options: Any) -> Any:
        torch.manual_seed(1)
        first = models.Transformer(str(folder), max_seq_length=30)
        theirs = sentence_transformers.SentenceTransformer(
            modules=[first, *chain], device="cpu", prompts=prompts
        )
        theirs.save(str(tmp_path / "saved"))
        batches = BatchOptions(threads=1, rows=4)
        ours = Embedder(
            str(tmp_path / "saved"), device="cpu", batches=batches, keep_empty=True, **options
        )
        return theirs, ours

    return save_chain


def assert_same(theirs: Any, ours: Any) -> None:
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", MODES)
def test_each_mode(save: Save, mode: str) -> None:
    theirs, ours = save(models.Pooling(32, mode))
    assert_same(theirs.encode(TEXTS), ours(TEXTS))
    assert not ours.normalizes


def test_modes_side_by_side(save: Save) -> None:
    theirs, ours = save(models.Pooling(32, ("lasttoken", "mean", "cls")), models.Normalize())
    assert_same(theirs.encode(TEXTS), ours(TEXTS))
    assert (ours.width, ours.pooling) == (96, "last-token+mean+cls")


@pytest.mark.parametrize("activation", [torch.nn.Tanh(), torch.nn.Identity(), torch.nn.GELU()])
def test_dense_and_normalize(save: Save, activation: Any) -> None:
    dense = models.Dense(64, 20, activation_function=activation)
    again = models.Dense(20, 10, bias=False, activation_function=torch.nn.ReLU())
    theirs, ours = save(models.Pooling(32, ("mean", "max")), dense, again, models.Normalize())
    assert_same(theirs.encode(TEXTS), ours(TEXTS))
    assert ours.width == 10


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pooled", [True, False])
def test_prompts(save: Save, mode: str, pooled: bool) -> None:
    pooling = models.Pooling(32, mode, include_prompt=pooled)
    theirs, ours = save(pooling, prompts={"query": "a good film : "}, prompt_name="query")
    found = ours(TEXTS)
    assert_same(theirs.encode(TEXTS, prompt_name="query"), found)
    if mode != "cls" or not pooled:
        assert not np.allclose(found, theirs.encode(TEXTS), atol=1e-3)


def test_the_first_dimensions(save: Save) -> None:
    theirs, ours = save(models.Pooling(32, "mean"), models.Normalize(), dims=12)
    short = theirs.encode(TEXTS, truncate_dim=12, normalize_embeddings=True)
    assert_same(short, ours(TEXTS))


def test_vectors_of_tokens(save: Save) -> None:
    theirs, ours = save(models.Pooling(32, ("cls", "mean")), models.Dense(64, 8))
    tokens = theirs.encode(TEXTS, output_value="token_embeddings")
    for expected, found in zip(tokens, ours.tokens(TEXTS), strict=True):
        assert_same(expected.numpy()[1:-1], found.vectors)


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_a_trained_folder_gives_both_programs_the_same_vectors(
    make_model: Make, tmp_path: Path, model_type: str
) -> None:
    from distilcli.training.datasets.embed import TextPair
    from distilcli.training.objectives.embed import EmbedObjective, trainable_recipe
    from tests.training.objectives._toy import learn

    source = make_model("source", head="BaseModel", model_type=model_type)
    pairs = [TextPair(text, text, float(number)) for number, text in enumerate(TEXTS)]
    objective = EmbedObjective(pairs, pairs, trainable_recipe(source))
    learn(source, objective, tmp_path / "run", epochs=1)
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "run"), device="cpu")
    ours = embedder(tmp_path / "run")
    assert_same(theirs.encode(TEXTS), ours(TEXTS))
    assert ours.normalizes
    assert [type(module).__name__ for module in theirs] == ["Transformer", "Pooling", "Normalize"]


def test_layers_after_normalization(save: Save) -> None:
    norm = models.LayerNorm(32)
    torch.nn.init.normal_(norm.norm.weight)
    torch.nn.init.normal_(norm.norm.bias)
    dense = models.Dense(32, 12, activation_function=torch.nn.SiLU())
    theirs, ours = save(models.Pooling(32, "mean"), models.Normalize(), norm, dense)
    assert_same(theirs.encode(TEXTS), ours(TEXTS))
    assert not ours.normalizes


@pytest.mark.parametrize("width", [32, 12])
def test_dense_with_a_residual(save: Save, width: int) -> None:
    dense = models.Dense(32, width, use_residual=True)
    theirs, ours = save(models.Pooling(32, "mean"), dense, models.Normalize())
    assert_same(theirs.encode(TEXTS), ours(TEXTS))


@pytest.mark.parametrize("name", [
    "CELU", "ELU", "GELU", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity", "LeakyReLU",
    "LogSigmoid", "Mish", "ReLU", "ReLU6", "SELU", "Sigmoid", "SiLU", "Softplus", "Softsign",
    "Tanh", "Tanhshrink",
])  # fmt: skip
def test_activations_of_dense(make_model: Make, tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    dense = models.Dense(32, 8, activation_function=getattr(torch.nn, name)())
    first = models.Transformer(str(make_model("source")), max_seq_length=30)
    theirs = sentence_transformers.SentenceTransformer(
        modules=[first, models.Pooling(32, "mean"), dense], device="cpu"
    )
    theirs.save(str(tmp_path / "saved"))
    assert_same(
        theirs.encode(TEXTS),
        embedder(tmp_path / "saved")(TEXTS),
    )


def change(folder: Path, name: str, **settings: object) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def test_truncate_dim_of_the_folder(save: Save, tmp_path: Path) -> None:
    theirs, _ = save(models.Pooling(32, "mean"), models.Normalize())
    change(tmp_path / "saved", "config_sentence_transformers.json", truncate_dim=12)
    ours = embedder(tmp_path / "saved")
    assert_same(theirs.encode(TEXTS, truncate_dim=12), ours(TEXTS))
    assert (ours.width, ours.token_width) == (12, 32)
    short = embedder(tmp_path / "saved", dims=5, normalize=True)
    expected = theirs.encode(TEXTS, truncate_dim=5, normalize_embeddings=True)
    assert_same(expected, short(TEXTS))


@pytest.mark.parametrize("key", ["tokenizer_args", "processor_kwargs"])
@pytest.mark.parametrize(
    "settings",
    [{"truncation_side": "left"}, {"model_max_length": 12, "split_special_tokens": True}],
)
def test_settings_of_the_tokenizer_of_the_folder(
    save: Save, tmp_path: Path, key: str, settings: dict[str, Any]
) -> None:
    folder = tmp_path / "saved"
    before = save(models.Pooling(32, "mean"))[1](TEXTS)
    change(folder, "sentence_bert_config.json", **{key: settings})
    ours = embedder(folder)(TEXTS)
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    assert_same(theirs.encode(TEXTS), ours)
    assert not np.allclose(before, ours, atol=1e-4)


def test_the_old_layout(save: Save, tmp_path: Path) -> None:
    theirs, _ = save(models.Pooling(32, "mean"), models.Normalize())
    folder, inside = tmp_path / "saved", tmp_path / "saved" / "0_Transformer"
    expected = theirs.encode(TEXTS)
    inside.mkdir()
    modules = {"modules.json", "config_sentence_transformers.json", "README.md"}
    for path in list(folder.iterdir()):
        if path.is_file() and path.name not in modules:
            path.rename(inside / path.name)
    raw = json.loads((folder / "modules.json").read_text())
    raw[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(raw))
    ours = embedder(folder)
    assert_same(expected, ours(TEXTS))
    assert_same(sentence_transformers.SentenceTransformer(str(folder)).encode(TEXTS), ours(TEXTS))
