"""Object stores, with an S3 server on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from distilcli.errors import InputError, UsageError
from distilcli.rows import open_rows
from distilcli.rows.identity import fingerprints
from distilcli.rows.inputs import find_inputs
from distilcli.rows.remote import is_remote
from distilcli.rows.shard import Shard
from tests._store import BUCKET, s3_server

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def store():
    with s3_server() as client:
        yield client


def rows_of(path, shard=None):
    source = open_rows([str(path)])
    if shard is not None:
        source.take(shard)
    with source:
        return [(row.line, row.cells) for row in source]


def test_a_path_is_remote_by_its_scheme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert is_remote("s3://bucket/a.csv")
    assert is_remote("hf://datasets/org/name/a.csv")
    assert not any(map(is_remote, ("a.csv", "./s3", "https://host/a.csv", "a.db::t", "c:\\a.csv")))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_rows_and_shards_are_those_of_the_file(store, tmp_path, suffix):
    import pandas as pd

    path = tmp_path / f"in.{suffix}"
    frame = pd.DataFrame({"id": range(2000), "text": ['a "quoted"\ntext'] * 2000})
    frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    store.upload_file(str(path), BUCKET, f"a/in.{suffix}")
    url = f"s3://{BUCKET}/a/in.{suffix}"

    assert rows_of(url) == rows_of(path)
    assert rows_of(f"s3://{BUCKET}/a/*.{suffix}") == rows_of(path)
    assert rows_of(url, Shard(1, 3)) == rows_of(path, Shard(1, 3))


@pytest.mark.slow
def test_another_version_of_a_file_is_noticed(store):
    url = f"s3://{BUCKET}/b/in.csv"
    found = []
    for text in (b"text\na\n", b"text\nb\n"):
        store.put_object(Bucket=BUCKET, Key="b/in.csv", Body=text)
        found.append(fingerprints([(url, find_inputs([url], None)[0].path)]))

    assert found[0] != found[1]


@pytest.mark.slow
def test_a_file_that_is_missing(store):
    with pytest.raises(InputError, match="no such file"):
        open_rows([f"s3://{BUCKET}/none.csv"])
    with pytest.raises(InputError, match="no file matches"):
        open_rows([f"s3://{BUCKET}/none*.csv"])


def test_a_store_that_nobody_knows():
    with pytest.raises(UsageError, match="no object store is known by xyz://"):
        open_rows(["xyz://bucket/in.csv"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "locate credentials"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "127.0.0.1:1"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_line(store, tmp_path, change, said):
    environment = {**os.environ, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    for name, value in change.items():
        environment.pop(name)
        environment.update({name: value} if value else {})
    command = ["classify", f"s3://{BUCKET}/in.csv", "-o", "out.csv"]

    done = subprocess.run(
        [sys.executable, "-m", "distilcli", *command],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 5
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not Path(tmp_path, "out.csv").exists()
