import pytest

from distilcli.errors import DataWarning, InputError
from distilcli.rows.identity import RunIdentity
from distilcli.rows.manifest import Manifest, as_array, find_parts, read_manifest
from distilcli.rows.shard import Shard


def part(folder, index, *, count=4, device="cpu"):
    path = folder / f"{index}.csv"
    path.write_text("text\n")
    options = {"top_k": 1, "shard": f"{index}/{count}", "device": device}
    run = RunIdentity("classify", "1", "digest", options, {"in.csv": "abc"})
    shard = Shard(index, count)
    blocks = [0, index], [0, index + 1]
    manifest = Manifest(str(path), run, shard, *blocks, 0, "csv", ",", ["label"], {}, {})
    manifest.write()
    return manifest


def test_what_was_written_is_read(tmp_path):
    manifest = part(tmp_path, 3)

    assert read_manifest(manifest.path) == manifest
    assert [path.name for path in tmp_path.glob("3.csv.*")] == ["3.csv.run.json"]


def test_parts_are_in_the_order_of_their_shards(tmp_path):
    paths = [part(tmp_path, index).path for index in (2, 0, 1)]

    assert [each.shard.index for each in find_parts(paths)] == [0, 1, 2]


def test_parts_of_different_devices_are_put_together_with_a_warning(tmp_path):
    paths = [part(tmp_path, 0).path, part(tmp_path, 1, device="cuda:1").path]

    with pytest.warns(DataWarning, match="made on cuda and .* on cpu"):
        find_parts(paths)


def test_no_part_at_all(tmp_path):
    with pytest.raises(InputError, match="none of the files is a finished part"):
        find_parts([str(tmp_path / "a.csv.run.json")])


def test_indices_are_written_as_ranges():
    assert as_array([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert as_array([]) == ""
