from dataclasses import replace
from pathlib import Path

import pytest

from distilcli.checkpoint.folder import describe_folder
from distilcli.checkpoint.locate import locate
from distilcli.training.report.outcome import public_id


def test_a_model_is_known_by_its_id_or_built_in_name(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = describe_folder(str(tiny_folder), tiny_folder)
    assert public_id(here) is None
    assert public_id(replace(here, name="org/name@v1")) == "org/name"
    assert public_id(locate("mini")) == "mini"
    monkeypatch.chdir(tiny_folder.parent)
    assert public_id(replace(here, name=tiny_folder.name)) is None
