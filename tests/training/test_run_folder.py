import contextlib
import itertools
import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.checkpoint.folder import STATE_NAME, TOKENIZER_NAMES, describe_folder
from distilcli.checkpoint.sentence_transformers import SENTENCE_NAMES
from distilcli.errors import ModelError, ResourceError, UsageError
from distilcli.model.heads import SequenceClassifier
from distilcli.model.loading import load_model
from distilcli.training.run_folder import RunFolder
from tests.training._runs import CONFIG

FINGERPRINT = {"model": "m", "training data": "abc", "learning_rate": 0.1, "early_stopping": None}


def folder(
    path: Path, *files: Path, companions: dict[str, Any] | None = None, **changes: Any
) -> RunFolder:
    return RunFolder(
        path, fingerprint=FINGERPRINT | changes, tokenizer_files=files, companions=companions
    )


def test_a_new_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    folder(tmp_path / "a" / "b").create(force=False)
    assert (tmp_path / "a" / "b").is_dir()
    folder(tmp_path / "a" / "b").create(force=False)  # an empty one is as good


def test_a_folder_that_holds_something_needs_force(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"is not empty; use `force` to replace"):
        folder(tmp_path).create(force=False)
    (tmp_path / STATE_NAME).touch()
    with pytest.raises(UsageError, match=r"is not empty; use `resume` to go on, `force`"):
        folder(tmp_path).create(force=False)


def test_force_forgets_the_run_that_was_there_and_nothing_else(tmp_path: Path) -> None:
    for name in (
        STATE_NAME,
        "config.toml",
        "metrics.jsonl",
        "summary.json",
        "README.md",
        "notes.txt",
    ):
        (tmp_path / name).touch()
    folder(tmp_path).create(force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(UsageError, match="there is no interrupted run"):
        folder(tmp_path).load_state()


def test_force_leaves_the_model_that_was_there_whole_until_there_is_another(
    tmp_path: Path,
) -> None:
    first = folder(tmp_path, companions={"modules.json": []})
    first.create(force=False)
    first.save_best(model_of(1))
    before = model_files(tmp_path)
    assert any(name.endswith("modules.json") for name in before)
    again = folder(tmp_path)
    again.create(force=True)
    assert model_files(tmp_path) == before
    again.save_best(model_of(1))
    assert not (tmp_path / "modules.json").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(UsageError, match="is a file; name a folder"):
        folder(tmp_path / "x").create(force=True)
    with pytest.raises(ResourceError, match="cannot be created"):
        folder(tmp_path / "x" / "y").create(force=False)


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    state = {"a": torch.arange(3.0), "b": {"c": [1, None, "x"]}}
    folder(tmp_path).save_state(state, [{"step": 1}, {"step": 2}])
    found = folder(tmp_path).load_state()
    assert torch.equal(found["a"], state["a"])
    assert found["b"] == state["b"]
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'
    assert {path.name for path in tmp_path.iterdir()} == {STATE_NAME, "metrics.jsonl"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"learning_rate": 0.2}, "learning_rate"),
        ({"model": "n", "early_stopping": 1}, "early_stopping, model"),
        ({"training data": "abd"}, "training data"),
        ({"new option": 1}, "new option"),
    ],
)
def test_another_run_is_refused_by_what_is_different(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    folder(tmp_path).save_state({}, [])
    with pytest.raises(UsageError, match=f"was started with another {named}; repeat"):
        folder(tmp_path, **changes).load_state()


def test_what_is_finished_cannot_be_resumed(tmp_path: Path) -> None:
    run = folder(tmp_path)
    run.save_state({}, [])
    run.finish({"steps": 3})
    with pytest.raises(UsageError, match="the run is finished, nothing to resume"):
        run.load_state()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file", b"\x80\x02garbage"])
def test_a_damaged_state_is_refused_in_a_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATE_NAME).write_bytes(content)
    with pytest.raises(ModelError, match=f"{STATE_NAME}: cannot be read") as caught:
        folder(tmp_path).load_state()
    assert "\n" not in str(caught.value)


def test_a_file_of_something_else_is_no_state(tmp_path: Path) -> None:
    torch.save({"weights": torch.ones(1)}, tmp_path / STATE_NAME)
    with pytest.raises(ModelError, match="is not the saved state of a run"):
        folder(tmp_path).load_state()


def test_the_best_model_replaces_the_one_before_with_its_tokenizer(tmp_path: Path) -> None:
    run_path, source = tmp_path / "run", tmp_path / "source"
    run_path.mkdir()
    source.mkdir()
    (source / "vocab.txt").write_text("new")
    (run_path / "vocab.txt").write_text("old")
    (run_path / "tokenizer.json").write_text("old")  # would be preferred to vocab.txt
    (run_path / ".saving").mkdir()
    (run_path / ".saving" / "tokenizer.json").write_text("of a run that was killed")
    run = folder(run_path, source / "vocab.txt")
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = SequenceClassifier(CONFIG)
        run.save_best(model)
    found = load_model(describe_folder("m", run_path), SequenceClassifier).model
    for name, weight in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], weight)
    assert (run_path / "vocab.txt").read_text() == "new"
    assert {path.name for path in run_path.iterdir()} == {
        "config.json", "model.safetensors", "vocab.txt",
    }  # fmt: skip


def test_a_model_that_cannot_be_saved_is_an_error_of_resources(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="the model could not be saved"):
        folder(tmp_path / "missing").save_best(SequenceClassifier(CONFIG))
    with pytest.raises(ResourceError, match=r"summary.json: could not be written"):
        folder(tmp_path / "missing").finish({})


class Killed(BaseException):
    """The end of the process, as far as a folder can tell."""


