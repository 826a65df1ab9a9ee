import errno
import re
import shutil
import signal
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from distilcli.errors import ResourceError
from distilcli.interrupt import deferred_interrupt
from distilcli.rows.shard import Shard
from distilcli.training.distill import teacher_pass
from distilcli.training.distill.teacher import Targets, Teacher
from distilcli.training.distill.teacher_cache import CachedTeacher
from tests.training._runs import rows
from tests.training._teaching import Pair, TeachableToy

CPU = torch.device("cpu")
DATA = rows(400, seed=6)  # more than one batch of the pass
LOWEST = torch.finfo(torch.float32).min


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    """A teacher of two layers' hidden states."""
    return Pair(data=DATA, alpha_cos=1.0, alpha_hidden=1.0).teacher


def cached(teacher: Teacher, folder: Path, **settings: Any) -> CachedTeacher:
    return CachedTeacher(teacher, folder, device=CPU, **settings)


def assert_alike(found: Targets, expected: Targets, teacher: Teacher, batch: list[int]) -> None:
    torch.testing.assert_close(found.outputs, expected.outputs, atol=1e-5, rtol=1e-5)
    examples = teacher.objective.examples(batch, epoch=0)
    lengths = torch.tensor([len(piece) for example in examples for piece in example.pieces])
    for ours, theirs in zip(found.hidden_states, expected.hidden_states, strict=True):
        assert ours.shape == theirs.shape
        real = (torch.arange(ours.shape[1])[None] < lengths[:, None])[..., None]
        torch.testing.assert_close(ours * real, theirs * real, atol=2e-3, rtol=1e-3)  # fp16


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("the teacher was asked")


def test_answers_are_those_of_the_teacher(teacher: Teacher, tmp_path: Path) -> None:
    answers = cached(teacher, tmp_path)
    assert answers.dim == teacher.dim
    for batch in ([0], [399, 3, 7], list(range(50, 90)), [5, 5]):
        found, expected = answers.targets(batch, epoch=0), teacher.targets(batch, epoch=0)
        assert len(found.hidden_states) == len(teacher.layers) > 1
        assert_alike(found, expected, teacher, batch)


def test_another_run_asks_the_teacher_nothing(
    teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    first = cached(teacher, tmp_path, on_pass=lambda *done: told.append(done))
    expected = [first.targets([1, 2], epoch=epoch) for epoch in (0, 1)]
    assert told[-1] == (400, 400)
    assert len(told) > 1
    assert told == sorted(told)
    monkeypatch.setattr(teacher, "targets", never)
    again = cached(teacher, tmp_path, on_pass=never)
    for epoch in (0, 1):
        found = again.targets([1, 2], epoch=epoch)
        assert torch.equal(found.outputs, expected[epoch].outputs)
        assert torch.equal(found.hidden_states[0], expected[epoch].hidden_states[0])


def test_outputs_alone_are_kept_where_no_layer_is_wanted(tmp_path: Path) -> None:
    teacher = Pair(alpha_ce=1.0).teacher
    found = cached(teacher, tmp_path).targets([0, 1], epoch=0)
    assert found.hidden_states == []
    torch.testing.assert_close(found.outputs, teacher.targets([0, 1], epoch=0).outputs)
    assert (tmp_path / "epoch-0-fp32" / "hidden.bin").stat().st_size == 0


def test_a_pass_in_another_precision_serves_where_there_is_no_other(
    teacher: Teacher, tmp_path: Path
) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = cached(teacher, tmp_path / "a").targets([0, 1], epoch=0)
    exact = cached(teacher, tmp_path / "b").targets([0, 1], epoch=0)
    assert not torch.equal(rough.outputs, exact.outputs)
    torch.testing.assert_close(rough.outputs, exact.outputs, atol=0.2, rtol=0.1)
    # What `auto` finds faster may differ from run to run; a pass over the rows costs hours.
    found = cached(teacher, tmp_path / "a").targets([0, 1], epoch=0)
    assert torch.equal(found.outputs, rough.outputs)
    (tmp_path / "b" / "epoch-0-fp32").rename(tmp_path / "a" / "epoch-0-fp32")
    found = cached(teacher, tmp_path / "a").targets([0, 1], epoch=0)
    assert torch.equal(found.outputs, exact.outputs)


class VaryingToy(TeachableToy):
    """Rows that lose their first token in odd epochs."""

    varies = True

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[Any]:
        examples = super().examples(indices, epoch=epoch)
        if epoch % 2:
            for example in examples:
                (piece,) = example.pieces
                example.pieces = [type(piece)(piece.input_ids[1:])]
        return examples


def test_each_epoch_of_varying_rows_has_a_pass_of_its_own(tmp_path: Path) -> None:
    pair = Pair(alpha_cos=1.0)
    model = pair.teacher_model
    objective = VaryingToy(model, rows(10, seed=1))
    teacher = Teacher(model, objective, layers=pair.teacher.layers)
    answers = cached(teacher, tmp_path)
    for epoch in (0, 1, 0, 2):
        found, expected = (who.targets([2, 3], epoch=epoch) for who in (answers, teacher))
        torch.testing.assert_close(found.outputs, expected.outputs, atol=1e-5, rtol=1e-5)
        assert found.hidden_states[0].shape == expected.hidden_states[0].shape
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"epoch-{epoch}-fp32" for epoch in range(3)
    ]


