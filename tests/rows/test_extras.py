import sys

import pytest

from distilcli.errors import UsageError
from distilcli.rows import open_rows


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("a.parquet", "pyarrow", "parquet"), ("a.xlsx", "openpyxl", "excel")],
)
def test_a_missing_package_is_named_with_the_command_before_any_file_is_opened(
    tmp_path, monkeypatch, name, module, extra
):
    (tmp_path / name).write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, module, None)
    expected = rf"the {module} package: pip install 'distilcli\[{extra}\]'"
    with pytest.raises(UsageError, match=expected):
        open_rows([str(tmp_path / name)])


def test_a_workbook_under_another_name_needs_the_package_too(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(b"PK\x03\x04")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with (
        open_rows([str(tmp_path / "a.csv")]) as source,
        pytest.raises(UsageError, match=r"workbooks need the openpyxl package: .*\[excel\]"),
    ):
        list(source)
