import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.checkpoint.config import read_config
from distilcli.checkpoint.folder import describe_folder
from distilcli.errors import UsageError
from distilcli.model.capture import forward_all
from distilcli.model.heads import SequenceClassifier
from distilcli.model.loading import load_model
from distilcli.training.datasets.classify import Examples
from distilcli.training.init_model import StartingPoint, parse_sizes, start_model, starting_point
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.run_options import RunOptions

Make = Callable[..., Path]
LABELS = ("negative", "positive")
OBJECTIVE = ClassifyObjective(
    Examples(["a", "b"], None, [0, 1], LABELS), Examples(["a", "b"], None, [0, 1], LABELS)
)


def test_a_run_forgets_what_was_known_of_the_scores(make_model: Make) -> None:
    folder = make_model()
    path = folder / "config.json"
    abstention = {"thresholds": 0.9, "max_error": 0.02, "confidence": 0.95}
    found = {"calibration_temperature": 2.0, "abstention": abstention}
    path.write_text(json.dumps(json.loads(path.read_text()) | found))
    assert read_config(path).abstention is not None
    config = started(folder).config
    assert (config.temperature, config.abstention) == (1.0, None)


def started(folder: Path, **changes: Any) -> SequenceClassifier:
    torch.manual_seed(0)
    model = start_model(
        StartingPoint(files=describe_folder("m", folder), **changes), OBJECTIVE
    ).model
    assert isinstance(model, SequenceClassifier)
    return model.eval()


def point(model: Path | None, teacher: Path | None, **said: Any) -> StartingPoint:
    named = {"model": model, "teacher": teacher}
    given = {name: str(folder) for name, folder in named.items() if folder is not None}
    files, found = RunOptions.of("classify", {"files": [], **given}).locate(offline=True)
    return starting_point(files, teacher=found, **{"student_layers": None, "sizes": None, **said})


@torch.no_grad()
def test_layers_and_head_of_a_distilbert_are_kept(make_model: Make) -> None:
    folder = make_model()
    teacher = load_model(describe_folder("m", folder), SequenceClassifier).model
    student = started(folder, layers=(0,))
    ids = torch.tensor([[2, 7, 8, 3]])
    states = forward_all(teacher.distilbert, ids).hidden_states
    assert torch.equal(student.distilbert(ids), states[1])
    assert torch.equal(student.classifier.weight, teacher.classifier.weight)
    assert student.config.n_layers == 1


@torch.no_grad()
def test_layers_of_a_bert_become_those_of_a_distilbert(make_model: Make) -> None:
    folder = make_model(model_type="bert")
    teacher = load_model(describe_folder("m", folder), SequenceClassifier).model
    found = point(None, folder)
    assert (found.fold, found.layers) == (True, (0,))
    student = started(folder, fold=True, layers=(0,))
    assert student.config.model_type == "distilbert"
    ids, mask = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]]), torch.tensor([[1] * 4, [1, 1, 1, 0]])
    states = forward_all(teacher.distilbert, ids, mask).hidden_states
    torch.testing.assert_close(student.distilbert(ids, mask), states[1], atol=1e-5, rtol=0)


def test_a_student_starts_from_half_of_its_teacher_unless_told_otherwise(make_model: Make) -> None:
    teacher, other = make_model("teacher"), make_model("other", seed=1)
    assert point(None, teacher).layers == (0,)
    assert point(None, teacher).files.folder == teacher
    assert point(None, teacher, student_layers="1").layers == (1,)
    named = point(other, teacher)
    assert (named.layers, named.fold, named.files.folder) == (None, False, other)
    assert point(other, teacher, student_layers="1,0").layers == (1, 0)
    assert point(other, None, student_layers="0").layers == (0,)


