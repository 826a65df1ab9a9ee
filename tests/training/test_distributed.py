import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from distilcli.errors import InputError, UsageError
from distilcli.training import distributed
from tests.conftest import make_tiny
from tests.training._shared_runs import Row, losses, rows_of, run_several, said, train

pytestmark = pytest.mark.slow

# A frozen encoder leaves little to learn, and has defaults of its own.
DEFAULTS = dict.fromkeys(
    ("dropout", "epochs", "evaluate_every", "learning_rate", "token_budget", "precision")
)
TASKS = ("classify", "multilabel", "regress", "tag", "qa", "mlm", "choose", "embed", "negatives")


def runs(folder: Path, models: Path) -> list[dict[str, Any]]:
    """A run of every task, and those that ask more of several processes than a task does."""
    made = [
        run(folder, models, task, task="embed" if task == "negatives" else task) for task in TASKS
    ]
    some_unlabelled: list[Row] = [
        {**row, "label": row["label"] if index % 3 else ""}
        for index, row in enumerate(rows_of("classify"))
    ]
    valid = rows_of("classify")[:9]
    taught = {"teacher": str(models / "teacher"), "valid": valid, "valid_split": None}
    return [
        *made,
        # The last step of an epoch has fewer batches, and a small one makes a step undivided.
        run(folder, models, "accumulated", task="tag", epochs=3, accumulate=3, average=0.9),
        run(folder, models, "frozen", task="classify", freeze="1", layer_decay=1.0),
        {**run(folder, models, "taught", **taught, alpha_hidden=0.5), "rows": some_unlabelled},
        # Only layers teach: the head has no gradient.
        {
            **run(folder, models, "layers", **taught, alpha_ce=0.0, alpha_task=0.0),
            "rows": some_unlabelled,
        },
        run(
            folder, models, "cached", **taught, teacher_cache=str(folder / "cache"),
            student="dim=16,n_layers=1", model=None,
        ),
        # The cosines of the vectors of a whole batch are compared.
        run(
            folder, models, "narrower", task="embed", teacher=str(models / "teacher"),
            student="dim=16,n_layers=1", model=None,
        ),
        run(folder, models, "encoder", **DEFAULTS, freeze="encoder"),
        # Comes last: where there is a second process, it ends all of them.
        {**run(folder, models, "killed"), "kill_at": 5},
    ]  # fmt: skip


def run(folder: Path, models: Path, name: str, **settings: Any) -> dict[str, Any]:
    """A run over the rows of its task."""
    task = settings.get("task", "classify")
    return {
        "rows": rows_of(name if name in TASKS else task),
        "output": str(folder / name),
        "settings": {"model": str(models / "model"), **settings},
    }


