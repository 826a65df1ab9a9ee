import bz2
import gzip
import importlib
import lzma
import zipfile

import pytest
import zstandard

from distilcli.errors import InputError, UsageError
from distilcli.rows import compression, open_rows, open_writer

PACK = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}
TABLE = b"text,n\n" + b"".join(b"row %d,%d\n" % (n, n * n) for n in range(500))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", PACK)
def test_packed_files_are_read(folder, suffix):
    name = f"a.csv.{suffix}"
    packed = PACK[suffix](TABLE)
    # Packed files may be joined end to end.
    (folder / name).write_bytes(packed + PACK[suffix](b"last,0\n"))
    with open_rows([name]) as source:
        rows = list(source)
        assert source.format == "csv"
        assert source.bytes_read == source.bytes_total
    assert [rows[0].cells, rows[-1].cells, len(rows)] == [["row 0", "0"], ["last", "0"], 501]


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("damage", ["cut", "garbage", "nothing"])
def test_damaged_files_are_input_errors(folder, suffix, damage):
    packed = {
        "cut": PACK[suffix](TABLE)[:-9],
        "garbage": b"this was never packed",
        "nothing": PACK[suffix](b""),
    }[damage]
    (folder / f"a.csv.{suffix}").write_bytes(packed)
    with pytest.raises(InputError, match=rf"^a\.csv\.{suffix}: [^\n]+$"):
        list(open_rows([f"a.csv.{suffix}"]))


def test_gzip_data_under_another_name_are_told(folder):
    (folder / "a.csv").write_bytes(gzip.compress(TABLE))
    with pytest.raises(InputError, match=r"a\.csv: is gzip data; decompress it first \(zcat"):
        list(open_rows(["a.csv"]))


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("format_", ["csv", "tsv", "jsonl"])
def test_what_is_packed_is_read_back(suffix, format_):
    name = f"a.{format_}.{suffix}"
    source = open_rows([], texts=["é\n😀", "b"])
    settings = {"columns": ("text",), "new_columns": ["n"], "input_format": "txt"}
    with open_writer(name, **settings) as writer:
        # `late` makes delimited files be written anew, from the packed temporary.
        for number, row in enumerate(source):
            writer.write_rows([(row, {"n": number, "late": "x"} if number else {"n": number})])
    rows = list(open_rows([name]))
    assert rows[0].cells[:2] == ["é\n😀", "0"]
    assert rows[1].cells == ["b", "1", "x"]


def test_zstd_without_its_package_names_the_extra(folder, monkeypatch):
    def missing(name):
        raise ImportError(name)

    (folder / "a.csv.zst").write_bytes(b"x")
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UsageError, match=r"pip install 'distilcli\[zstd\]'"):
        open_rows(["a.csv.zst"])
    settings = {"columns": ("text",), "new_columns": ["n"], "input_format": "txt"}
    with pytest.raises(UsageError, match=r"distilcli\[zstd\]"):
        open_writer("b.csv.zst", **settings)
    assert [path.name for path in folder.iterdir()] == ["a.csv.zst"]


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
def test_a_bomb_is_refused_before_it_has_unpacked(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(compression, "_UNSUSPECTED", 1 << 20)
    path = tmp_path / f"a.csv.{suffix}"
    kinds = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "zstd"}
    with path.open("wb") as file, compression.compressor(file, kinds[suffix]) as packed:
        for _ in range(8):
            packed.write(b"\n" * (1 << 20))
    with pytest.raises(InputError, match=r"a.csv.* unpacks to more than 500 times its size"):
        list(open_rows([str(path)]))


def test_as_much_as_rows_may_unpack_to(monkeypatch):
    monkeypatch.setattr(compression, "_UNSUSPECTED", 1_000)
    compression.check_ratio(1_000, 1, "a")
    compression.check_ratio(5_000, 10, "a")
    with pytest.raises(InputError, match="if that is right, unpack it first"):
        compression.check_ratio(5_001, 10, "a")


def test_a_workbook_that_is_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_UNSUSPECTED", 1 << 20)
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", bytes(1 << 23))
    with pytest.raises(InputError, match=r"a.xlsx: unpacks to more than 500 times its size"):
        list(open_rows([str(path)]))
