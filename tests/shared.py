"""Data that is not part of the project; tests use it where it is present."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def shared_vocabularies() -> list[Path]:
    """Return the `vocab.txt` files under $DISTIL_SHARED, or `shared/` beside the repository."""
    folder = Path(os.environ.get("DISTIL_SHARED", ROOT.parent / "shared"))
    return sorted(folder.glob("data/vocabs/*/vocab.txt"))
