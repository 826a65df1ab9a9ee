"""`--shard` and `distil merge`: the parts of a run give the bytes of the whole run."""

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]

SHARDS = 3
TEXTS = ("good film", "a bad , slow plot", "boring", 'the "camera"\nworks very well', "slow\r\n")


@pytest.fixture(autouse=True)
def in_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return a CSV of about 300 rows, some of which fail, most of them in the last part."""
    rows = [f'{number},"{TEXTS[number % 5]!s}"' for number in range(300)]
    quoted = (row.replace('"camera"', '""camera""') for row in rows)
    lines = [
        f'{number},""' if number > 250 and number % 9 == 0 else row
        for number, row in enumerate(quoted)
    ]
    return write("in.csv", "id,text\n" + "\n".join(lines) + "\n")


@pytest.fixture
def lines(tmp_path: Path) -> str:
    """Return JSON lines, the later of which have a key that the first lack."""
    rows = [{"id": number, "text": TEXTS[number % 5]} for number in range(300)]
    for row in rows[120:]:
        row["late"] = row["id"] / 7
    rows[130]["text"] = rows[299]["text"] = ""
    return write("in.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def write(name: str, text: str) -> str:
    Path(name).write_bytes(text.encode())
    return name


def in_parts(run: Run, name: str, *command: object, count: int = SHARDS) -> list[str]:
    """Run the shards of a command, the last one first, and return their files."""
    parts = []
    for index in reversed(range(count)):
        part = f"part{index}.{name.removeprefix('.')}"
        code, _, err = run(*command, "--shard", f"{index}/{count}", "-o", part)
        assert code in {0, 6}, err
        parts.append(part)
    return parts


@pytest.fixture
def same(distil: Run) -> Callable[..., None]:
    """Check that parts, put together, are what the whole command writes."""

    def same(name: str, *command: object, content: Callable[[str], Any] | None = None) -> None:
        code, _, err = distil(*command, "-o", f"whole{name}")
        assert code in {0, 6}, err
        parts = in_parts(distil, name, *command)
        counts = [json.loads(Path(part + ".run.json").read_text())["rows"] for part in parts]
        assert min(counts) > 50
        code, out, err = distil("merge", f"merged{name}", *parts)
        assert (code, out) == (0, ""), err
        read = content or (lambda path: Path(path).read_bytes())
        assert read(f"merged{name}") == read(f"whole{name}")

    return same


@pytest.mark.slow
@pytest.mark.parametrize("name", [".csv", ".tsv", ".jsonl", ".json"])
def test_the_bytes_are_those_of_the_whole_run(
    same: Callable[..., None], table: str, lines: str, tiny_folder: Path, name: str
) -> None:
    for source in (table, lines):
        same(f"{source}{name}", "classify", source, "--model", tiny_folder)


@pytest.mark.slow
def test_compressed_files_have_the_same_content(
    same: Callable[..., None], table: str, tiny_folder: Path
) -> None:
    for name in (".csv.gz", ".jsonl.gz"):
        same(
            name,
            *("classify", table, "--model", tiny_folder),
            content=lambda path: gzip.decompress(Path(path).read_bytes()),
        )


@pytest.mark.slow
def test_parquet_has_the_same_rows_and_types(
    same: Callable[..., None], table: str, tiny_folder: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")

    same(".parquet", "classify", table, "--model", tiny_folder, content=parquet.read_table)


@pytest.mark.slow
def test_a_part_without_results_does_not_choose_the_types_of_parquet(
    distil: Run, tiny_folder: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    texts = ("" if number < 200 else "good film" for number in range(600))
    rows = (f"{number:060},{text}\n" for number, text in enumerate(texts))
    source = write("in.csv", "id,text\n" + "".join(rows))
    command = ("classify", source, "--model", tiny_folder)
    distil(*command, "-o", "whole.parquet")

    parts = in_parts(distil, "parquet", *command, count=20)
    code, _, err = distil("merge", "merged.parquet", *parts)

    assert code == 0, err
    assert parquet.read_schema(parts[-1]).field("score").type == "string"
    assert parquet.read_table("merged.parquet") == parquet.read_table("whole.parquet")


@pytest.mark.slow
def test_tables_of_a_database_have_the_same_rows(
    same: Callable[..., None], table: str, lines: str, tiny_folder: Path
) -> None:
    def content(path: str) -> tuple[list[Any], list[Any]]:
        with sqlite3.connect(path.partition("::")[0]) as database:
            name = path.partition("::")[2]
            found = database.execute(f"SELECT * FROM {name}")
            return [each[0] for each in found.description], found.fetchall()

    for source in (table, lines):
        same(f"{source}.db::t", "classify", source, "--model", tiny_folder, content=content)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--tokens",), ("--id-column", "id")])
@pytest.mark.parametrize("kind", ["npy", "safetensors"])
def test_stored_vectors_are_put_together_with_what_lies_beside_them(
    same: Callable[..., None], table: str, tiny_folder: Path, kind: str, options: tuple[str, ...]
) -> None:
    def content(path: str) -> list[bytes]:
        return [Path(path + suffix).read_bytes() for suffix in ("", ".rows.jsonl", ".json")]

    same(f".{kind}", "embed", table, "--model", tiny_folder, *options, content=content)


@pytest.mark.slow
def test_vectors_in_rows(same: Callable[..., None], table: str, tiny_folder: Path) -> None:
    same(".jsonl", "embed", table, "--model", tiny_folder)


@pytest.mark.slow
def test_sentences_stay_sentences(same: Callable[..., None], hand_tagger: Path) -> None:
    sentence = "# a comment\n\nJohn B-PER\nlives O\n{}\n"
    sentences = "\n".join(sentence.format("here O\n" * (number % 5)) for number in range(150))
    for number in range(3):  # the last sentence of a file has no blank line
        write(f"{number}.conll", sentences)

    same(".conll", "tag", "0.conll", "1.conll", "2.conll", "--model", hand_tagger)


@pytest.mark.slow
def test_many_shards_of_few_rows(distil: Run, tiny_folder: Path) -> None:
    source = write("in.csv", "id,text\n1,a\n2,\n")
    for name in ("csv", "jsonl", "json", "db::t", "parquet", "npy"):
        command = ("classify",) if name != "npy" else ("embed",)
        command = (*command, source, "--model", tiny_folder)
        distil(*command, "-o", f"whole.{name}")
        parts = in_parts(distil, name, *command, count=4)

        code, _, err = distil("merge", f"merged.{name}", *parts)

        assert code == 0, err
        if "::" not in name:
            assert Path(f"merged.{name}").read_bytes() == Path(f"whole.{name}").read_bytes()


# Faults


@pytest.fixture
def parts(distil: Run, table: str, tiny_folder: Path) -> list[str]:
    """Return the parts of a run, the last one first."""
    return in_parts(distil, "csv", "classify", table, "--model", tiny_folder)


def refused(distil: Run, *command: object, code: int = 3) -> str:
    """Return the message with which a command is refused; nothing may be left of it."""
    before = sorted(path.name for path in Path().iterdir())
    found, out, err = distil(*command)
    assert (found, out) == (code, ""), err
    assert sum("error: " in line for line in err.splitlines()) == 1
    assert sorted(path.name for path in Path().iterdir()) == before
    return err


@pytest.mark.slow
def test_missing_parts_are_named_and_listed_for_the_array(distil: Run, parts: list[str]) -> None:
    err = refused(distil, "merge", "out.csv", parts[1])
    assert "2 of 3 shards missing: 0, 2; run them again (--missing prints their indices" in err
    assert distil("merge", "out.csv", *parts, "--missing") == (0, "\n", "")
    Path("part9.csv").write_text("unfinished")
    assert distil("merge", "out.csv", parts[0], "part9.csv", "--missing") == (0, "0-1\n", "")


@pytest.mark.slow
def test_double_parts_and_those_of_other_runs_are_refused(
    distil: Run, parts: list[str], table: str, tiny_folder: Path
) -> None:
    for suffix in ("", ".run.json"):
        Path(f"copy.csv{suffix}").write_bytes(Path(parts[0] + suffix).read_bytes())
    err = refused(distil, "merge", "out.csv", *parts, "copy.csv")
    assert "part2.csv and copy.csv are both shard 2/3; leave one out" in err

    command = ("classify", table, "--model", tiny_folder, "--force", "-o", parts[0])
    distil(*command, "--shard", "2/3", "--all-scores")
    err = refused(distil, "merge", "out.csv", *parts)
    assert "part1.csv: belongs to another run than part2.csv: all_scores was given" in err

    distil(*command, "--shard", "2/4")
    err = refused(distil, "merge", "out.csv", *parts)
    assert "it is shard 1/3, the other 2/4" in err

    more = write("more.csv", "id,text\n1,a\n")
    distil(*command[:2], more, *command[2:], "--shard", "2/3")
    err = refused(distil, "merge", "out.csv", *parts)
    assert "more.csv" in err


@pytest.mark.slow
def test_an_input_that_changed_between_shards_is_noticed(
    distil: Run, parts: list[str], table: str, tiny_folder: Path
) -> None:
    with Path(table).open("a") as file:
        file.write("9,more\n")
    distil(
        *("classify", table, "--model", tiny_folder, "--force", "-o", parts[0]), "--shard", "2/3"
    )

    assert "in.csv has changed" in refused(distil, "merge", "out.csv", *parts)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["csv", "json", "jsonl", "parquet", "csv.gz", "npy"])
def test_parts_that_are_not_as_they_were_written_are_refused(
    distil: Run, table: str, tiny_folder: Path, name: str
) -> None:
    command = "embed" if name == "npy" else "classify"
    parts = in_parts(distil, name, command, table, "--model", tiny_folder)
    content = Path(parts[1]).read_bytes()
    for other in (b"", content[: len(content) // 2], content + b"x"):
        Path(parts[1]).write_bytes(other)
        err = refused(distil, "merge", f"out.{name}", *parts)
        assert (
            f"has {len(other):,} bytes, and its .run.json says {len(content):,}; run shard" in err
        )

    Path(parts[1]).unlink()
    assert "no such file" in refused(distil, "merge", f"out.{name}", *parts)
    assert distil("merge", f"out.{name}", *parts, "--missing") == (0, "1\n", "")

    Path(parts[1]).write_bytes(content)
    Path(parts[1] + ".run.json").unlink()
    err = refused(distil, "merge", f"out.{name}", *parts)
    assert f"has no part1.{name}.run.json beside it" in err


@pytest.mark.slow
@pytest.mark.parametrize("content", [b'{"id": "x"}\n', b"[]\n", b"\xff\n", None])
def test_damaged_rows_beside_vectors_are_refused(
    distil: Run, table: str, tiny_folder: Path, content: bytes | None
) -> None:
    parts = in_parts(distil, "npy", "embed", table, "--model", tiny_folder)
    rows = Path(parts[0] + ".rows.jsonl")
    if content is None:
        rows.unlink()
    else:
        rows.write_bytes(content + rows.read_bytes())

    err = refused(distil, "merge", "out.npy", *parts)

    assert f"{rows}: " + ("line 1 is damaged" if content else "no such file") in err
    assert "run shard 2/3 again" in err


@pytest.mark.slow
def test_a_part_is_not_written_over(distil: Run, parts: list[str]) -> None:
    """As if the file to write was forgotten."""
    before = Path(parts[0]).read_bytes()
    for more in ((), ("--force",), ("--missing",)):
        err = refused(distil, "merge", parts[0], *parts, *more, code=2)
        assert "part2.csv: is itself a part; name the file to write first" in err
        refused(distil, "merge", *parts, *more, code=2)
    assert Path(parts[0]).read_bytes() == before


@pytest.mark.slow
def test_the_output_is_checked_first(distil: Run, parts: list[str]) -> None:
    for name in ("out.jsonl", "out.xlsx", "out", "-"):
        err = refused(distil, "merge", name, *parts, code=2)
        assert f"{name}: the parts are csv; name a .csv file" in err
    refused(distil, "merge", "out.csv", *parts, "--missing", "--force", code=2)
    Path("out.csv").write_text("mine")
    assert "use --force" in refused(distil, "merge", "out.csv", *parts, code=2)
    assert Path("out.csv").read_text() == "mine"
    assert distil("merge", "out.csv", *parts, "--force", "--quiet") == (0, "", "")


def test_a_shard_needs_files_to_read_and_to_write(
    distil: Run, table: str, tiny_folder: Path
) -> None:
    command = ("classify", "--model", tiny_folder, "--shard", "0/2")
    assert "add --output FILE" in refused(distil, *command, table, code=2)
    err = refused(distil, *command, table, "-", "-o", "out.csv", code=2)
    assert "--shard needs files that can be read in part, not stdin" in err
    err = refused(distil, *command, table, "-o", table, "--force", code=2)
    assert "in.csv: --output would replace this input" in err
    assert "go together" in refused(distil, *command, table, "-o", "o.csv", "--limit", "3", code=2)
    options = (table, "-o", "out.csv", "--precision", "auto")
    assert "--precision auto may choose" in refused(distil, *command, *options, code=2)
    err = refused(distil, *command[:-1], "4/2", table, "-o", "out.csv", code=2)
    assert "--shard 4/2 does not exist" in err


def test_results_of_all_rows_have_no_shards(distil: Run, table: str, tiny_folder: Path) -> None:
    command = ("embed", table, "--model", tiny_folder, "--shard", "0/2", "-o", "out.csv")
    assert "do not go together" in refused(distil, *command, "--dedupe", "0.9", code=2)


# Going on


@pytest.mark.slow
def test_a_part_of_another_number_is_not_taken_for_this_one(
    distil: Run, table: str, tiny_folder: Path
) -> None:
    """As if the jobs of an array had one output."""
    command = ("classify", table, "--model", tiny_folder, "-o", "part.csv")
    distil(*command, "--shard", "2/3")
    assert "nothing to resume" in distil(*command, "--shard", "2/3", "--resume")[2]
    for option in ("--resume", "--retry-errors"):
        err = refused(distil, *command, "--shard", "1/3", option, code=2)
        assert "part.csv: is shard 2/3, not 1/3; name another file" in err


@pytest.mark.slow
def test_a_part_stays_finished_if_its_errors_cannot_be_retried(
    distil: Run, table: str, tiny_folder: Path
) -> None:
    command = ("classify", table, "--model", tiny_folder, "--shard", "2/3", "-o", "part.csv")
    distil(*command)
    original = Path(table).read_bytes()
    Path(table).write_bytes(original + original)
    assert "differs from part.csv" in refused(distil, *command, "--retry-errors")

    Path(table).write_bytes(original)
    code, _, err = distil(*command, "--retry-errors")
    assert (code, "wrote" in err) == (6, True), err


@pytest.mark.slow
def test_a_shard_goes_on_and_its_errors_are_retried(
    distil: Run, table: str, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distilcli.tasks import checkpoints

    monkeypatch.setattr(checkpoints, "SECONDS", 0)
    monkeypatch.setattr(checkpoints, "_MOST_TIME", 1e9)
    command = ("classify", table, "--model", tiny_folder)
    distil(*command, "-o", "whole.csv")
    parts = in_parts(distil, "csv", *command)
    expected = Path(parts[0]).read_bytes()
    Path(parts[0]).unlink()
    of_checkpoints, seen = checkpoints.Checkpoints.note, 0

    def note(*given: Any) -> None:
        nonlocal seen
        of_checkpoints(*given)
        seen += 1
        if seen == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoints, "note", note)
        code, _, err = distil(*command, "--shard", "2/3", "-o", parts[0])
    assert code == 130
    assert not Path(parts[0] + ".run.json").exists()
    err = refused(distil, *command, "--shard", "1/3", "-o", parts[0], "--resume", code=2)
    assert "--shard was '2/3' and is '1/3'" in err

    code, _, err = distil(*command, "--shard", "2/3", "-o", parts[0], "--resume")
    assert "continuing after" in err
    assert Path(parts[0]).read_bytes() == expected
    code, _, err = distil(*command, "--shard", "2/3", "-o", parts[0], "--retry-errors")
    assert code == 6, err
    assert Path(parts[0]).read_bytes() == expected
    assert distil("merge", "merged.csv", *parts)[0] == 0
    assert Path("merged.csv").read_bytes() == Path("whole.csv").read_bytes()
