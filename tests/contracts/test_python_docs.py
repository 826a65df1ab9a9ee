"""The Python face is as `.github/docs/python.md` says: each of its sessions is run."""

import doctest
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import distilcli

ROOT = Path(__file__).parent.parent.parent
DOCS = (ROOT / ".github" / "docs" / "python.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+\.\d+(?:e-\d+)?")


class Checker(doctest.OutputChecker):
    """Takes numbers for equal that differ by 0.01: other processors round in other ways."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        pairs = zip(NUMBER.findall(want), NUMBER.findall(got), strict=False)
        is_near = all(float(one) == pytest.approx(float(other), abs=0.01) for one, other in pairs)
        wanted, found = (NUMBER.sub("#", text) for text in (want, got))
        return is_near and super().check_output(wanted, found, optionflags)


@pytest.mark.slow
def test_every_session_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "tests" / "data", tmp_path / "tests" / "data")
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(Checker(), optionflags=doctest.NORMALIZE_WHITESPACE)
    names: dict[str, Any] = {}
    sessions = re.findall(r"```pycon\n(.*?)```", DOCS, re.DOTALL)
    assert len(sessions) >= 10
    report: list[str] = []
    for number, session in enumerate(sessions, start=1):
        test = doctest.DocTestParser().get_doctest(session, names, f"session {number}", None, 0)
        runner.run(test, out=report.append, clear_globs=False)
        names.update(test.globs)
    assert not report, "".join(report)


@pytest.mark.parametrize("name", distilcli.__all__)
def test_everything_public_is_there_and_documented(name: str) -> None:
    assert getattr(distilcli, name)
    assert name in dir(distilcli)
    if name not in {"__version__", "GateError"}:
        assert f"{name}" in DOCS


def test_settings_and_errors_load_nothing_heavy() -> None:
    code = (
        "import sys, distilcli; first = len([m for m in sys.modules if m.startswith('distilcli')]);"
        "distilcli.LongTexts, distilcli.BatchOptions, distilcli.DistilError;"
        "print(first, *{'torch', 'numpy', 'pandas', 'tokenizers'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "1\n"


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'distilcli' has no attribute 'Translator'"):
        _ = distilcli.Translator