def test_a_student_of_other_sizes_is_a_random_distilbert(make_model: Make) -> None:
    folder = make_model(model_type="bert")
    found = point(None, folder, sizes={"dim": 128, "n_layers": 3})
    assert (found.layers, found.fold) == (None, False)
    model = start_model(found, OBJECTIVE).model
    config, given = model.config, read_config(folder / "config.json")
    assert config.model_type == "distilbert"
    assert (config.dim, config.n_layers, config.n_heads, config.hidden_dim) == (128, 3, 2, 512)
    assert config.vocab_size == given.vocab_size
    assert config.max_position_embeddings == given.max_position_embeddings
    assert config.labels == LABELS
    assert model.distilbert.embeddings.word_embeddings.weight.std().item() == pytest.approx(
        0.02, rel=0.1
    )


def test_the_sizes_that_are_left_out_are_distilberts(make_model: Make) -> None:
    config = started(make_model(), sizes={"n_heads": 2}).config
    assert (config.dim, config.n_layers, config.n_heads, config.hidden_dim) == (32, 6, 2, 128)


def test_sizes_are_read() -> None:
    assert parse_sizes("dim=256,n_layers=4") == {"dim": 256, "n_layers": 4}
    assert parse_sizes(" n_heads = 2 , hidden_dim=8") == {"n_heads": 2, "hidden_dim": 8}


@pytest.mark.parametrize(
    "text", ["", "dim", "dim=", "dim=0", "dim=-3", "dim=1.5", "width=3", "dim=3,", "dim=9999999"]
)
def test_sizes_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"`student` .*: give NAME=COUNT, .* dim, n_layers"):
        parse_sizes(text)


def test_a_width_that_the_heads_do_not_divide_is_refused(make_model: Make) -> None:
    folder = make_model()
    with pytest.raises(UsageError) as caught:
        started(folder, sizes={"n_heads": 3})
    assert str(caught.value) == (
        "`student` n_heads=3: a width of 32 is not divisible by 3 heads; give another n_heads, or "
        "none"
    )
    with pytest.raises(
        UsageError, match="`student` dim=40,n_heads=7: a width of 40 is not divisible by 7 heads"
    ):
        started(folder, sizes={"n_layers": 1, "n_heads": 7, "dim": 40})


@pytest.mark.parametrize(
    ("dim", "n_heads"), [(768, 12), (384, 6), (64, 1), (200, 4), (100, 2), (48, 1), (130, 5)]
)
def test_heads_that_are_left_out_are_as_wide_as_distilberts_or_nearly(
    make_model: Make, dim: int, n_heads: int
) -> None:
    folder = make_model()
    config = started(folder, sizes={"dim": dim, "n_layers": 1, "hidden_dim": 8}).config
    assert (config.n_heads, config.hidden_dim) == (n_heads, 8)
    assert started(folder, sizes={"dim": 20, "n_layers": 1}).config.hidden_dim == 80


@pytest.mark.parametrize("text", ["", "0,", "a", "0;2", "-1", "0-3", "0,,2", "0, 2"])
def test_layers_that_are_no_numbers_are_refused(make_model: Make, text: str) -> None:
    with pytest.raises(UsageError, match="give numbers separated by commas, as 0,2,4"):
        point(None, make_model(), student_layers=text)


def test_an_objective_sets_a_new_model_up(make_model: Make) -> None:
    told: list[tuple[object, bool]] = []

    class Eager(ClassifyObjective):
        def set_up(self, model: Any, *, keeps_head: bool) -> None:
            told.append((model, keeps_head))

    files = describe_folder("m", make_model(labels=LABELS))
    model = start_model(StartingPoint(files=files), Eager(OBJECTIVE.train, OBJECTIVE.valid)).model
    other = start_model(
        StartingPoint(files=files, sizes={"dim": 8}), Eager(OBJECTIVE.train, OBJECTIVE.valid)
    ).model
    assert told == [(model, True), (other, False)]


def test_a_start_is_told_by_its_layers_and_sizes(make_model: Make) -> None:
    files = describe_folder("m", make_model())
    starts = [
        StartingPoint(files=files),
        StartingPoint(files=files, layers=(0,)),
        StartingPoint(files=files, layers=(1,)),
        StartingPoint(files=files, sizes={"dim": 8}),
    ]
    prints = [start.fingerprint() for start in starts]
    assert all(prints.count(found) == 1 for found in prints)
