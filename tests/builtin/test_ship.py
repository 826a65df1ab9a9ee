from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from ship import ship

from distilcli.checkpoint import locate as locating
from distilcli.checkpoint.abstention import Abstention
from distilcli.checkpoint.config import read_config
from distilcli.checkpoint.locate import locate
from distilcli.errors import ModelError
from distilcli.evaluation.abstention import save_thresholds
from distilcli.evaluation.calibrate import save_temperature
from distilcli.model.weights import read_weights
from distilcli.predictors.classifier import Classifier

TABLE = "distilbert.embeddings.word_embeddings.weight"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "builtin"
    monkeypatch.setattr(locating, "BUILTIN_ROOT", root)
    return root


def test_a_run_becomes_a_builtin_model(make_model: Callable[..., Path], root: Path) -> None:
    run = make_model()
    ship(run, "mine", root=root)
    given, shipped = load_file(run / "model.safetensors"), read_weights(locate("mine"))[0]
    assert shipped.keys() == given.keys()
    for name, weight in given.items():
        rows = weight.abs().amax(dim=-1, keepdim=True) if weight.dim() > 1 else torch.zeros(1)
        assert ((shipped[name] - weight).abs() <= rows / 127 / 2 + 1e-6).all(), name
    assert TABLE not in load_file(root / "mine" / "model.safetensors")
    assert (root / "shared" / "vocab.txt").read_bytes() == (run / "vocab.txt").read_bytes()


def test_what_is_known_of_its_scores_goes_with_it(
    make_model: Callable[..., Path], root: Path
) -> None:
    run = make_model()
    save_temperature(run / "config.json", 1.5)
    abstention = Abstention(thresholds={"negative": 0.9}, max_error=0.02, confidence=0.95)
    save_thresholds(str(run), abstention)
    ship(run, "mine", root=root)
    config = read_config(locate("mine").config_path)
    assert (config.temperature, config.abstention) == (1.5, abstention)
    assert Classifier("mine", device="cpu").abstention == abstention


def test_two_models_share_one_table(make_model: Callable[..., Path], root: Path) -> None:
    first = make_model("first")
    ship(first, "first", root=root)
    before = (root / "shared" / "word_embeddings.safetensors").read_bytes()
    second = make_model("second", seed=1)
    with pytest.raises(ModelError, match="its token table is not the shared one"):
        ship(second, "second", root=root)
    weights = load_file(second / "model.safetensors")
    weights[TABLE] = load_file(first / "model.safetensors")[TABLE]
    save_file(weights, second / "model.safetensors")
    ship(second, "second", root=root)
    assert (root / "shared" / "word_embeddings.safetensors").read_bytes() == before
    (first, _), (second, _) = (read_weights(locate(name)) for name in ("first", "second"))
    assert torch.equal(first[TABLE], second[TABLE])


def test_the_recipe_of_an_embedder_goes_with_it(
    make_model: Callable[..., Path], root: Path
) -> None:
    run = make_model(head="BaseModel")
    (run / "modules.json").write_text(
        '[{"path": "", "type": "sentence_transformers.models.Transformer"}, '
        '{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]'
    )
    (run / "1_Pooling").mkdir()
    (run / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    ship(run, "mine", root=root)
    for part in ("modules.json", "1_Pooling/config.json"):
        assert (root / "mine" / part).read_bytes() == (run / part).read_bytes()
