"""`--engine ray`: the bytes of a plain run, whatever dies; two workers on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]

SECONDS = 100
ROWS = 300


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    texts = ("good film", "a bad , slow plot", "boring", "", 'works\n""well""')
    rows = (f'{number},"{texts[number % 5]}"\n' for number in range(ROWS))
    Path("in.csv").write_text("id,text\n" + "".join(rows))
    return "in.csv"


# Refused before Ray starts


def refused(distil: Run, *command: object, code: int) -> str:
    before = sorted(Path().rglob("*"))
    found, out, err = distil(*command)
    assert (found, out) == (code, ""), err
    assert err.count("error: ") == 1
    assert sorted(Path().rglob("*")) == before
    return err


def test_ray_that_is_not_installed_is_one_line(
    distil: Run, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    command = ("classify", "in.csv", "-m", tiny_folder, "-o", "out.csv", "--engine", "ray")

    assert "pip install 'distilcli[ray]'" in refused(distil, *command, code=2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("in.csv", "--engine", "ray"), "add --output FILE"),
        (("-", "--engine", "ray", "-o", "out.csv"), "needs files that can be read in part"),
        (("in.csv", "--engine", "ray", "-o", "out.csv", "--shard", "0/2"), "do not go together"),
        (("in.csv", "--engine", "ray", "-o", "out.csv", "--dry-run"), "do not go together"),
        (("in.csv", "--engine", "ray", "-o", "out.csv", "--limit", "2"), "do not go together"),
        (("in.csv", "-o", "out.csv", "--workers", "2"), "add --engine ray"),
        (("in.csv", "-o", "out.csv", "--ray-address", "auto"), "add --engine ray"),
    ],
)
def test_options_that_do_not_go_with_ray(
    distil: Run, tiny_folder: Path, options: tuple[str, ...], said: str
) -> None:
    assert said in refused(distil, "classify", "-m", tiny_folder, *options, code=2)


@pytest.mark.filterwarnings("ignore")
def test_an_address_that_does_not_answer_is_one_line(distil: Run, tiny_folder: Path) -> None:
    pytest.importorskip("ray")
    command = ("classify", "in.csv", "-m", tiny_folder, "-o", "out.csv", "--engine", "ray")

    err = refused(distil, *command, "--ray-address", "127.0.0.1:1", code=5)
    assert "Ray at 127.0.0.1:1 does not answer" in err
    assert "not HOST:PORT" in refused(distil, *command, "--ray-address", "somewhere", code=2)


# With two workers


def read(path: Path) -> bytes:
    """Return a file of a process, nothing if that has ended."""
    with suppress(OSError):
        return path.read_bytes()
    return b""


class Started:
    """A run on Ray in a process of its own, whose workers can be found by a variable they get."""

    def __init__(self, model: Path, *options: str) -> None:
        command = ["classify", "in.csv", "-m", str(model), "-o", "out.csv", "--engine", "ray"]
        self._mark = f"DISTIL_TEST={os.getpid()}.{time.monotonic_ns()}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "distilcli", *command, "--workers", "2", *options],
            env={**os.environ, name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for_parts(self) -> None:
        """Wait until some parts are finished and others are not."""
        deadline = time.monotonic() + SECONDS
        while not list(Path(".out.csv.parts").glob("*.run.json")):
            assert self.process.poll() is None, self.end()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def processes(self, name: bytes = b"") -> list[int]:
        return [
            int(each.name)
            for each in Path("/proc").glob("[0-9]*")
            if self._mark.encode() in read(each / "environ")
            and read(each / "cmdline").startswith(name)
        ]

    def kill_workers(self, count: int) -> None:
        workers = self.processes(b"ray::Worker")
        assert workers
        for worker in workers[:count]:
            os.kill(worker, signal.SIGKILL)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, err

    def is_gone(self) -> bool:
        """Return whether all of its processes end within a while."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if not self.processes(b"ray::Worker"):
                return True
            time.sleep(0.1)
        return False


@pytest.fixture
def start(tiny_folder: Path) -> Iterator[Callable[..., Started]]:
    pytest.importorskip("ray")
    if not sys.platform.startswith("linux"):
        pytest.skip("finds workers in /proc")
    runs: list[Started] = []

    def start(*options: str) -> Started:
        runs.append(Started(tiny_folder, *options))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGKILL)
            run.process.communicate(timeout=SECONDS)


@pytest.fixture
def plain(distil: Run, tiny_folder: Path) -> bytes:
    """Return the bytes of the plain run."""
    distil("classify", "in.csv", "-m", tiny_folder, "-o", "plain.csv", "--stats", "plain.json")
    return Path("plain.csv").read_bytes()


@pytest.mark.slow
def test_a_worker_that_dies_loses_nothing(start: Callable[..., Started], plain: bytes) -> None:
    run = start("--stats", "ray.json")
    run.wait_for_parts()
    run.kill_workers(1)

    code, out, err = run.end()

    assert (code, out) == (6, ""), err
    assert Path("out.csv").read_bytes() == plain
    assert not Path(".out.csv.parts").exists()
    found, expected = (json.loads(Path(name).read_text()) for name in ("ray.json", "plain.json"))
    same: list[Any] = ["rows", "failed_rows", "tokens", "padding_tokens", "batches", "counts"]
    assert [found[key] for key in same] == [expected[key] for key in same]
    assert "error: " not in err
    assert run.is_gone()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGKILL, 0), (signal.SIGKILL, 2), (signal.SIGINT, 0)]
)
def test_a_second_start_goes_on(
    start: Callable[..., Started], plain: bytes, number: signal.Signals, workers: int
) -> None:
    run = start()
    run.wait_for_parts()
    if workers:
        run.kill_workers(workers)
    run.process.send_signal(number)

    code, _, err = run.end()

    assert run.is_gone()
    if number == signal.SIGINT:
        assert code == 130, err
        assert "run the same command again to go on" in err
    parts = {path.name: path.stat().st_mtime_ns for path in Path(".out.csv.parts").glob("*.csv")}
    assert parts
    assert not Path("out.csv").exists()
    again = start()
    code, _, err = again.end()
    assert code == 6, err
    assert Path("out.csv").read_bytes() == plain


@pytest.mark.slow
def test_what_a_worker_finds_wrong_is_one_line(
    start: Callable[..., Started], tiny_folder: Path
) -> None:
    code, out, err = start("--threshold", "0.5").end()

    assert (code, out) == (2, "")
    assert "--threshold applies to multi-label models" in err
    assert err.count("error: ") == 1
    assert not Path("out.csv").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_from_an_object_store_to_an_object_store(
    distil: Run, tiny_folder: Path, plain: bytes
) -> None:
    pytest.importorskip("ray")
    from tests._store import BUCKET, s3_server

    with s3_server() as client:
        client.upload_file("in.csv", BUCKET, "in.csv")
        url = f"s3://{BUCKET}/out/out.csv"
        command = ["classify", f"s3://{BUCKET}/in.csv", "-m", str(tiny_folder), "-o", url]
        done = subprocess.run(
            [sys.executable, "-m", "distilcli", *command, "--engine", "ray", "--workers", "2"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert (done.returncode, done.stdout) == (6, ""), done.stderr
        listed = client.list_objects_v2(Bucket=BUCKET, Prefix="out/")["Contents"]
        assert [each["Key"] for each in listed] == ["out/out.csv"]  # the parts are gone
        found = client.get_object(Bucket=BUCKET, Key="out/out.csv")["Body"].read()

    assert found == plain
    assert "only --engine ray writes" in refused(distil, *command, code=2)
