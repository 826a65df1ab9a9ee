import pytest

from distilcli.errors import InputError
from distilcli.training.findings import Finding, finding_lines, refuse_errors

WARNING = Finding("a", "5 rows are odd", 5, ("row 1", "row 2", "row 3"))
ERROR = Finding("b", "2 labels are new", 2, ("row 4: 'x'", "row 5: 'y'"), is_error=True)


def test_findings_are_told_with_their_examples_and_errors_first() -> None:
    assert finding_lines([WARNING, ERROR]) == [
        "error: 2 labels are new",
        "  row 4: 'x'",
        "  row 5: 'y'",
        "warning: 5 rows are odd",
        "  row 1",
        "  row 2",
        "  row 3",
        "  and 2 more",
    ]
    assert finding_lines([]) == []


def test_an_error_is_raised_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^2 labels are new: row 4: 'x'$"):
        refuse_errors([WARNING, ERROR])
    with pytest.raises(InputError, match=r"^nothing$"):
        refuse_errors([Finding("c", "nothing", 1, is_error=True), ERROR])
    refuse_errors([WARNING])
