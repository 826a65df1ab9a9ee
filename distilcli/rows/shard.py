"""Which part of the rows a run takes: `3/64`, or what an array of jobs says of itself.

Shards are numbered from 0, as Kubernetes and MPI number theirs.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from distilcli.errors import UsageError
from distilcli.wording import count as count_of

_NUMBER = r"[0-9]{1,18}"  # int() refuses thousands of digits
_WRITTEN = re.compile(f"({_NUMBER})/({_NUMBER})")
_AUTO = re.compile(f"auto(?:/({_NUMBER}))?")
_EXAMPLES = "give 0/64, auto or auto/64"
_MOST = 1_000_000
_SLURM, _KUBERNETES, _MPI = "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "PMI_RANK"


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts that follow each other; `index` counts from 0."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def bounds(self, total: int) -> tuple[int, int]:
        """Return where the part of `total` things begins and ends.

        Parts cover all of them, in order, and their sizes differ by one at most.
        """
        return total * self.index // self.count, total * (self.index + 1) // self.count


def parse_shard(text: str, environment: Mapping[str, str] | None = None) -> Shard:
    """Return the shard of `i/n`, or with `auto` and `auto/n` the one of this job in its array.

    The array is Slurm's (`SLURM_ARRAY_TASK_ID` and `SLURM_ARRAY_TASK_COUNT`), an indexed job of
    Kubernetes (`JOB_COMPLETION_INDEX`) or MPI's (`PMI_RANK` and `PMI_SIZE`). With `auto/n` the
    index of the job is that of the shard, so that single jobs can run again. Raises `UsageError`
    for anything else and for a shard that does not exist.
    """
    if written := _WRITTEN.fullmatch(text):
        return _checked(int(written[1]), int(written[2]), f"`shard` {text}")
    auto = _AUTO.fullmatch(text)
    if auto is None:
        raise UsageError(f"`shard` {text!r} is unknown; {_EXAMPLES}")
    environment = os.environ if environment is None else environment
    name = next((name for name in (_SLURM, _KUBERNETES, _MPI) if name in environment), None)
    if name is None:
        raise UsageError(
            f"`shard` {text}: none of {_SLURM}, {_KUBERNETES} and {_MPI} is set; give 0/64, or "
            "run it in an array of jobs"
        )
    index = _number(environment, name)
    if auto[1]:
        return _checked(index, int(auto[1]), f"`shard` {text}: {name} is {index}; shard {index}")
    if name == _SLURM:
        return _of_slurm(environment, index)
    if name == _KUBERNETES:
        raise UsageError(
            f"`shard` auto: {_KUBERNETES} does not say how many shards there are; give auto/64, "
            "with the completions of the job"
        )
    return _checked(index, _number(environment, "PMI_SIZE"), f"`shard` auto: shard {index}")


def _of_slurm(environment: Mapping[str, str], index: int) -> Shard:
    """Return the shard of an array that is complete; its indices may begin anywhere."""
    count = _number(environment, "SLURM_ARRAY_TASK_COUNT")
    first, last, step = (
        _number(environment, f"SLURM_ARRAY_TASK_{name}", default)
        for name, default in (("MIN", 0), ("MAX", count - 1), ("STEP", 1))
    )
    # `--array=3,17` runs single jobs again, and its count is not that of the shards.
    if first > 1 or step != 1 or last - first + 1 != count:
        raise UsageError(
            f"`shard` auto: this array has {count_of(count, 'job')} with indices from {first} to "
            f"{last}, which may not be all shards; give auto/64, with the number of shards"
        )
    return _checked(index - first, count, f"`shard` auto: shard {index - first}")


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    value = environment.get(name)
    if value is None and default is not None:
        return default
    if value is None:
        raise UsageError(f"`shard` auto: {name} is not set; {_EXAMPLES}")
    if not re.fullmatch(_NUMBER, value):
        raise UsageError(f"`shard` auto: {name} is {value!r}, not an index or a count; {_EXAMPLES}")
    return int(value)


def _checked(index: int, count: int, what: str) -> Shard:
    if not 0 < count <= _MOST:
        raise UsageError(f"{what}: there can be 1 to {_MOST:,} shards")
    if not 0 <= index < count:
        last = f"0 to {count - 1}" if count > 1 else "0 only"
        raise UsageError(f"{what} does not exist; with {count_of(count, 'shard')} it can be {last}")
    return Shard(index, count)
