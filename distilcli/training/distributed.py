"""What the processes of a run tell each other; nothing else knows torch.distributed.

torchrun starts the processes. Each has the whole model and all rows. They share the batches of
every step, so that a run takes the same steps in any number of processes, and ends with the same
model up to rounding. A process that is alone gets from each function here what it gave.
"""

import itertools
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from distilcli import processes
from distilcli.errors import InputError, ResourceError, UsageError
from distilcli.interrupt import EXIT_INTERRUPTED, Interrupted, is_stop_asked, stop_if_asked

T = TypeVar("T")

# Longer than a step of another process that is well, or than the first one takes to save. A process
# that ends is noticed at once.
_PATIENCE = timedelta(minutes=10)
_ROWS = " data"  # how the names of digests of rows end
_LOST = ("gloo", "NCCL", "ProcessGroup")

_group: list[dist.ProcessGroup] = []
_runs, _meetings = itertools.count(), itertools.count()
_parts: list[int] = []
"""Among how many processes the present step is divided; empty outside a step."""


class ProcessLostError(ResourceError):
    """Another process of the run has ended, or does not answer."""


def count() -> int:
    """Return how many processes take part."""
    return _group[0].size() if _group else 1


def _rank() -> int:
    return _group[0].rank() if _group else 0


def is_first() -> bool:
    """Say whether this process writes what the run leaves."""
    return _rank() == 0


def join() -> None:
    """Wait for the other processes that torchrun has started, if there are any.

    Raises `ProcessLostError` if one does not come.
    """
    if _group or processes.count() == 1:
        return
    if processes.are_on_one_machine():
        # gloo takes the address of the host name, which need not lead anywhere.
        names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
        os.environ.setdefault("GLOO_SOCKET_IFNAME", names[0])
    with translated_errors():
        if not dist.is_initialized():  # by the program that calls this
            backend = "cpu:gloo,cuda:nccl" if dist.is_nccl_available() else "gloo"
            dist.init_process_group(
                backend,
                store=_store(f"run {next(_runs)}"),
                rank=processes.rank(),
                world_size=processes.count(),
                timeout=_PATIENCE,
            )
    assert dist.group.WORLD is not None  # noqa: S101
    _group.append(dist.group.WORLD)


def leave() -> None:
    """Let each process go on alone, once nothing is shared any more."""
    if _group:
        _group.clear()
        dist.destroy_process_group()


def _store(name: str) -> PrefixStore:
    """Return what torchrun keeps for all processes, even for those that have not joined."""
    return PrefixStore(f"distil/{name}", _connection())


@cache
def _connection() -> Store:
    store: Store
    store, _, _ = next(rendezvous("env://", timeout=_PATIENCE))
    return store


def first_failure(exit_code: int) -> tuple[bool, int]:
    """Note that this process fails; say whether it is the first, and with what the first ended."""
    own = f"{processes.rank()} {exit_code}"
    try:
        found = _store("failure").compare_set("first", "", own).decode()
    except RuntimeError:  # torchrun is gone, and with it all that could be told
        return processes.is_first(), exit_code
    return found == own, int(found.split()[1])


