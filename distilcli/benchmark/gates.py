"""Gates on a benchmark: its p95, and its times and rates against an older benchmark.

They are for the model, not its rival.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from distilcli.benchmark.report import DATASET_FORMAT, FORMAT, VERSION, Change, Report
from distilcli.benchmark.result import Setting
from distilcli.errors import GateError, InputError

_MACHINE = ("cpu", "cores", "gpu", "torch")


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of a setting."""

    p50_ms: float
    sequences_per_second: float


@dataclass(frozen=True, slots=True)
class Old:
    """An older benchmark: its machine, and the speed of each setting."""

    path: Path
    environment: Mapping[str, Any]
    speeds: Mapping[Setting, Speed]

    @classmethod
    def read(cls, path: Path) -> "Old":
        """Read the statistics of a benchmark; raise `InputError` for any other file."""
        document = _document(path)
        names, metrics = ([each.name for each in fields(kind)] for kind in (Setting, Speed))
        try:
            speeds = {
                Setting(**{name: result[name] for name in names}): Speed(
                    *(float(result[name]) for name in metrics)
                )
                for result in document["results"]
            }
            environment = dict(document["environment"])
        except (KeyError, TypeError, ValueError):
            raise _foreign(path) from None
        found = [value for each in speeds.values() for value in astuple(each)]
        if not found or any(not 0 < value < math.inf for value in found):
            raise _foreign(path)
        return cls(path, environment, speeds)

    def changes(self, report: Report) -> list[Change]:
        """Return the changes of the model's settings that both benchmarks have."""
        return [
            Change(
                result.setting,
                old.p50_ms,
                result.latency_ms["p50"],
                old.sequences_per_second,
                result.sequences_per_second,
            )
            for result in report.own
            if (old := self.speeds.get(result.setting)) is not None
        ]

    def slower(self, report: Report, *, fail_over: float) -> list[str]:
        """Return each p50 that is longer and each rate that is lower by more than `fail_over`.

        It is a share, 0.05 for 5 %. Raises `InputError` if no setting can be compared.
        """
        changes = self.changes(report)
        if not changes:
            here, there = report.results[0].setting, next(iter(self.speeds))
            raise InputError(
                f"{self.path}: none of its settings was measured now (it has {there.described()}; "
                f"now: {here.described()}); measure the same settings"
            )
        slower = []
        for change in changes:
            name = change.setting.described()
            if change.p50_share > fail_over:
                slower.append(
                    f"{name}: p50 {change.new_ms:.3f} ms, was {change.old_ms:.3f} ms "
                    f"({change.p50_share:+.1%})"
                )
            if -change.rate_share > fail_over:
                slower.append(
                    f"{name}: {change.new_rate:.3f} sequences/s, was {change.old_rate:.3f} "
                    f"({change.rate_share:+.1%})"
                )
        return slower

    def differences(self, report: Report) -> list[str]:
        """Return what makes the comparison unfair: another machine, and unmatched settings."""
        here, there = report.environment, self.environment
        measured = {result.setting for result in report.results}
        new = [each.setting for each in report.own if each.setting not in self.speeds]
        gone = [setting for setting in self.speeds if setting not in measured]
        return [
            *(
                f"{self.path}: {name} was {there.get(name)} and is {here.get(name)} now; times may "
                "differ for that reason"
                for name in _MACHINE
                if there.get(name) != here.get(name)
            ),
            *([f"{self.path}: nothing to compare with for {_named(new)}"] if new else []),
            *([f"{self.path}: not measured now: {_named(gone)}"] if gone else []),
        ]


def check_gates(
    report: Report, *, most_p95_ms: float | None, old: Old | None, fail_over: float
) -> None:
    """Raise one `GateError` for all results of the model that fail a gate.

    The gates are `most_p95_ms` in milliseconds, and `fail_over`: by which share results may be
    slower than `old`. Raises `InputError` if no setting can be compared with `old`.
    """
    failed: list[str] = []
    if most_p95_ms is not None and (late := _late(report, most_p95_ms)):
        failed.append(f"p95 above {most_p95_ms:g} ms: {'; '.join(late)}")
    if old is not None and (slower := old.slower(report, fail_over=fail_over)):
        failed.append(f"slower by more than {fail_over:.1%}: {'; '.join(slower)}")
    if failed:
        raise GateError(f"gate failed: {'; '.join(failed)}")


def _late(report: Report, most_ms: float) -> list[str]:
    return [
        f"{each.setting.described()}: p95 {each.latency_ms['p95']:.3f} ms"
        for each in report.own
        if each.latency_ms["p95"] > most_ms
    ]


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; write one with distil bench --stats FILE"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _foreign(path) from None
    if not isinstance(document, dict):
        raise _foreign(path)
    if document.get("format") == DATASET_FORMAT:
        raise InputError(
            f"{path}: statistics of `dataset` runs cannot be compared; name a file of batches"
        )
    if document.get("format") != FORMAT:
        raise _foreign(path)
    if document.get("version") != VERSION:
        raise InputError(
            f"{path}: format version {document.get('version')!r}, but this program reads version "
            f"{VERSION}; measure again"
        )
    return document


def _named(settings: Sequence[Setting]) -> str:
    """Return the first of some settings, and the number of the others."""
    more = f" and {len(settings) - 1} more" if len(settings) > 1 else ""
    return settings[0].described() + more


def _foreign(path: Path) -> InputError:
    return InputError(f"{path}: not written by distil bench --stats; name a file that was")
