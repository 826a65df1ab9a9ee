import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from distilcli.errors import InputError, ResourceError, UsageError
from distilcli.model import precision
from distilcli.training.loop import Progress
from tests.training._runs import CONFIG, TRAIN, VALID, Rows, Run, outcome, weights

pytestmark = pytest.mark.slow

TABLE = "distilbert.embeddings.word_embeddings.weight"
# Everything that a state has to remember: dropout, averages, accumulated steps.
RESUMED: dict[str, Any] = {"average": 0.9, "accumulate": 2, "schedule": "cosine"}


class Killed(BaseException):
    """The process is gone."""


def saved(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.folder.path / "model.safetensors")


def at_step(step: int, act: Callable[[], object]) -> Callable[[Progress], None]:
    """Act once, when the step is done."""
    done: list[int] = []

    def on_progress(progress: Progress) -> None:
        if progress.step == step and not done:
            done.append(step)
            act()

    return on_progress


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def kill() -> None:
    raise Killed


def test_a_run_learns(tmp_path: Path) -> None:
    progress: list[tuple[int, float]] = []
    run = Run(
        tmp_path, epochs=12, evaluate_every=None,
        on_progress=lambda p: progress.append((p.step, p.loss)),
    )  # fmt: skip
    summary = run.begin()
    chance = max(VALID.labels.count(0), VALID.labels.count(1)) / len(VALID.labels)
    assert chance < 0.6
    assert summary["best"]["accuracy"] > 0.9
    assert summary["epochs"] == 12
    assert summary["tokens"] == 12 * sum(map(len, TRAIN.pieces))
    assert progress[-1][0] == summary["steps"]
    evaluations = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in evaluations] == list(range(1, 13))
    assert json.loads((tmp_path / "summary.json").read_text()) == summary


def test_two_runs_are_equal_and_another_seed_is_not(tmp_path: Path) -> None:
    runs = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        runs.append(Run(tmp_path / name, seed=seed))
        runs[-1].begin()
    assert outcome(runs[0]) == outcome(runs[1])
    assert saved(runs[0])[TABLE].ne(saved(runs[2])[TABLE]).any()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("unbroken"), **RESUMED)
    run.begin()
    return run


def total_steps(run: Run) -> int:
    steps: int = json.loads((run.folder.path / "summary.json").read_text())["steps"]
    return steps


def test_an_interrupted_run_goes_on_to_the_same_bits(unbroken: Run, tmp_path: Path) -> None:
    last = total_steps(unbroken)
    assert last >= 8
    for step in (1, 3, last // 2 + 1, last - 1, last):
        path = tmp_path / str(step)
        seen: list[int] = []
        with pytest.raises(KeyboardInterrupt):
            Run(path, on_progress=at_step(step, interrupt), **RESUMED).begin()
        again = Run(path, on_progress=lambda p, seen=seen: seen.append(p.step), **RESUMED)
        torch.manual_seed(99)  # whatever was drawn in between
        again.go_on()
        assert outcome(again) == outcome(unbroken)
        assert not seen or min(seen) == step + 1  # no step is done twice


def test_a_run_goes_on_with_as_many_threads_as_it_began_with(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        Run(tmp_path).trainer._save_state()
        for keeps, threads in ((True, 2), (False, 1)):
            run = Run(tmp_path)
            run.trainer._keeps_threads = keeps
            torch.set_num_threads(1)
            run.trainer.resume(run.folder.load_state())
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_a_run_saved_on_the_cpu_goes_on_on_cuda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path, on_progress=at_step(3, interrupt)).begin()
    cuda = torch.device("cuda")
    restored: list[tuple[object, ...]] = []
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *given: restored.append(given))
    run = Run(tmp_path)
    monkeypatch.setattr(run.trainer, "_device", cuda)
    state = run.folder.load_state()
    run.trainer.resume(state)
    assert run.trainer._progress.step == 3
    assert torch.equal(torch.get_rng_state(), state["rng"])
    assert all(
        torch.equal(weight, state["model"][name]) for name, weight in weights(run.model).items()
    )
    # There is no state of CUDA's generator to restore; a run saved on CUDA has one.
    assert restored == []
    run.trainer.resume(state | {"cuda_rng": "state"})
    assert restored == [("state", cuda)]


def test_the_time_of_a_run_is_that_of_all_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Run(tmp_path)
    monkeypatch.setattr(first.trainer, "_began", first.trainer._began - 1_000)
    first.trainer._save_state()
    run = Run(tmp_path)
    assert run.trainer.seconds < 1_000
    run.trainer.resume(run.folder.load_state())
    assert 1_000 <= run.trainer.seconds < 2_000