def varying(count: int) -> Teacher:
    """A teacher whose rows read otherwise in every epoch."""
    pair = Pair(alpha_cos=1.0)
    objective = VaryingToy(pair.teacher_model, rows(count, seed=1))
    return Teacher(pair.teacher_model, objective, layers=pair.teacher.layers)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.bin"))


def test_what_the_answers_take_is_known_before(teacher: Teacher, tmp_path: Path) -> None:
    for name, who, epochs, passes in (("a", teacher, 3, 1), ("b", varying(200), 4, 4)):
        answers = cached(who, tmp_path / name, epochs=epochs)
        assert not (tmp_path / name).exists()
        for epoch in range(passes):
            answers.targets([0], epoch=epoch)
        assert answers.bytes_to_keep == pytest.approx(size_of(tmp_path / name), rel=0.1)
        assert cached(who, tmp_path / name, epochs=epochs).bytes_to_keep == 0
    shutil.rmtree(tmp_path / "b" / "epoch-2-fp32")
    left = cached(who, tmp_path / "b", epochs=4).bytes_to_keep
    assert left == pytest.approx(answers.bytes_to_keep / 4, rel=0.01)


def test_answers_for_which_the_disk_has_no_room_are_refused_before_the_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = varying(200)
    needed = cached(teacher, tmp_path / "kept" / "key", epochs=4).bytes_to_keep
    asked = []

    def usage(path: Path) -> Any:
        asked.append(path)
        return SimpleNamespace(free=needed - 1)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(ResourceError) as caught:
        cached(teacher, tmp_path / "kept" / "key", epochs=4)
    assert re.fullmatch(
        r".*/kept: the teacher's outputs would take about [\d.]+ MB \([\d.]+ MB for each of 4 "
        r"epochs\), and [\d.]+ MB are free; use a `teacher_cache` with more room, or "
        r"none",
        str(caught.value),
    )
    assert asked == [tmp_path]  # the nearest folder that there is
    assert list(tmp_path.iterdir()) == []
    cached(teacher, tmp_path / "kept" / "key", epochs=3)


class PlacesToy(TeachableToy):
    """Two outputs for each row, each with a column for each token but the last one."""

    def units(self, example: Any) -> int:
        return 2

    def outputs(self, model: Any, batch: Any, examples: Any) -> Tensor:
        states = model.distilbert(batch.input_ids, batch.attention_mask).float()
        columns = torch.arange(states.shape[1])
        lengths = torch.tensor([len(piece) for piece in batch.pieces])
        impossible = columns[None] >= lengths[:, None] - 1
        return states[..., :2].masked_fill(impossible[..., None], LOWEST).mT.flatten(0, 1)


