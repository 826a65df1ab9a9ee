"""The recipes in `.github/docs/scale.md` run: each with its engine, where that is installed."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import distilcli

ROOT = Path(__file__).parent.parent.parent
DOCS = (ROOT / ".github" / "docs" / "scale.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCS, re.DOTALL | re.MULTILINE))
ENGINES = {"Ray Data": "ray", "Spark": "pyspark", "DuckDB": "duckdb", "Daft": "daft"}
OF_ENGINES = {"PYSPARK_PYTHON": sys.executable, "RAY_AUTH_MODE": "disabled"}
TEXTS = ["I loved it", "It broke on the first day", "A great film", "Dull and slow"] * 3
LABELS = ["positive", "negative", "positive", "negative"] * 3


def block(section: str, language: str) -> str:
    """The first block of code in a language in a section."""
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)[0]


def run(command: list[str], folder: Path, **more: str) -> None:
    """Run a command with this environment's programs first; show what it says if it fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **more}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A folder with rows in `big.csv`."""
    rows = "".join(f"{number},{text}\n" for number, text in enumerate(TEXTS * 20))
    (tmp_path / "big.csv").write_text("id,text\n" + rows)
    return tmp_path


def check_merged(folder: Path, *options: str) -> None:
    """Merge the parts; the result is that of one run with as many threads."""
    run(["distil", "merge", "labels.csv", *sorted(map(str, folder.glob("parts/*.csv")))], folder)
    run(["distil", "classify", "big.csv", "-o", "whole.csv", *options], folder)
    assert (folder / "labels.csv").read_bytes() == (folder / "whole.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("parallel") is None, reason="GNU parallel is not installed")
def test_gnu_parallel(big: Path) -> None:
    script = block("GNU parallel", "sh").replace("/16", "/3").replace("seq 0 15", "seq 0 2")
    script = script.replace("--threads 2", "--threads 1")
    assert "/3 " in script
    for _ in range(2):  # the second time everything is there
        run(["bash", "-e", "-c", script.partition("distil merge")[0]], big)
    check_merged(big, "--threads", "1")


@pytest.mark.slow
def test_a_slurm_array(big: Path) -> None:
    script = block("Slurm", "bash")
    assert re.findall(r"--array=0-(\d+)", script) == ["63"]
    assert "--shard auto/64 " in script
    (big / "job.sh").write_text(script.replace("auto/64", "auto/3"))

    def run_job(index: int, array: str) -> None:
        count = array.count(",") + 1
        variables = {"SLURM_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_TASK_COUNT": str(count)}
        run(["bash", "-e", "job.sh"], big, **variables)

    for index in (0, 2):
        run_job(index, "0,1,2")
    missing = 'test "$(distil merge labels.csv parts/*.csv --missing)" = 1'
    run(["bash", "-c", missing], big)
    run_job(1, "1")
    check_merged(big)


@pytest.fixture
def job() -> Mapping[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found: Mapping[str, Any] = yaml.safe_load(block("Kubernetes", "yaml"))
    return found


def test_an_indexed_job_has_what_kubernetes_wants(job: Mapping[str, Any]) -> None:
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] <= spec["completions"]
    assert pod["restartPolicy"] == "Never"  # as `backoffLimitPerIndex` requires
    (container,) = pod["containers"]
    (line,) = container["args"]
    assert f"--shard auto/{spec['completions']} " in line
    assert f"--threads {container['resources']['limits']['cpu']} " in line
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted.keys() == {volume["name"] for volume in pod["volumes"]}
    assert f"{mounted['data']}/big.csv" in line


def test_an_indexed_job_fits_the_schema(job: Mapping[str, Any]) -> None:
    reason = "kubernetes-validate is not installed"
    validator = pytest.importorskip("kubernetes_validate", reason=reason)
    validator.validate(job, "1.33", strict=True)


@pytest.mark.slow
def test_the_pods_of_an_indexed_job(big: Path, job: Mapping[str, Any]) -> None:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (line,) = container["args"]
    line = line.replace("/data", str(big)).replace("auto/64", "auto/3")
    line = line.replace("--threads 8", "--threads 1")
    (big / "parts").mkdir()
    for index in range(3):
        run([*container["command"], line], big, JOB_COMPLETION_INDEX=str(index))
    check_merged(big, "--threads", "1")


@pytest.mark.parametrize("section", ENGINES)
def test_recipes_use_what_is_public(section: str) -> None:
    code = ast.parse(block(section, "python"))
    names = [
        name.name
        for node in ast.walk(code)
        if isinstance(node, ast.ImportFrom) and node.module == "distilcli"
        for name in node.names
    ]
    assert "Classifier" in names
    assert set(names) <= set(distilcli.__all__)


@pytest.mark.slow
@pytest.mark.parametrize("section", ENGINES)
def test_recipes_label_every_row(section: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(ENGINES[section]) is None:
        pytest.skip(f"{ENGINES[section]} is not installed")
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = list(range(len(TEXTS)))
    pq.write_table(pa.table({"id": ids, "text": TEXTS}), tmp_path / "reviews.parquet")
    code = block(section, "python").replace("/shared/", f"{tmp_path}/")
    (tmp_path / "recipe.py").write_text(code)
    run([sys.executable, "recipe.py"], tmp_path, **OF_ENGINES)
    (written,) = tmp_path.glob("labelled*")
    found = pq.read_table(written).sort_by("id").to_pydict()
    assert found == {"id": ids, "text": TEXTS, "label": LABELS}
