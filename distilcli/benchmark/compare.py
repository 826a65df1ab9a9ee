"""A benchmark beside an older one: what has become slower, by how much, and whether that counts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from distilcli.benchmark.report import FORMAT, VERSION, Report
from distilcli.benchmark.result import Result, Setting
from distilcli.errors import GateError, InputError

_MACHINE = ("cpu", "cores", "gpu", "torch")


@dataclass(frozen=True, slots=True)
class Old:
    """An older benchmark: the machine it is from, and p50 in milliseconds by setting."""

    path: Path
    environment: dict[str, Any]
    p50_ms: dict[Setting, float]


@dataclass(frozen=True, slots=True)
class Change:
    """One setting then and now; `share` is how much slower it is now, below 0 if faster."""

    setting: Setting
    old_ms: float
    new_ms: float

    @property
    def share(self) -> float:
        """0.05 where p50 is 5 % longer."""
        return self.new_ms / self.old_ms - 1

    def record(self) -> dict[str, Any]:
        """Return it in one level, as plain JSON values."""
        return {
            **self.setting.as_dict(),
            "old_p50_ms": self.old_ms,
            "p50_ms": self.new_ms,
            "change": self.share,
        }


def read_old(path: Path) -> Old:
    """Read what `--json` has written; raise `InputError` for anything else."""
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
    names = [each.name for each in fields(Setting)]
    try:
        p50_ms = {
            Setting(**{name: result[name] for name in names}): float(result["p50_ms"])
            for result in document["results"]
        }
        environment = dict(document["environment"])
    except (KeyError, TypeError, ValueError):
        raise _foreign(path) from None
    if any(not 0 < milliseconds < float("inf") for milliseconds in p50_ms.values()):
        raise _foreign(path)
    return Old(path, environment, p50_ms)


def changes(report: Report, old: Old) -> list[Change]:
    """Return what has become of each setting that both have.

    Raises `InputError` if there is none.
    """
    found = [
        Change(result.setting, old.p50_ms[result.setting], result.latency_ms["p50"])
        for result in report.results
        if result.setting in old.p50_ms
    ]
    if not found:
        here, there = report.results[0].setting, next(iter(old.p50_ms), None)
        has = "no setting at all" if there is None else f"such as {there.described()}"
        raise InputError(
            f"{old.path}: has none of the settings measured here ({here.described()}), but {has}; "
            "measure the same ones"
        )
    return found


def differences(report: Report, old: Old) -> list[str]:
    """Say what makes the comparison less than fair: another machine, settings without partner."""
    said = [
        f"{old.path}: {name} was {old.environment.get(name)!r} there and is "
        f"{report.environment.get(name)!r} here; times may differ for that alone"
        for name in _MACHINE
        if old.environment.get(name) != report.environment.get(name)
    ]
    measured = {result.setting for result in report.results}
    said += [
        f"{old.path}: has no result to compare with for {setting.described()}"
        for setting in dict.fromkeys(result.setting for result in report.results)
        if setting not in old.p50_ms
    ]
    said += [
        f"{old.path}: {setting.described()} was not measured again"
        for setting in old.p50_ms
        if setting not in measured
    ]
    return said


def check_changes(found: Sequence[Change], *, fail_over: float) -> None:
    """Raise `GateError` if a setting is slower by more than the share `fail_over`."""
    slower = [
        f"{each.setting.described()}: p50 {each.new_ms:.3f} ms, was {each.old_ms:.3f} ms "
        f"(+{each.share:.1%})"
        for each in found
        if each.share > fail_over
    ]
    if slower:
        raise GateError(f"gate failed: slower by more than {fail_over:.1%}: {'; '.join(slower)}")


def check_p95(results: Sequence[Result], *, most_ms: float) -> None:
    """Raise `GateError` if a result's p95 is above so many milliseconds."""
    over = [
        f"{each.setting.described()}: p95 {each.latency_ms['p95']:.3f} ms"
        for each in results
        if each.latency_ms["p95"] > most_ms
    ]
    if over:
        raise GateError(f"gate failed: p95 above {most_ms:g} ms: {'; '.join(over)}")


def _foreign(path: Path) -> InputError:
    return InputError(f"{path}: was not written by distil bench --json; name a file that was")