def test_columns_that_padding_brought_are_not_kept(tmp_path: Path) -> None:
    pair = Pair(data=DATA, alpha_ce=1.0)
    objective = PlacesToy(pair.teacher_model, DATA)
    teacher = Teacher(pair.teacher_model, objective, layers=())
    answers = cached(teacher, tmp_path)
    for batch in ([0], [3, 4, 5], [9, 1]):
        found, student = (who.targets(batch, epoch=0).outputs for who in (answers, teacher))
        lengths = [len(DATA.pieces[index]) for index in batch]
        assert found.shape == (2 * len(batch), max(lengths) - 1)
        torch.testing.assert_close(found, student[:, :-1], atol=1e-5, rtol=1e-5)
        # A student, which has all columns, learns nothing else from them.
        logits = student + torch.linspace(0, 1, student.shape[1])
        torch.testing.assert_close(
            objective.soft_loss(logits, found, 2.0), objective.soft_loss(logits, student, 2.0)
        )
    size = (tmp_path / "epoch-0-fp32" / "outputs.bin").stat().st_size
    assert size == sum(2 * 4 * (len(piece) - 1) for piece in DATA.pieces)


def interrupt(done: int, _: int) -> None:
    """Leave at once, when some batches are done."""
    if 150 < done < 300:
        raise KeyboardInterrupt


@pytest.mark.parametrize("defers", [True, False], ids=["between batches", "at once"])
def test_a_pass_that_is_interrupted_stops_soon_and_is_gone_on_with(
    teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defers: bool
) -> None:
    monkeypatch.setattr(teacher_pass, "_PASS_BUDGET", 400)
    told: list[int] = []

    def on_pass(done: int, all_: int) -> None:
        told.append(done)
        if not defers:
            interrupt(done, all_)
        elif 150 < done < 300:
            signal.raise_signal(signal.SIGINT)

    broken = cached(teacher, tmp_path / "a", on_pass=on_pass)
    with pytest.raises(KeyboardInterrupt), deferred_interrupt() if defers else nullcontext():
        broken.targets([0], epoch=0)
    assert 150 < told[-1] < 300
    assert told[-2] <= 150  # not a batch more
    assert not (tmp_path / "a" / "epoch-0-fp32" / "index.npy").exists()
    asked: list[int] = []
    targets = teacher.targets

    def counted(indices: Sequence[int], *, epoch: int) -> Targets:
        asked.extend(indices)
        return targets(indices, epoch=epoch)

    whole = cached(teacher, tmp_path / "b").targets([0, 1], epoch=0)
    monkeypatch.setattr(teacher, "targets", counted)
    again = cached(teacher, tmp_path / "a", on_pass=lambda done, _: told.append(done))
    asked.clear()  # of those that told the size
    found = again.targets([0, 1], epoch=0)
    assert torch.equal(found.outputs, whole.outputs)
    assert len(asked) == len(set(asked)) == 400 - (told[-1] - len(asked))
    assert told[-1] == 400
    assert len(asked) < 260
    for name in ("outputs.bin", "hidden.bin", "index.npy"):
        one, other = (tmp_path / run / "epoch-0-fp32" / name for run in ("a", "b"))
        assert one.read_bytes() == other.read_bytes()
    assert not (tmp_path / "a" / "epoch-0-fp32" / "unfinished.npz").exists()


def test_a_pass_is_gone_on_with_only_where_its_files_are_whole(
    teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher_pass, "_PASS_BUDGET", 400)
    with pytest.raises(KeyboardInterrupt):
        cached(teacher, tmp_path, on_pass=interrupt).targets([0], epoch=0)
    hidden = tmp_path / "epoch-0-fp32" / "hidden.bin"
    hidden.write_bytes(hidden.read_bytes()[:-1])
    found = cached(teacher, tmp_path).targets([0, 1], epoch=0)
    assert_alike(found, teacher.targets([0, 1], epoch=0), teacher, [0, 1])


