import os
from pathlib import Path

import pytest
import torch

from distilcli.model.hardware import (
    available_cores,
    cpu_flags,
    cpu_name,
    device_name,
    read_machine,
)


def test_the_processor_is_named_where_linux_names_it(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: A CPU: fast\nmodel name\t: B\n")
    assert cpu_name(info) == "A CPU: fast"
    info.write_text("Hardware: x\n")
    assert cpu_name(info)
    assert cpu_name(tmp_path / "missing")


def test_the_instructions_that_matter_are_told(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("flags\t\t: fpu avx2 sse avx512_vnni\nflags\t\t: fpu\n")
    assert cpu_flags(info) == ("avx2", "avx512_vnni")
    info.write_text("Features\t: fp asimd bf16 asimddp\n")
    assert cpu_flags(info) == ("asimddp", "bf16")
    assert len(cpu_flags(tmp_path / "missing")) == 1


def test_a_processor_is_called_cpu() -> None:
    assert device_name(torch.device("cpu")) == "cpu"


def test_this_machine_is_described() -> None:
    found = read_machine(torch.device("cpu"))
    assert found.device == "cpu"
    assert found.cpu
    assert found.cores >= 1
    assert found.torch == torch.__version__


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away here")
def test_only_the_cores_of_this_process_count() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
