"""A benchmark beside an older one: what has become slower, by how much, and whether that counts."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from distilcli.benchmark.report import FORMAT, VERSION, Change, Report
from distilcli.benchmark.result import Result, Setting
from distilcli.errors import GateError, InputError

_MACHINE = ("cpu", "cores", "gpu", "torch")


@dataclass(frozen=True, slots=True)
class Old:
    """An older benchmark: the machine it is from, and p50 in milliseconds by setting."""

    path: Path
    environment: Mapping[str, Any]
    p50_ms: Mapping[Setting, float]

    @classmethod
    def read(cls, path: Path) -> "Old":
        """Read what `--json` has written; raise `InputError` for anything else."""
        document = _document(path)
        names = [each.name for each in fields(Setting)]
        try:
            p50_ms = {
                Setting(**{name: result[name] for name in names}): float(result["p50_ms"])
                for result in document["results"]
            }
            environment = dict(document["environment"])
        except (KeyError, TypeError, ValueError):
            raise _foreign(path) from None
        if not p50_ms or any(not 0 < each < math.inf for each in p50_ms.values()):
            raise _foreign(path)
        return cls(path, environment, p50_ms)

    def changes(self, report: Report) -> list[Change]:
        """Return what has become of each setting that both have."""
        return [
            Change(result.setting, self.p50_ms[result.setting], result.latency_ms["p50"])
            for result in report.results
            if result.setting in self.p50_ms
        ]

    def check(self, report: Report, *, fail_over: float) -> None:
        """Raise `GateError` if a setting is slower by more than the share `fail_over`.

        And `InputError` if no setting can be compared.
        """
        changes = self.changes(report)
        if not changes:
            here, there = report.results[0].setting, next(iter(self.p50_ms))
            raise InputError(
                f"{self.path}: has none of the settings measured here (it has "
                f"{there.described()}, here is {here.described()}); measure the same ones"
            )
        if slower := [each for each in changes if each.share > fail_over]:
            said = (
                f"{each.setting.described()}: p50 {each.new_ms:.3f} ms, was {each.old_ms:.3f} ms "
                f"(+{each.share:.1%})"
                for each in slower
            )
            raise GateError(f"gate failed: slower by more than {fail_over:.1%}: {'; '.join(said)}")

    def differences(self, report: Report) -> list[str]:
        """Say what makes the comparison less than fair.

        That is another machine, and settings without partner.
        """
        here, there = report.environment, self.environment
        measured = dict.fromkeys(result.setting for result in report.results)
        new = [setting for setting in measured if setting not in self.p50_ms]
        gone = [setting for setting in self.p50_ms if setting not in measured]
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


def check_p95(results: Sequence[Result], *, most_ms: float) -> None:
    """Raise `GateError` if a result's p95 is above so many milliseconds."""
    over = [
        f"{each.setting.described()}: p95 {each.latency_ms['p95']:.3f} ms"
        for each in results
        if each.latency_ms["p95"] > most_ms
    ]
    if over:
        raise GateError(f"gate failed: p95 above {most_ms:g} ms: {'; '.join(over)}")


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; write one with distil bench --json FILE") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _foreign(path) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
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