class Faults:
    """Lets so many changes of a folder pass (renames, removals), and then none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: float = math.inf
        for name in ("replace", "unlink"):
            monkeypatch.setattr(Path, name, self._counted(getattr(Path, name)))

    def _counted(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def counted(path: Path, *arguments: Any, **options: Any) -> Any:
            if self.left < 1:
                raise Killed
            self.left -= 1
            return change(path, *arguments, **options)

        return counted


def model_of(seed: int, **changes: Any) -> SequenceClassifier:
    torch.manual_seed(seed)
    return SequenceClassifier(replace(CONFIG, **changes))


def model_files(path: Path) -> dict[str, bytes]:
    """All of a folder that makes its model."""
    names = {"model.safetensors", "config.json", *TOKENIZER_NAMES, *SENTENCE_NAMES}
    return {str(p): p.read_bytes() for p in path.rglob("*") if p.name in names}


@pytest.mark.slow
@pytest.mark.parametrize("other", [False, True], ids=["same run", "model of another kind"])
def test_a_kill_while_the_best_model_is_replaced_never_mixes_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: bool
) -> None:
    (tmp_path / "vocab.txt").write_text("one")
    (tmp_path / "tokenizer.json").write_text("two")
    old, new = model_of(1), model_of(2, labels=("a", "b")) if other else model_of(2)
    recipe = {"modules.json": [], "1_Pooling/config.json": {"mode": "cls"}}
    old_run = folder(tmp_path / "run", tmp_path / "tokenizer.json", companions=recipe)
    new_run = folder(
        tmp_path / "run",
        tmp_path / ("vocab.txt" if other else "tokenizer.json"),
        companions={"1_Pooling/config.json": {"mode": "mean"}} if other else recipe,
    )
    faults = Faults(monkeypatch)
    stayed = []  # after a kill at each change in turn: is the old model there, whole?
    for count in itertools.count():
        faults.left = math.inf
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        old_run.create(force=True)
        old_run.save_best(old)
        before = model_files(tmp_path / "run")
        faults.left = count
        try:
            new_run.save_best(new)
        except Killed:
            stayed.append(model_files(tmp_path / "run") == before)
            if not stayed[-1]:
                with pytest.raises(ModelError, match="no weights"):
                    describe_folder("m", tmp_path / "run")
        else:
            break
        faults.left = math.inf
        new_run.save_best(new)  # the next attempt is none the worse for it
        check_model(tmp_path / "run", new)
    check_model(tmp_path / "run", new)
    assert not (tmp_path / "run" / ("tokenizer.json" if other else "vocab.txt")).exists()
    assert (tmp_path / "run" / "modules.json").exists() is not other
    pooling = json.loads((tmp_path / "run" / "1_Pooling" / "config.json").read_text())
    assert pooling == {"mode": "mean" if other else "cls"}
    assert len(stayed) >= 2
    assert stayed[0]
    assert all(stayed) is not other


def check_model(path: Path, model: SequenceClassifier) -> None:
    found = load_model(describe_folder("m", path), SequenceClassifier).model
    assert found.config.labels == model.config.labels
    for name, weight in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], weight)


@contextlib.contextmanager
def full_disk(size: int = 100) -> Iterator[None]:
    """Let no file grow above `size` bytes."""
    resource = pytest.importorskip("resource", reason="limits of a process are a matter of POSIX")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


SAVES: dict[str, Callable[[RunFolder, int], None]] = {
    "state": lambda run, n: run.save_state({"n": torch.full((500,), n)}, [{"step": n}]),
    "config": lambda run, n: run.save_config(f"n = {n}\n" * 100),
    "model": lambda run, n: run.save_best(model_of(n)),
    "card": lambda run, n: run.finish({"n": n}, card=f"{n}\n" * 100),
    "summary": lambda run, n: run.finish({"n": [n] * 100}),
}


@pytest.mark.parametrize("save", SAVES.values(), ids=SAVES.keys())
def test_a_full_disk_leaves_the_last_good_state(
    tmp_path: Path, save: Callable[[RunFolder, int], None]
) -> None:
    run = folder(tmp_path / "run")
    run.create(force=False)
    save(run, 1)
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    with full_disk(), pytest.raises(ResourceError, match="could not be") as caught:
        save(run, 2)
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before
    save(run, 2)
    assert {path.name for path in run.path.iterdir()} == before.keys()


@pytest.mark.parametrize("was_there", [False, True])
def test_a_run_that_saved_nothing_leaves_no_folder_to_clear(
    tmp_path: Path, was_there: bool
) -> None:
    path = tmp_path / "run"
    if was_there:
        path.mkdir()
    run = folder(path)
    run.create(force=False)
    run.save_config("n = 1\n")
    run.clear_if_useless()
    assert path.exists() == was_there
    run.create(force=False)


@pytest.mark.parametrize("save", ["state", "model"])
def test_what_a_run_has_saved_stays_with_its_settings(tmp_path: Path, save: str) -> None:
    run = folder(tmp_path / "run")
    run.create(force=False)
    run.save_config("n = 1\n")
    SAVES[save](run, 1)
    before = {path.name for path in run.path.iterdir()}
    run.clear_if_useless()
    assert {path.name for path in run.path.iterdir()} == before


def test_what_a_person_reads_is_there_at_the_end(tmp_path: Path) -> None:
    run = folder(tmp_path)
    run.save_config("seed = 1\n")
    run.save_state({}, [{"step": 1}])
    run.finish({"steps": 1}, card="# ünder\n")
    assert {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()} == {
        "config.toml": "seed = 1\n",
        "metrics.jsonl": '{"step": 1}\n',
        "summary.json": '{\n  "steps": 1\n}\n',
        "README.md": "# ünder\n",
    }
