"""Worker threads, each of which runs one batch at a time.

On the CPU there is one worker per core, and each keeps its kernels to one thread: parallel batches
use the cores better than one batch spread over them, and torch releases the GIL while it computes.
A lone batch, as on a live pipe, is run by the thread that waits for it, with all cores; so the last
bits of its outputs may depend on the number of cores. In a file that is only one that is all there
is: see `Feeder`. When memory runs out, a batch is halved and tried again, and
later ones keep to the size that fitted.

With `one_by_one`, each sequence of a batch runs by itself on one thread, so that the bits of its
outputs depend on nothing else.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import KW_ONLY, dataclass
from queue import SimpleQueue

import torch

from distilcli.engine.batching import Batch, Piece, pad, padded_size
from distilcli.engine.window import AnyWindow
from distilcli.errors import ResourceError
from distilcli.interrupt import stop_if_asked
from distilcli.memory import is_allocation_failure
from distilcli.model.threads import use_one_core
from distilcli.stats import RunStats

_Jobs = SimpleQueue[tuple[AnyWindow, list[int]] | None]

_CUDA_WORKERS = 2
_POLL_SECONDS = 0.2  # Windows delivers Ctrl-C only between waits


def workers_on(*devices: torch.device, cores: int) -> int:
    """Return how many batches run in parallel on devices: on the CPU one on each of `cores`.

    A CUDA device gets two workers: one prepares its batch while the device runs the other's.
    """
    on_one = {"cpu": cores, "cuda": _CUDA_WORKERS}
    return sum(on_one.get(device.type, 1) for device in devices)


@dataclass(eq=False)
class Workers:
    """`count` threads that run the pieces of windows through `forward`.

    The threads take turns over the `devices`, and each takes the next batch as soon as it is free.
    `max_tokens` is what fits on some device: each keeps to less once a batch did not fit in its
    memory. With `one_by_one` a batch is only the work that a worker takes at a time.
    """

    forward: Callable[[Batch], Sequence[object]]
    _: KW_ONLY
    count: int
    devices: Sequence[torch.device]
    pad_token_id: int
    max_tokens: int
    stats: RunStats
    one_by_one: bool = False

    def __post_init__(self) -> None:
        self._pending = 0  # batches waiting or running
        self._jobs: _Jobs = SimpleQueue()
        self._closed = False
        self._failure: BaseException | None = None  # of a thread that could not start
        self._lock = threading.Lock()
        self._fitting = dict.fromkeys(self.devices, self.max_tokens)
        self._threads = [
            threading.Thread(
                target=self._work,
                args=[self.devices[index % len(self.devices)]],
                name=f"distil-worker-{index}",
                daemon=True,
            )
            for index in range(self.count)
        ]
        self._ready = threading.Barrier(self.count + 1)

    def start(self) -> None:
        """Start the threads; torch's number of threads stays the same elsewhere.

        Raises `ResourceError` if the system does not allow that many, or what a thread raises
        before it can take work.
        """
        threads = torch.get_num_threads()
        try:
            for thread in self._threads:
                thread.start()
        except (RuntimeError, MemoryError):
            started = sum(thread.is_alive() for thread in self._threads)
            raise ResourceError(
                f"only {started:,} of {len(self._threads):,} threads could be started; "
                "use fewer `threads`"
            ) from None
        try:
            self._ready.wait()
        except threading.BrokenBarrierError:
            if self._failure is None:
                raise
            raise self._failure from None
        # A worker's setting also becomes the default of new threads.
        torch.set_num_threads(threads)

    def submit(
        self, window: AnyWindow, batches: Sequence[list[int]], *, alone: bool | None = None
    ) -> None:
        """Queue batches of a window, each as the positions of its pieces.

        A single batch is left to the thread that waits for the window if the batch is `alone`: by
        default, if no other batch is waiting or running.
        """
        with self._lock:
            if alone is None:
                alone = not self._pending
            self._pending += len(batches)
        on_cpu = self.devices[0].type == "cpu"
        can_spread = self.count > 1 and on_cpu and not self.one_by_one
        if alone and len(batches) == 1 and can_spread:
            window.leave(batches[0])
            return
        for positions in batches:
            self._jobs.put((window, positions))

    def finish(self, window: AnyWindow) -> None:
        """Wait until a window is done, and run its lone batch if that was left to this thread."""
        while True:
            stop_if_asked()
            while not window.done.wait(_POLL_SECONDS):
                stop_if_asked()
            positions = window.take_left()
            if positions is None:
                return
            threads = torch.get_num_threads()
            torch.set_num_threads(self.count)
            try:
                with torch.inference_mode():
                    self._run(window, positions, self.devices[0])
            finally:
                torch.set_num_threads(threads)

    def close(self) -> None:
        """Let each worker finish its batch, drop the others, and wait for the threads."""
        self._closed = True
        self._ready.abort()  # if `start` broke off, by Ctrl-C say, some wait for the rest
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _work(self, device: torch.device) -> None:
        if device.type == "cpu":
            use_one_core()
        try:
            with torch.inference_mode(), _stream(device):
                self._ready.wait()
                for window, positions in iter(self._jobs.get, None):
                    if self._closed:
                        return
                    self._run(window, positions, device)
        except threading.BrokenBarrierError:
            return
        except BaseException as error:  # noqa: BLE001 (`start` raises it again)
            self._failure = error
            self._ready.abort()

    def _run(self, window: AnyWindow, positions: list[int], device: torch.device) -> None:
        outputs: list[object] = []
        failure = window.failure
        if failure is None:
            try:
                outputs = self._outputs(window, [window.pieces[n] for n in positions], device)
            except BaseException as error:  # noqa: BLE001 (raised again on the caller's thread)
                failure = error
        with self._lock:
            self._pending -= 1  # before a thread that waited for the window submits the next
        if failure is None:
            window.put(positions, outputs)
        else:
            window.fail(failure)

    def _outputs(
        self, window: AnyWindow, pieces: list[Piece], device: torch.device
    ) -> list[object]:
        """Run a batch, halved until it fits; return the outputs in the order of the pieces."""
        outputs: list[object] = []
        parts = [[piece] for piece in reversed(pieces)] if self.one_by_one else [pieces]
        while parts:
            part = parts.pop()
            size = padded_size([len(piece) for piece in part])
            if len(part) > 1 and size > self._fitting[device]:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
                continue
            result = self._attempt(window, part, size, device)
            if result is not None:
                outputs += result
                continue
            if len(part) == 1:
                raise ResourceError(
                    f"out of memory on {device}: one sequence of {size} tokens does not "
                    "fit; free some memory, use fewer threads or a shorter maximum length"
                )
            with self._lock:
                self._fitting[device] = min(self._fitting[device], size // 2)
                self.max_tokens = max(self._fitting.values())
            self.stats.add_halving()
            parts.append(part)
        return outputs

    def _attempt(
        self, window: AnyWindow, pieces: list[Piece], size: int, device: torch.device
    ) -> list[object] | None:
        """Run a batch once; return None if memory ran out.

        The error is dropped here: its traceback would keep the tensors of the attempt alive.
        """
        began = time.perf_counter()
        try:
            batch = pad(pieces, pad_token_id=self.pad_token_id, device=device)
            outputs = [output for _, output in zip(pieces, self.forward(batch), strict=True)]
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        tokens = sum(map(len, pieces))
        self.stats.add_batch(tokens=tokens, positions=size, seconds=time.perf_counter() - began)
        window.add_batch(tokens=tokens, positions=size)
        return outputs


def _stream(device: torch.device) -> AbstractContextManager[object]:
    """Return the stream of a worker: on CUDA its own, so that workers run in parallel.

    Within it the device is the current one of the thread.
    """
    if device.type != "cuda":
        return nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an allocator (of Python, the CPU or an accelerator) ran out of memory."""
    return isinstance(error, torch.OutOfMemoryError) or is_allocation_failure(error)