def test_a_pass_that_was_killed_is_made_anew(
    teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(done: int, _: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        cached(teacher, tmp_path, on_pass=kill).targets([0], epoch=0)
    assert (tmp_path / "epoch-0-fp32" / "outputs.bin").exists()
    told: list[int] = []
    again = cached(teacher, tmp_path, on_pass=lambda done, _: told.append(done))
    found = again.targets([0, 1], epoch=0)
    assert told[-1] == 400
    assert_alike(found, teacher.targets([0, 1], epoch=0), teacher, [0, 1])


@pytest.mark.parametrize("what", ["_write", "np.save"])
def test_a_full_disk_leaves_nothing_behind(
    teacher: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"{teacher_pass.__name__}.{what}", full)
        with pytest.raises(ResourceError, match="No space left on device; use a `teacher_cache`"):
            cached(teacher, tmp_path).targets([0], epoch=0)
    assert list(tmp_path.iterdir()) == []
    found = cached(teacher, tmp_path).targets([0], epoch=0)
    assert_alike(found, teacher.targets([0], epoch=0), teacher, [0])


def test_a_folder_that_cannot_be_made_is_named(teacher: Teacher, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="fp32: the teacher's outputs could not be"):
        cached(teacher, tmp_path / "file").targets([0], epoch=0)


def test_two_runs_do_not_write_the_same_answers(teacher: Teacher, tmp_path: Path) -> None:
    said: list[str] = []

    def another_run(done: int, _: int) -> None:
        if not said:
            with pytest.raises(ResourceError) as caught:
                cached(teacher, tmp_path / "key").targets([0], epoch=0)
            said.append(str(caught.value))

    found = cached(teacher, tmp_path / "key", on_pass=another_run).targets([0, 1], epoch=0)
    assert "; ".join(said) == (
        f"{tmp_path}: another run is writing there; wait for it, or use another `teacher_cache`"
    )
    assert_alike(found, teacher.targets([0, 1], epoch=0), teacher, [0, 1])


def test_shards_of_a_pass_give_the_outputs_of_the_whole(teacher: Teacher, tmp_path: Path) -> None:
    whole, parts = cached(teacher, tmp_path / "whole"), tmp_path / "parts"
    batch = [0, 133, 134, 399, 7, 266]
    expected = whole.targets(batch, epoch=0)
    told: list[tuple[int, int]] = []
    for index in (2, 0, 1):
        shard = Shard(index, 3)
        cached(teacher, parts, on_pass=lambda *done: told.append(done)).fill(0, shard)
        cached(teacher, parts, on_pass=never).fill(0, shard)  # it is there
    assert [done for done in told if done[0] == done[1]] == [(134, 134), (133, 133), (133, 133)]
    found = cached(teacher, parts, on_pass=never).targets(batch, epoch=0)
    torch.testing.assert_close(found.outputs, expected.outputs)
    for ours, theirs in zip(found.hidden_states, expected.hidden_states, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=1e-3)


def test_a_run_makes_the_shards_that_are_missing(teacher: Teacher, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    cached(teacher, tmp_path).fill(0, Shard(1, 4))
    cached(teacher, tmp_path).fill(0, Shard(0, 2))
    found = cached(teacher, tmp_path, on_pass=lambda *done: told.append(done))
    assert_alike(
        found.targets([0, 399], epoch=0), teacher.targets([0, 399], epoch=0), teacher, [0, 399]
    )
    assert told[-1] == (200, 200)  # the other half; there were three quarters to make otherwise
    folder = tmp_path / "epoch-0-fp32"
    assert sorted(path.parent.name for path in folder.glob("*/index.npy")) == [
        "0-of-2", "1-of-2", "1-of-4",
    ]  # fmt: skip
