"""How parts are put together, beyond what `tests/commands/test_merge.py` sees of it."""

from pathlib import Path

import pytest

from distilcli.rows.identity import RunIdentity
from distilcli.rows.manifest import Manifest
from distilcli.rows.merge import merge_rows
from distilcli.rows.shard import Shard

RUN = RunIdentity("classify", "1", "digest", {}, {})


def test_there_may_be_more_parts_of_parquet_than_files_that_may_be_open(
    tmp_path, monkeypatch: pytest.MonkeyPatch
):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    resource = pytest.importorskip("resource")
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the number of open files is not known here")
    monkeypatch.chdir(tmp_path)
    parts = []
    for index in range(60):
        parquet.write_table(arrow.table({"n": [index], "label": ["a"]}), f"{index}.parquet")
        shard, path = Shard(index, 60), f"{index}.parquet"
        size = Path(path).stat().st_size
        parts.append(
            Manifest(path, RUN, shard, [], [], 1, size, "parquet", None, ["label"], {}, {})
        )
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 30, limits[1])
    )
    try:
        merge_rows("out.parquet", parts, force=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert parquet.read_table("out.parquet").column("n").to_pylist() == list(range(60))
