"""What must hold of a benchmark: its p95, and its times and rates beside an older benchmark's.

It is the model that is judged, not its rival.
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
class Pace:
    """How fast a setting was."""

    p50_ms: float
    sequences_per_second: float


@dataclass(frozen=True, slots=True)
class Old:
    """An older benchmark: the machine it is from, and how fast each setting was."""

    path: Path
    environment: Mapping[str, Any]
    paces: Mapping[Setting, Pace]

    @classmethod
    def read(cls, path: Path) -> "Old":
        """Read what `--json` has written; raise `InputError` for anything else."""
        document = _document(path)
        names = [each.name for each in fields(Setting)]
        figures = [each.name for each in fields(Pace)]
        try:
            paces = {
                Setting(**{name: result[name] for name in names}): Pace(
                    *(float(result[name]) for name in figures)
                )
                for result in document["results"]
            }
            environment = dict(document["environment"])
        except (KeyError, TypeError, ValueError):
            raise _foreign(path) from None
        found = [number for each in paces.values() for number in astuple(each)]
        if not found or any(not 0 < number < math.inf for number in found):
            raise _foreign(path)
        return cls(path, environment, paces)

    def changes(self, report: Report) -> list[Change]:
        """Return what has become of each of the model's settings that both have."""
        return [
            Change(
                result.setting,
                pace.p50_ms,
                result.latency_ms["p50"],
                pace.sequences_per_second,
                result.sequences_per_second,
            )
            for result in report.own
            if (pace := self.paces.get(result.setting)) is not None
        ]

    def slower(self, report: Report, *, fail_over: float) -> list[str]:
        """Name each p50 that is longer, and each rate that is lower, by more than `fail_over`.

        That is a share, 0.05 for 5 %. Raises `InputError` if no setting can be compared.
        """
        changes = self.changes(report)
        if not changes:
            here, there = report.results[0].setting, next(iter(self.paces))
            raise InputError(
                f"{self.path}: has none of the settings measured here (it has "
                f"{there.described()}, here is {here.described()}); measure the same ones"
            )
        said = []
        for change in changes:
            name = change.setting.described()
            if change.p50_share > fail_over:
                said.append(
                    f"{name}: p50 {change.new_ms:.3f} ms, was {change.old_ms:.3f} ms "
                    f"({change.p50_share:+.1%})"
                )
            if -change.rate_share > fail_over:
                said.append(
                    f"{name}: {change.new_rate:.3f} sequences/s, was {change.old_rate:.3f} "
                    f"({change.rate_share:+.1%})"
                )
        return said

    def differences(self, report: Report) -> list[str]:
        """Say what makes the comparison less than fair.

        That is another machine, and settings without partner.
        """
        here, there = report.environment, self.environment
        measured = {result.setting for result in report.results}
        new = [each.setting for each in report.own if each.setting not in self.paces]
        gone = [setting for setting in self.paces if setting not in measured]
        return [
            *(
                f"{self.path}: {name} is {there.get(name)} there and {here.get(name)} here; times "
                "may differ for that alone"
                for name in _MACHINE
                if there.get(name) != here.get(name)
            ),
            *([f"{self.path}: has nothing to compare with for {_named(new)}"] if new else []),
            *([f"{self.path}: not measured again: {_named(gone)}"] if gone else []),
        ]


def check_gates(
    report: Report, *, most_p95_ms: float | None, old: Old | None, fail_over: float
) -> None:
    """Raise one `GateError` for all that does not hold of the model's results.

    That is a p95 above so many milliseconds, and what is slower than `old` by more than the share
    `fail_over`. Raises `InputError` if no setting can be compared with `old`.
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
        raise InputError(f"{path}: no such file; write one with distil bench --json FILE") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _foreign(path) from None
    if not isinstance(document, dict):
        raise _foreign(path)
    if document.get("format") == DATASET_FORMAT:
        raise InputError(
            f"{path}: is of bench --dataset; whole runs cannot be compared, name a file of batches"
        )
    if document.get("format") != FORMAT:
        raise _foreign(path)
    if document.get("version") != VERSION:
        raise InputError(
            f"{path}: is version {document.get('version')!r} of what distil bench writes, this "
            f"program reads version {VERSION}; measure again"
        )
    return document


def _named(settings: Sequence[Setting]) -> str:
    """Name the first of some settings, and count the others."""
    more = f" and {len(settings) - 1} more" if len(settings) > 1 else ""
    return settings[0].described() + more


def _foreign(path: Path) -> InputError:
    return InputError(f"{path}: was not written by distil bench --json; name a file that was")
