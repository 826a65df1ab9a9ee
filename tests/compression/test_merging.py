from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from distilcli.checkpoint.folder import describe_folder
from distilcli.compression.merging import average
from distilcli.errors import ModelError
from distilcli.model.heads import SequenceClassifier
from distilcli.model.loading import load_model

Make = Callable[..., Path]


def merged(first: Path, *others: Path) -> SequenceClassifier:
    files = describe_folder(str(first), first)
    model = load_model(files, SequenceClassifier).model
    average(model, files, [describe_folder(str(other), other) for other in others])
    return model


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(describe_folder("m", folder), SequenceClassifier).model.state_dict()


def test_the_mean_of_three(make_model: Make) -> None:
    runs = [make_model(f"run-{seed}", seed=seed) for seed in range(3)]
    mean = merged(*runs).state_dict()
    parts = [weights(run) for run in runs]
    for name, weight in mean.items():
        expected = torch.stack([part[name] for part in parts]).mean(dim=0)
        torch.testing.assert_close(weight, expected, atol=1e-6, rtol=1e-5)


def test_one_that_is_given_twice_counts_twice(make_model: Make) -> None:
    one, other = (make_model(f"run-{seed}", seed=seed) for seed in range(2))
    name = "classifier.weight"
    found = merged(one, other, other).state_dict()[name]
    expected = (weights(one)[name] + 2 * weights(other)[name]) / 3
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_layers": 3}, "another architecture"),
        ({"pruned_heads": {0: (1,)}}, "another architecture"),
        ({"labels": ("positive", "negative")}, "other labels"),
    ],
)
def test_other_models_are_refused(
    make_model: Make, settings: dict[str, object], message: str
) -> None:
    first, other = make_model("first"), make_model("other", **settings)
    with pytest.raises(ModelError, match=message):
        merged(first, other)


def test_another_tokenizer_is_refused(make_model: Make) -> None:
    first, other = make_model("first"), make_model("other")
    tokens = (other / "vocab.txt").read_text().splitlines()
    (other / "vocab.txt").write_text("\n".join([*tokens[:5], *reversed(tokens[5:])]) + "\n")
    with pytest.raises(ModelError, match="other tokens"):
        merged(first, other)
