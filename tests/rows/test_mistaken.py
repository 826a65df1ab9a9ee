import pytest

from distilcli.errors import InputError
from distilcli.rows import open_rows


def refused(path, content, **settings):
    """Return the one line that a file with this content is refused with."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with open_rows([str(path)], **settings) as source, pytest.raises(InputError) as caught:
        list(source)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("page", ["<!DOCTYPE html>\n<body>", "<HTML lang=en>", "  <html>"])
def test_a_web_page(tmp_path, page):
    for kind in ("csv", "jsonl"):
        found = refused(tmp_path / f"a.{kind}", page)
        assert found == f"is a web page (HTML), not {kind}; download the file itself"
    (tmp_path / "a.txt").write_text(page)
    with open_rows([str(tmp_path / "a.txt")]) as source:
        assert next(iter(source)).cells == [page.split("\n")[0]]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('{"text": "a"}\n{"text": "b"}\n', "jsonl"),
        ('[{"text": "a"}]', "json"),
        ('[\n  {"text": "a"}\n]', "json"),
    ],
)
def test_json_that_is_named_as_a_table(tmp_path, content, kind):
    found = refused(tmp_path / "a.csv", content)
    assert found == f"is JSON, not csv; set `input_format` {kind}"
    with open_rows([str(tmp_path / "a.csv")], input_format=kind) as source:
        assert next(iter(source)).cells == ["a"]
    with open_rows([str(tmp_path / "a.csv")], no_header=True) as source:
        assert next(iter(source)).line == 1


@pytest.mark.parametrize("line", ["[1, 2]", "{text}", '"text"', "1", "text"])
def test_a_header_that_only_looks_like_json(tmp_path, line):
    (tmp_path / "a.csv").write_text(f"{line}\n")
    with open_rows([str(tmp_path / "a.csv")]) as source:
        assert source.format == "csv"


@pytest.mark.parametrize(("sign", "named"), [(",", "a comma"), (";", "a semicolon")])
def test_a_tsv_whose_columns_have_no_tab_between_them(tmp_path, sign, named):
    content = f"id{sign}text\n1{sign}a\n"
    found = refused(tmp_path / "a.tsv", content)
    assert found == f"has {named} between its columns, not a tab; set `delimiter` {sign!r}"
    with open_rows([str(tmp_path / "a.tsv")], delimiter=sign) as source:
        assert [row.cells for row in source] == [["1", "a"]]


def test_a_tsv_of_one_column_is_one(tmp_path):
    (tmp_path / "a.tsv").write_text("Well, text\na, b\n")
    with open_rows([str(tmp_path / "a.tsv")]) as source:
        assert [row.cells for row in source] == [["a, b"]]


def test_a_pointer_of_git_lfs(tmp_path):
    content = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"
    for name in ("a.csv", "a.txt", "a.parquet"):
        assert refused(tmp_path / name, content) == (
            "is a git-lfs pointer, not the file; run 'git lfs pull' in its folder"
        )
