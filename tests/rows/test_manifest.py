import json
from dataclasses import replace

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
    manifest = Manifest(str(path), run, shard, *blocks, 0, 5, "csv", ",", ["label"], {}, {})
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
    paths = [part(tmp_path, 0).path]
    paths += [part(tmp_path, index, device="cuda:1").path for index in (2, 1)]

    with pytest.warns(DataWarning, match=r"1\.csv was made on cuda and .*0\.csv on cpu") as told:
        find_parts(paths)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rows", "3"), ("rows", -1), ("rows", None), ("bytes", "x"), ("shard.index", "1"),
        ("shard.index", 4), ("shard.index", True), ("shard.count", 0), ("run.options", []),
        ("run.inputs", None), ("format", 1), ("delimiter", 1), ("added", []), ("added", "label"),
        ("added", [1]), ("more", 1),
    ],
)  # fmt: skip
def test_values_of_other_types_are_damage(tmp_path, path, value):
    manifest = part(tmp_path, 1)
    file = tmp_path / "1.csv.run.json"
    about = json.loads(file.read_text())
    *outer, name = path.split(".")
    within = about[outer[0]] if outer else about
    within[name] = value
    file.write_text(json.dumps(about))

    with pytest.raises(InputError, match=r"1\.csv\.run\.json: is damaged; run its shard"):
        read_manifest(manifest.path)


def test_parts_with_other_delimiters_are_not_of_one_run(tmp_path):
    paths = [part(tmp_path, index).path for index in (0, 1)]
    replace(read_manifest(paths[1]), delimiter=";").write()

    with pytest.raises(InputError, match="its delimiter is ';', that of the other ','"):
        find_parts(paths)


def test_files_beside_parts_are_left_out(tmp_path):
    paths = [part(tmp_path, index).path for index in (0, 1)]
    beside = [f"{path}{suffix}" for path in paths for suffix in (".rows.jsonl", ".json")]

    assert [each.path for each in find_parts([*beside, *paths])] == paths
    with pytest.raises(InputError, match=r"other\.csv: no such file"):
        find_parts([*paths, str(tmp_path / "other.csv")])


def test_no_part_at_all(tmp_path):
    with pytest.raises(InputError, match="none of the files is a finished part"):
        find_parts([str(tmp_path / "a.csv.run.json")])


def test_indices_are_written_as_ranges():
    assert as_array([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert as_array([]) == ""
