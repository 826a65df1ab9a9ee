"""Which process this is of those that `torchrun` has started for one run; free of torch.

torchrun tells each process in its environment. Only the first one speaks; see
`training.distributed` for what they tell each other.
"""

import os

_own_stderr: list[int] = []


def count() -> int:
    """Return how many processes share the run: 1 unless torchrun started several."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return int(os.environ["RANK"]) if count() > 1 else 0


def is_first() -> bool:
    """Say whether this is the process that prints and writes."""
    return rank() == 0


def rank_on_machine() -> int:
    """Return the number of this process among those on the same machine, from 0."""
    return int(os.environ["LOCAL_RANK"]) if count() > 1 else 0


def are_on_one_machine() -> bool:
    """Say whether all processes run on this machine."""
    return count() == int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def silence() -> None:
    """Discard all that this process and its libraries print, until it has to `speak`."""
    _own_stderr.append(os.dup(2))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def speak() -> None:
    """Print to stderr again."""
    if _own_stderr:
        os.dup2(_own_stderr.pop(), 2)
