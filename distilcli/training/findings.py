"""What the checks of data find, and how it is told: as lines of text, or as an error."""

from collections.abc import Iterable
from dataclasses import dataclass

from distilcli.errors import InputError

MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, in how many rows (or of how many labels) it was found, and a few of them.

    `message` says it in words, with the count. An error is what nothing can be learned from.
    """

    kind: str
    message: str
    count: int
    examples: tuple[str, ...] = ()
    is_error: bool = False


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Return findings as lines of text, the errors first, each with its examples below it."""
    lines = []
    for finding in sorted(findings, key=lambda finding: not finding.is_error):
        lines.append(f"{'error' if finding.is_error else 'warning'}: {finding.message}")
        lines += [f"  {example}" for example in finding.examples]
        if finding.examples and finding.count > len(finding.examples):
            lines.append(f"  and {finding.count - len(finding.examples):,} more")
    return lines


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Raise `InputError` for the first finding that is an error, its first example with it."""
    for finding in findings:
        if finding.is_error:
            example = f": {finding.examples[0]}" if finding.examples else ""
            raise InputError(finding.message + example)