def _is_interrupted() -> bool:
    """Say whether a signal has ended the first process that failed."""
    try:
        store = _store("failure")
        return store.check(["first"]) and store.get("first").endswith(
            str(EXIT_INTERRUPTED).encode()
        )
    except RuntimeError:
        return False


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise `ProcessLostError` for what torch raises if another process has ended.

    If a signal has ended it, or has come here too, it is `Interrupted`.
    """
    try:
        yield
    except RuntimeError as error:
        said = str(error)
        if not isinstance(error, dist.DistError) and not any(name in said for name in _LOST):
            raise
        stop_if_asked()
        if _is_interrupted():
            raise Interrupted from None
        raise _lost() from error


def _lost() -> ProcessLostError:
    return ProcessLostError(
        "another process of this run has ended, or does not answer; torchrun names the first one "
        "that failed"
    )


def own_device(name: str) -> str:
    """Return the device of this process for a setting: each has a GPU of its own.

    Raises `UsageError` for a single device that several processes would share, `ResourceError` if
    a machine has fewer GPUs than processes.
    """
    if count() == 1 or name == "cpu":
        return name
    if name not in {"auto", "cuda"}:
        raise UsageError(f"`device` {name} is for a single process; with several give cpu or cuda")
    if not torch.cuda.is_available():
        return "cpu" if name == "auto" else name
    gpus, number = torch.cuda.device_count(), processes.rank_on_machine()
    if number >= gpus:
        raise ResourceError(
            f"process {number + 1} on this machine has no GPU (there are {gpus}); start at most "
            f"{gpus} processes here, or use `device` cpu"
        )
    torch.cuda.set_device(number)
    return name


def check_same(values: Mapping[str, object]) -> None:
    """Raise `InputError` if the processes read other rows, `UsageError` for other settings."""
    found = everywhere(dict(values))
    for number, theirs in enumerate(found):
        other = [name for name in values if theirs.get(name) != found[0].get(name)]
        # Rows that are set aside depend on settings.
        if settings := [name for name in other if not name.endswith(_ROWS)]:
            raise UsageError(
                f"process {number} has a different {', '.join(settings)} from process 0; give "
                "all processes the same settings and models"
            )
        if other:
            raise InputError(
                f"process {number} reads different {' and '.join(other)} from process 0; give "
                "all processes the same rows"
            )


def of_first(value: T) -> T:
    """Return the value of the first process."""
    if count() == 1:
        return value
    values = [value if is_first() else None]
    dist.broadcast_object_list(values, src=0)
    return values[0]  # type: ignore[return-value]


def share(items: Sequence[T]) -> Sequence[T]:
    """Return the items of which this process takes care; `joined` puts the results together."""
    return items[_rank() :: count()]


def joined(results: list[T]) -> list[T]:
    """Return the results of all items in order, from those of each process's share."""
    if count() == 1:
        return results
    wait_for_all()
    shares = everywhere(results)
    return [shares[index % count()][index // count()] for index in range(sum(map(len, shares)))]


def everywhere(value: T) -> list[T]:
    """Return the values of all processes."""
    if count() == 1:
        return [value]
    values: list[Any] = [None] * count()
    dist.all_gather_object(values, value)
    return values


def merged(filled: Tensor) -> Tensor:
    """Return a tensor to which each process has filled in its own part, and zeros elsewhere."""
    if count() > 1:
        wait_for_all()
        dist.all_reduce(filled)
    return filled


def wait_for_all() -> None:
    """Wait, however long, until all processes have come here.

    Raises `ProcessLostError` if one has failed, `Interrupted` after a signal.
    """
    if count() == 1:
        return
    store, failure = _store(f"meeting {next(_meetings)}"), _store("failure")
    here, pause = store.add("here", 1), 0.001
    while here < count():
        stop_if_asked()
        if failure.check(["first"]):
            raise _lost()
        time.sleep(pause)
        here, pause = store.add("here", 0), min(0.2, 2 * pause)


def copy_first(tensors: Sequence[Tensor]) -> None:
    """Overwrite tensors with those of the first process."""
    if count() > 1:
        for tensor in tensors:
            dist.broadcast(tensor.detach(), src=0)


def stop_if_any_is_asked() -> None:
    """Raise `Interrupted` in all processes if a signal waits in one; see `stop_if_asked`."""
    if count() > 1:
        asked = torch.tensor(int(is_stop_asked()))
        dist.all_reduce(asked)
        if asked:
            raise Interrupted
    stop_if_asked()


def replicated(module: nn.Module, *, reaches_all: bool) -> nn.Module:
    """Return a module whose gradients are averaged over all processes in the backward pass.

    It starts from the weights of the first process. Frozen parameters are not sent. If the loss
    does not reach all others, as `reaches_all` says, those without a gradient are looked for in
    every step.
    """
    if count() == 1:
        return module
    return DistributedDataParallel(
        module,
        gradient_as_bucket_view=True,
        find_unused_parameters=not reaches_all,
    )


def gradients_kept(module: nn.Module, *, until_last: bool) -> AbstractContextManager[object]:
    """Let the gradients of a batch wait for those of the step's last one before they are sent."""
    if until_last and isinstance(module, DistributedDataParallel):
        return module.no_sync()
    return nullcontext()


def seed_step(seed: int, step: int) -> None:
    """Seed what is random in a step, for each process otherwise: dropout.

    A process that is alone draws on, from the state that a run saves.
    """
    if count() > 1:
        torch.manual_seed(int(np.random.SeedSequence((seed, step, _rank())).generate_state(1)[0]))


@contextmanager
def divided(batches: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Yield this process's part of each batch of a step.

    Batches are sorted by length, so every n-th row makes parts of nearly the same size; who gets
    the odd row changes from batch to batch. If a batch has fewer rows than there are processes,
    each of them reads the whole step as if it were alone, and their gradients are the same.
    """
    n, rank = count(), _rank()
    is_divided = min(map(len, batches)) >= n
    _parts.append(n if is_divided else 1)
    try:
        if is_divided:
            yield [batch[(rank + number) % n :: n] for number, batch in enumerate(batches)]
        else:
            yield list(batches)
    finally:
        _parts.pop()


def parts() -> int:
    """Return among how many processes the present step is divided."""
    return _parts[-1] if _parts else 1


def summed(*numbers: float) -> tuple[float, ...]:
    """Return sums over the parts of a step."""
    if parts() == 1:
        return numbers
    sums = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(sums)
    return tuple(sums.tolist())


def whole(part: Tensor) -> Tensor:
    """Return the rows (B, ...) of all parts of a batch, in the same order in each process.

    Gradients flow back to the part that each row is from: a loss that compares rows is then the
    sum of what each process computes for its own.
    """
    if parts() == 1:
        return part
    rows: Tensor = _Whole.apply(part)  # type: ignore[no-untyped-call]
    return rows


class _Whole(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        counts = torch.zeros(count(), dtype=torch.int64)
        counts[_rank()] = len(part)
        dist.all_reduce(counts)
        first = int(counts[: _rank()].sum())
        ctx.own = slice(first, first + len(part))
        rows = part.new_zeros(int(counts.sum()), *part.shape[1:])
        rows[ctx.own] = part
        dist.all_reduce(rows)
        return rows

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient[ctx.own]
