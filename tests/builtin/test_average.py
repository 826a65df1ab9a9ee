import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from average import average
from safetensors.torch import load_file

from distilcli.checkpoint.folder import describe_folder
from distilcli.checkpoint.sentence_transformers import (
    SentenceRecipe,
    read_recipe,
    recipe_files,
)
from distilcli.errors import ModelError, UsageError
from distilcli.model.heads import SequenceClassifier
from distilcli.model.loading import load_model


def test_the_mean_of_three_runs_is_a_model(make_model: Callable[..., Path], tmp_path: Path) -> None:
    runs = [make_model(f"run-{seed}", seed=seed) for seed in range(3)]
    output = tmp_path / "mean"
    average(runs, output)
    weights = [load_file(run / "model.safetensors") for run in runs]
    mean = load_file(output / "model.safetensors")
    assert mean.keys() == weights[0].keys()
    for name, weight in mean.items():
        expected = torch.stack([part[name] for part in weights]).mean(dim=0)
        torch.testing.assert_close(weight, expected, atol=1e-6, rtol=1e-5)
    assert (output / "vocab.txt").read_bytes() == (runs[0] / "vocab.txt").read_bytes()
    loaded = load_model(describe_folder("mean", output), SequenceClassifier)
    assert loaded.model.config.labels == ("negative", "positive")


def test_runs_of_two_shapes_have_no_mean(make_model: Callable[..., Path], tmp_path: Path) -> None:
    runs = [make_model("two"), make_model("three", n_layers=3)]
    with pytest.raises(ModelError, match=r"three: has another architecture than .*two"):
        average(runs, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_nothing_is_overwritten_and_one_run_is_too_few(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_model()
    with pytest.raises(UsageError, match="exists; give another folder"):
        average([run, run], run)
    with pytest.raises(UsageError, match="at least two runs"):
        average([run], tmp_path / "mean")


def test_the_mean_of_embedders_makes_vectors_as_they_do(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    run = make_model(head="BaseModel")
    for name, content in recipe_files(SentenceRecipe(normalizes=True), dim=32).items():
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text(json.dumps(content))
    average([run, run], tmp_path / "mean")
    assert read_recipe(tmp_path / "mean") == read_recipe(run)
