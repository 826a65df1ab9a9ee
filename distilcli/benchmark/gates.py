"""Gates on a benchmark: its p95, and its times and rates against an older benchmark.

They are for the model, not its rival.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from distilcli.benchmark.report import DATASET_FORMAT, FORMAT, VERSION, Change, Environment, Report
from distilcli.benchmark.result import Setting
from distilcli.errors import GateError, InputError

_MACHINE = ("cpu", "cores", "gpu", "torch")


class Speed(NamedTuple):
    """The speed of a setting."""

    p50_ms: float
    sequences_per_second: float


@dataclass(frozen=True, slots=True)
class Old:
    """An older benchmark: its machine, and the speed of each setting."""

    path: Path
    environment: Environment
    speeds: Mapping[Setting, Speed]

    @classmethod
    def read(cls, path: Path) -> "Old":
        """Read the statistics of a benchmark; raise `InputError` for any other file."""
        document = _document(path)
        names = [each.name for each in fields(Setting)]
        try:
            speeds = {
                Setting(**{name: result[name] for name in names}): Speed(
                    *(float(result[name]) for name in Speed._fields)
                )
                for result in document["results"]
            }
            environment = dict(document["environment"])
        except (KeyError, TypeError, ValueError):
            raise _foreign(path) from None
        if not speeds or any(not 0 < one < math.inf for each in speeds.values() for one in each):
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
            name, p50, rate = change.setting.described(), change.p50_share, change.rate_share
            ms = f"p50 {change.new_ms:.3f} ms, was {change.old_ms:.3f} ms"
            rates = f"{change.new_rate:.3f} sequences/s, was {change.old_rate:.3f}"
            slower += [f"{name}: {ms} ({p50:+.1%})"] if p50 > fail_over else []
            slower += [f"{name}: {rates} ({rate:+.1%})"] if -rate > fail_over else []
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
    most = math.inf if most_p95_ms is None else most_p95_ms
    p95s = [(each.setting.described(), each.latency_ms["p95"]) for each in report.own]
    if late := [f"{name}: p95 {ms:.3f} ms" for name, ms in p95s if ms > most]:
        failed.append(f"p95 above {most:g} ms: {'; '.join(late)}")
    if old is not None and (slower := old.slower(report, fail_over=fail_over)):
        failed.append(f"slower by more than {fail_over:.1%}: {'; '.join(slower)}")
    if failed:
        raise GateError(f"gate failed: {'; '.join(failed)}")


def _document(path: Path) -> dict[str, Any]:
    try:
        document: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; write one with distil bench --stats FILE"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        document = None
    found = document.get("format") if isinstance(document, dict) else None
    if found == DATASET_FORMAT:
        raise InputError(
            f"{path}: statistics of `dataset` runs cannot be compared; name a file of batches"
        )
    if found != FORMAT:
        raise _foreign(path)
    if document.get("version") != VERSION:
        raise InputError(
            f"{path}: format version {document.get('version')!r}, but this program reads version "
            f"{VERSION}; measure again"
        )
    return dict(document)


def _named(settings: Sequence[Setting]) -> str:
    more = f" and {len(settings) - 1} more" if len(settings) > 1 else ""
    return settings[0].described() + more


def _foreign(path: Path) -> InputError:
    return InputError(f"{path}: not written by distil bench --stats; name a file that was")
