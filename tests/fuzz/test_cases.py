from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CASES = Path(__file__).parent / "cases"
KEPT = sorted(path for path in CASES.glob("*/*") if path.is_file())


@pytest.mark.parametrize("case", KEPT, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_a_kept_case_lets_no_exception_out(case: Path) -> None:
    TARGETS[case.parent.name](case.read_bytes())


def test_every_target_has_cases() -> None:
    assert {case.parent.name for case in KEPT} == TARGETS.keys()
