import json
from pathlib import Path

import pytest

from distilcli.benchmark.model_under_test import open_model
from distilcli.benchmark.profiling import (
    check_trace_target,
    make_trace_folder,
    profile_model,
    trace_path,
)
from distilcli.errors import ResourceError, UsageError


@pytest.mark.slow
def test_a_table_and_a_trace(tiny_folder: Path, tmp_path: Path) -> None:
    opened = open_model(str(tiny_folder), "int8", device="cpu", offline=True, longest=8)
    path = tmp_path / "trace.json"
    table = profile_model(opened, path, seq=8, batch=2)
    assert "layer_norm" in table
    names = {event.get("name") for event in json.loads(path.read_text())["traceEvents"]}
    assert "aten::embedding" in names
    with pytest.raises(ResourceError, match="the trace could not be written"):
        profile_model(opened, tmp_path / "no" / "trace.json", seq=8, batch=2)


def test_where_traces_go(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    check_trace_target(folder, settings=3)
    assert not folder.parent.exists()  # what else there is to check comes first
    make_trace_folder(folder)
    assert folder.is_dir()
    assert trace_path(folder, "fp32-seq8-batch1") == folder / "fp32-seq8-batch1.trace.json"
    file = tmp_path / "t.json"
    check_trace_target(file, settings=1)
    make_trace_folder(file)
    assert not file.exists()
    assert trace_path(file, "x") == file


def test_where_traces_cannot_go(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="each of the 2 settings has a trace; name a folder"):
        check_trace_target(tmp_path / "t.json", settings=2)
    with pytest.raises(UsageError, match="there is no folder"):
        check_trace_target(tmp_path / "no" / "t.json", settings=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot make this folder"):
        make_trace_folder(tmp_path / "file")