def test_a_run_interrupted_again_and_again_ends_the_same(unbroken: Run, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path, on_progress=at_step(1, interrupt), **RESUMED).begin()
    for step in range(2, total_steps(unbroken)):
        with pytest.raises(KeyboardInterrupt):
            Run(tmp_path, on_progress=at_step(step, interrupt), **RESUMED).go_on()
    again = Run(tmp_path, **RESUMED)
    again.go_on()
    assert outcome(again) == outcome(unbroken)


def test_a_killed_run_goes_on_from_its_last_evaluation(unbroken: Run, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        Run(tmp_path, on_progress=at_step(5, kill), **RESUMED).begin()
    seen: list[int] = []
    again = Run(tmp_path, on_progress=lambda p: seen.append(p.step), **RESUMED)
    again.go_on()
    assert seen[0] == 4
    assert outcome(again) == outcome(unbroken)


def test_a_kill_at_any_write_leaves_a_model_and_a_state(
    unbroken: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file, calls = Path.replace, [0]

    def counted(self: Path, target: Path) -> Path:
        calls[0] += 1
        if calls[0] == fatal:
            raise Killed
        return replace_file(self, target)

    monkeypatch.setattr(Path, "replace", counted)
    for fatal in range(1, 10):
        calls[0] = 0
        path = tmp_path / str(fatal)
        with pytest.raises(Killed):
            Run(path, **RESUMED).begin()
        calls[0] = 1000
        if (path / "model.safetensors").is_file():
            assert load_file(path / "model.safetensors").keys() == unbroken.start.keys()
        again = Run(path, **RESUMED)
        again.go_on() if (path / "training_state.pt").is_file() else again.begin()
        assert outcome(again) == outcome(unbroken)


def test_a_full_disk_leaves_the_last_good_state(
    unbroken: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = torch.save, [0]

    def full(content: object, file: IO[bytes]) -> None:
        calls[0] += 1
        if calls[0] == 2:
            file.write(b"half of the st")
            raise RuntimeError("PytorchStreamWriter failed writing file: no space left")
        save(content, file)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ResourceError, match=r"training_state.pt: could not be written"):
        Run(tmp_path, **RESUMED).begin()
    assert not list(tmp_path.glob(".*"))
    again = Run(tmp_path, **RESUMED)
    again.go_on()
    assert outcome(again) == outcome(unbroken)


def stubborn(progress: Progress) -> None:
    """Make every later evaluation look no better than the first."""
    if progress.history:
        progress.best = 2.0


def test_early_stopping_ends_a_run_that_no_longer_gets_better(tmp_path: Path) -> None:
    run = Run(tmp_path, epochs=20, early_stopping=2, on_progress=stubborn)
    summary = run.begin()
    assert summary["steps"] == 9
    assert summary["best"]["step"] == 3
    evaluations = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["best"] for line in evaluations] == [True, False, False]


def test_a_run_killed_after_its_last_evaluation_stops_early_all_the_same(tmp_path: Path) -> None:
    unbroken = Run(tmp_path / "a", epochs=20, early_stopping=2, on_progress=stubborn)
    unbroken.begin()

    def die(progress: Progress) -> None:
        stubborn(progress)
        if len(progress.history) == 3:
            raise Killed

    with pytest.raises(Killed):
        Run(tmp_path / "b", epochs=20, early_stopping=2, on_progress=die).begin()
    again = Run(tmp_path / "b", epochs=20, early_stopping=2, on_progress=stubborn)
    again.go_on()
    assert outcome(again) == outcome(unbroken)


def test_the_saved_model_is_the_best_and_not_the_last(tmp_path: Path) -> None:
    best: list[dict[str, torch.Tensor]] = []

    def note(progress: Progress) -> None:
        if len(progress.history) == 1 and not best:
            best.append(weights(run.model))
        stubborn(progress)

    run = Run(tmp_path, on_progress=note)
    run.begin()
    assert all(torch.equal(saved(run)[name], weight) for name, weight in best[0].items())
    assert not torch.equal(weights(run.model)[TABLE], best[0][TABLE])


def gradients_of_a_step(
    path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[Run, list[torch.Tensor]]:
    """The gradients of the first step, before they are clipped."""
    seen: list[torch.Tensor] = []

    def note(parameters: Any, clip: float) -> torch.Tensor:
        if not seen:
            seen.extend(parameter.grad.clone() for parameter in parameters)
        return torch.tensor(1.0)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", note)
    config = replace(CONFIG, dropout=0.0, attention_dropout=0.0, classifier_dropout=0.0)
    run = Run(path, config=config, epochs=1, **options)
    run.begin()
    return run, seen


def test_accumulated_gradients_are_those_of_one_big_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, found = gradients_of_a_step(tmp_path, monkeypatch, accumulate=1000)
    assert len(run.trainer.steps.of_epoch(0)[0]) > 5
    assert len({len(batch) for batch in run.trainer.steps.of_epoch(0)[0]}) > 1
    run.model.load_state_dict(run.start)
    run.model.eval().zero_grad()
    logits = torch.cat([run.model(torch.tensor([piece.input_ids])) for piece in TRAIN.pieces])
    F.cross_entropy(logits, torch.tensor(TRAIN.labels)).backward()
    expected = [parameter.grad for parameter in run.model.parameters()]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_gradients_are_clipped(tmp_path: Path) -> None:
    norms: list[float] = []
    run = Run(tmp_path, clip=1e-3)
    run.trainer._optimizer.register_step_pre_hook(
        lambda *_: norms.append(
            float(torch.cat([p.grad.flatten() for p in run.model.parameters()]).norm())
        )
    )
    run.begin()
    assert max(norms) == pytest.approx(1e-3, rel=1e-3)


def test_what_is_evaluated_and_saved_is_the_average(tmp_path: Path) -> None:
    run = Run(tmp_path, average=0.9, evaluate_every=1, on_progress=at_step(1, interrupt))
    with pytest.raises(KeyboardInterrupt):
        run.begin()
    live = weights(run.model)
    for name, weight in saved(run).items():
        expected = 0.1 * run.start[name] + 0.9 * live[name]  # a young average forgets fast
        torch.testing.assert_close(weight, expected, atol=1e-6, rtol=0)
    assert not torch.equal(saved(run)[TABLE], live[TABLE])


def test_frozen_embeddings_stay_bit_for_bit(tmp_path: Path) -> None:
    run = Run(tmp_path, freeze="embeddings", average=0.9, weight_decay=0.5)
    run.begin()
    for name, weight in saved(run).items():
        assert torch.equal(weight, run.start[name]) == (name == TABLE), name


def test_lower_layers_move_less_under_layer_decay(tmp_path: Path) -> None:
    run = Run(
        tmp_path, layer_decay=0.1, warmup=0.0, weight_decay=0.0, accumulate=1000, epochs=1,
        learning_rate=1e-3,
    )  # fmt: skip
    run.begin()  # one step, in which AdamW moves a weight by its rate
    places = {
        "classifier.weight": 1e-3,
        "distilbert.transformer.layer.1.ffn.lin1.weight": 1e-4,
        "distilbert.transformer.layer.0.ffn.lin1.weight": 1e-5,
        "distilbert.embeddings.position_embeddings.weight": 1e-6,
    }
    for name, rate in places.items():
        moved = (saved(run)[name] - run.start[name]).abs().max().item()
        assert moved == pytest.approx(rate, rel=0.1), name


def test_gradient_checkpointing_learns_the_same(tmp_path: Path) -> None:
    plain = Run(tmp_path / "a")
    plain.begin()
    checkpointed = Run(tmp_path / "b", gradient_checkpointing=True)
    checkpointed.begin()
    assert checkpointed.model.distilbert.transformer.gradient_checkpointing
    for name, weight in saved(plain).items():
        torch.testing.assert_close(saved(checkpointed)[name], weight, atol=1e-4, rtol=0)


def test_bf16_learns_in_bf16_and_keeps_fp32_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    seen: set[torch.dtype] = set()
    run = Run(tmp_path, precision="bf16", epochs=12)
    run.model.classifier.register_forward_hook(
        lambda module, inputs, output: seen.add(output.dtype) if module.training else None
    )
    summary = run.begin()
    assert summary["precision"] == "bf16"
    assert summary["best"]["accuracy"] > 0.8
    assert seen == {torch.bfloat16}
    assert {weight.dtype for weight in saved(run).values()} == {torch.float32}


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path, learning_rate=1e30, evaluate_every=None)
    with pytest.raises(
        UsageError, match=r"^step 2: .* start over with a lower `learning_rate` and `force`"
    ):
        run.begin()
    assert not (tmp_path / "model.safetensors").exists()


def test_a_gradient_that_is_no_number_changes_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    bias = run.model.classifier.bias
    bias.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(UsageError, match=r"^step 1: the loss or its gradient is no longer a"):
        run.begin()
    assert bias.isfinite().all()


def test_a_model_that_diverged_is_not_kept_as_the_best(tmp_path: Path) -> None:
    def spoil(progress: Progress) -> None:
        run.model.classifier.bias.data.fill_(torch.nan)

    run = Run(tmp_path, evaluate_every=1, on_progress=spoil)
    with pytest.raises(UsageError, match=r"^step 1: a score is no longer a number"):
        run.begin()
    assert not (tmp_path / "model.safetensors").exists()


def test_no_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no training rows"):
        Run(tmp_path, train=Rows([], []))