@pytest.fixture(scope="module")
def models(vocab: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name, settings in {"model": {}, "teacher": {"labels": ("a", "b", "c"), "seed": 1}}.items():
        (folder / name).mkdir()
        make_tiny(folder / name, vocab, **settings)  # type: ignore[arg-type]
    return folder


@pytest.fixture(scope="module")
def both(models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of the runs of one process, and of two, which take a while to start."""
    alone, two = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("two")
    train(runs(alone, models))
    (two / "runs.json").write_text(json.dumps(runs(two, models)))
    finished = run_several(two / "runs.json", module="tests.training._shared_runs")
    assert finished.returncode != 0  # one was killed in the last run
    assert (two / "killed").exists(), finished.stderr
    return alone, two


@pytest.mark.parametrize(
    "name", [*TASKS, "accumulated", "frozen", "taught", "layers", "cached", "narrower"]
)
def test_two_processes_take_the_steps_of_one(both: tuple[Path, Path], name: str) -> None:
    alone, two = (losses(folder / name) for folder in both)
    assert len(alone) == len(two) > 3
    assert len(set(alone)) > 3  # there is something to compare
    assert two == pytest.approx(alone, abs=1e-4)


def test_a_frozen_encoder_is_read_once_by_all(both: tuple[Path, Path]) -> None:
    ours, theirs = (load_file(folder / "encoder" / "model.safetensors") for folder in both)
    for key, weight in ours.items():
        torch.testing.assert_close(theirs[key], weight, atol=1e-4, rtol=1e-4)


def test_a_process_that_dies_ends_the_run_and_another_number_of_them_continues_it(
    models: Path, both: tuple[Path, Path]
) -> None:
    alone, two = both
    saved = torch.load(two / "killed" / "training_state.pt", weights_only=True)
    assert saved["progress"]["step"] == 5
    train([{**run(two, models, "killed"), "resume": True}])
    assert losses(two / "killed") == pytest.approx(losses(alone / "killed"), abs=1e-4)


def test_a_step_has_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = [[3, 1, 4, 5], [9, 2, 6], [7, 8]]
    found = []
    for rank in range(2):
        monkeypatch.setattr(distributed, "count", lambda: 2)
        monkeypatch.setattr(distributed, "_rank", lambda rank=rank: rank)
        with distributed.divided(batches) as own:
            assert distributed.parts() == 2
            found.append(own)
        with distributed.divided([*batches, [10]]) as own:  # too few rows for two
            assert distributed.parts() == 1
            assert own == [*batches, [10]]
    assert found == [[[3, 4], [2], [7]], [[1, 5], [9, 6], [8]]]
    assert distributed.parts() == 1


def test_a_process_alone_gets_what_it_gave() -> None:
    tensor = torch.rand(3, requires_grad=True)
    assert distributed.count() == 1
    assert distributed.whole(tensor) is tensor
    assert distributed.merged(tensor) is tensor
    assert distributed.summed(1, 2.5) == (1, 2.5)
    assert distributed.share([1, 2]) == distributed.joined([1, 2]) == [1, 2]
    assert distributed.own_device("cuda:1") == "cuda:1"
    module = torch.nn.Linear(1, 1)
    assert distributed.replicated(module, reaches_all=False) is module
    state = torch.get_rng_state()
    distributed.seed_step(0, 1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("theirs", "error", "why"),
    [
        ({"seed": 1}, UsageError, "process 1 has a different seed from process 0; give all"),
        ({"training data": "x"}, InputError, "process 1 reads different training data from"),
        # Rows that are set aside depend on settings, which come first.
        ({"seed": 1, "training data": "x"}, UsageError, "has a different seed from process 0"),
    ],
)
def test_processes_that_do_not_share_a_run_are_told_why(
    monkeypatch: pytest.MonkeyPatch, theirs: dict[str, object], error: type[Exception], why: str
) -> None:
    ours = {"seed": 0, "training data": "a", "validation data": "b"}
    monkeypatch.setattr(distributed, "everywhere", lambda own: [own, own | theirs])
    with pytest.raises(error, match=why):
        distributed.check_same(ours)


@pytest.fixture
def train_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{row['text']},{row['label']}\n" for row in rows_of("classify")]
    (tmp_path / "0.csv").write_text("text,label\n" + "".join(lines))
    (tmp_path / "1.csv").write_text("text,label\n" + "".join(lines[:-1]))


@pytest.mark.usefixtures("train_csv")
@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("$RANK.csv", "process 1 reads different training data"),
        ("no.csv", "no.csv: no such file"),
    ],
)
def test_one_line_says_what_is_wrong(models: Path, file: str, why: str) -> None:
    command = (
        f"exec {sys.executable} -m distilcli finetune {file} -o m "
        f"-m {models / 'model'} --device cpu -q"
    )
    finished = run_several("sh", "-c", command, module=None)
    assert [line for line in said(finished) if why in line] == said(finished)
    assert len(said(finished)) == 1
    assert finished.stdout == ""
    assert "exitcode  : 3 " in finished.stderr
    assert not Path("m").exists()
