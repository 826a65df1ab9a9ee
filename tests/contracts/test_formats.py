"""`.github/FORMATS.md` is what happens: every command over a file in every format."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contracts._formats import COMMANDS, outcome, table, write_all

DOCUMENT = Path(__file__).parents[2] / ".github" / "FORMATS.md"
MARK = "<!-- table -->"


@pytest.mark.slow
def test_the_table_of_formats_is_what_the_commands_do(
    distil: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    own = {"tag": "hand_tagger", "qa": "qa_folder", "fill": "mlm_folder", "choose": "choice_folder"}
    models = {name: request.getfixturevalue(own.get(name, "tiny_folder")) for name in COMMANDS}
    files = write_all(tmp_path)
    found = {
        (kind, command): outcome(distil, command, models, name)
        for kind, name in files.items()
        for command in COMMANDS
    }
    before, written, after = DOCUMENT.read_text().split(MARK)
    if os.environ.get("DISTIL_RENEW_FORMATS"):
        DOCUMENT.write_text(f"{before}{MARK}\n{table(found)}\n{MARK}{after}")
    else:
        assert written.strip() == table(found)
