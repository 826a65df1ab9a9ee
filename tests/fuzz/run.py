"""Fuzz one target with atheris (the extra `fuzz`): `python -m tests.fuzz.run TARGET [OPTIONS]`.

The cases that are kept are where it begins. Options are libFuzzer's: `-max_total_time=600` ends
it after ten minutes. What it finds goes into `cases/TARGET/` when the fault is mended.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["distilcli"]):
    from tests.fuzz.mutate import mutated
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until something is found or the time is over."""
    target, *options = sys.argv[1:]
    # New inputs go into the first folder, the kept cases stay as they are.
    found = Path(tempfile.gettempdir()) / f"distil-fuzz-{target}"
    found.mkdir(exist_ok=True)
    folders = [str(found), str(Path(__file__).parent / "cases" / target)]
    fixed = ["-max_len=4096", "-timeout=20", f"-artifact_prefix={found}/"]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        changed = mutated(target, data, seed) if seed % 4 else None
        return atheris.Mutate(data, most) if changed is None else changed[:most]

    arguments = [sys.argv[0], *fixed, *options, *folders]
    atheris.Setup(arguments, TARGETS[target], custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
