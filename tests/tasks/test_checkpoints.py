"""A run that is interrupted anywhere and goes on writes what an unbroken one does."""

import gzip
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distilcli.engine.batching import Batch, Piece
from distilcli.engine.engine import Engine
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.rows import file_output, reader
from distilcli.rows.identity import RunIdentity
from distilcli.rows.journal import Journal
from distilcli.rows.reader import open_rows
from distilcli.rows.row import Row, cell_text
from distilcli.rows.writer import open_writer
from distilcli.stats import RunStats
from distilcli.tasks import checkpoints
from distilcli.tasks.checkpoints import Checkpoints
from distilcli.tasks.files import run_files

RUN = RunIdentity("classify", "1", "model", {}, {})
WINDOW = 7

Distil = Callable[..., tuple[int, str, str]]


class Neighbours:
    """Gives a number that depends on all texts of a batch, as last bits do."""

    def __init__(self) -> None:
        self.encoded = 0

    def size(self, item: Row) -> int:
        return len(str(item.cells))

    def encode(self, items: Sequence[Row]) -> list[Encoded | RowError]:
        self.encoded += len(items)
        return [self._encode(item) for item in items]

    def _encode(self, item: Row) -> Encoded | RowError:
        if item.error is not None:
            return RowError(item.error)
        try:
            text = cell_text(item, "text")
        except RowError as error:
            return error
        if text.startswith("bad"):
            return RowError(f"{item.source}: line {item.line}: bad")
        return Encoded([Piece([ord(sign) for sign in text] or [1])], truncated=len(text) > 12)

    def forward(self, batch: Batch) -> list[int]:
        whole = int((batch.input_ids * torch.arange(1, batch.input_ids.shape[1] + 1)).sum())
        return [whole + len(piece) for piece in batch.pieces]

    def decode(self, item: Row, encoded: Encoded, outputs: Sequence[int]) -> int:
        return outputs[0]


class Columns:
    """The columns of a number; CoNLL has words and tags."""

    names = ("number", "words", "tags")

    def values(self, value: int) -> list[object]:
        return [value, ["a", "b"], [str(value), "O"]]

    def counted(self, value: int) -> list[str]:
        return [str(value % 3)]


class StoppedError(Exception):
    """Stands for whatever ends a run."""


def run(
    paths: Sequence[str],
    output: str,
    *,
    stop_after: int | None = None,
    on_error: Any = "keep",
    given: dict[str, Any] | None = None,
) -> tuple[RunStats, int]:
    """Run as the commands do, maybe until a block; return the counts and the rows encoded."""
    journal, stats, task, blocks = Journal(output), RunStats(), Neighbours(), 0
    engine = Engine(
        task,
        pad_token_id=0,
        devices=[torch.device("cpu")],
        max_tokens=40,
        window_rows=WINDOW,
        workers=2,
        on_error=on_error,
    )
    saved = journal.read()
    with (
        open_rows(paths, **(given or {})) as source,
        open_writer(
            output,
            columns=source.columns,
            new_columns=Columns.names[:1],
            input_format=source.format,
            delimiter=source.delimiter,
            conll=True,
            goes_on=saved is not None,
        ) as writer,
    ):
        here = Checkpoints(journal, lambda: RUN, source, stats)
        if saved is not None:
            assert saved[0] == RUN
            here.go_on(saved[1], writer)

        def on_block(block: object) -> None:
            nonlocal blocks
            here.note(writer, checkpoints.Counter(), stats.rows)
            blocks += 1
            if blocks == stop_after:
                raise StoppedError

        columns: Any = Columns()
        if not output.endswith(".conll"):
            columns.names, columns.values = Columns.names[:1], lambda value: [value]
        with here.of(writer):
            run_files(source, engine, writer, columns, stats=stats, on_block=on_block)
    here.ended()
    return stats, task.encoded


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save at every block, know the place of every second row, cut members often."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0)
    monkeypatch.setattr(checkpoints, "_MOST_TIME", 1e9)
    monkeypatch.setattr(reader, "_ROWS_PER_MARK", 2)
    monkeypatch.setattr(file_output, "MEMBER_SIZE", 300)


TEXTS = [
    *("good", "bad one", "", 'a "quoted" text', "more\nlines\n\nhere", "tab\there", "é😀, z"),
    *("a longer text than the others are", "x", "y y", "good", "bad", "last but one", '"', "z"),
] * 4


def _delimited(sign: str) -> Iterator[str]:
    special = {sign, '"', "\n"}
    yield f"id{sign}text\n"
    for number, text in enumerate(TEXTS):
        quoted = '"' + text.replace('"', '""') + '"'
        surplus = f"{sign}more" if number == 33 else ""
        yield f"{number}{sign}{quoted if set(text) & special else text}{surplus}\n"


def _write(folder: Path, name: str) -> list[str]:
    """Write TEXTS in the format of a name; return the paths to read."""
    path, lines = folder / name, [text.replace("\n", " ") for text in TEXTS]
    objects = [json.dumps({"id": n, "text": text}) for n, text in enumerate(TEXTS)]
    objects[9] += "x"
    contents = {
        "in.csv": "".join(_delimited(",")),
        "in.tsv": "".join(_delimited("\t")),
        "in.txt": "\n".join(lines),
        "in.jsonl": "\r\n".join([*objects[:5], "", *objects[5:]]),
        "in.json": f"[{', '.join(objects[10:])}]",
        "in.conll": "# first\n\n\n"
        + "".join(
            "".join(f"{word} O\n" for word in (line.split() or ["x"])) + "\n" for line in lines
        ),
    }
    if name in contents:
        path.write_text(contents[name], encoding="utf-8", newline="")
    elif name == "in.csv.gz":
        path.write_bytes(gzip.compress(contents["in.csv"].encode()))
    elif name == "utf16.csv":
        path.write_bytes(contents["in.csv"].encode("utf-16"))
    elif name == "in.db":
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE t (id, text)")
        database.executemany(
            "INSERT INTO t (_rowid_, id, text) VALUES (?, ?, ?)",
            [(3 * n - 20, n, text) for n, text in enumerate(TEXTS)],
        )
        database.commit()
        database.close()
    elif name == "in.parquet":
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({"text": TEXTS}), path, row_group_size=9)
    else:  # a folder
        path.mkdir()
        for number, text in enumerate(TEXTS):
            (path / f"{number:03}.txt").write_text(text, newline="")
    return [str(path)]


INPUTS = [
    "in.csv",
    "in.tsv",
    "in.txt",
    "in.jsonl",
    "in.json",
    "in.conll",
    "in.csv.gz",
    "utf16.csv",
    "in.db",
    "in.parquet",
    "folder",
]
OUTPUTS = [
    "out.csv",
    "out.tsv",
    "out.jsonl",
    "out.json",
    "out.conll",
    "out.csv.gz",
    "out.jsonl.bz2",
    "out.tsv.xz",
    "out.csv.zst",
    "out.parquet",
    "out.db",
    "out.db::t",
]
GIVEN: dict[str, dict[str, Any]] = {
    "folder": {"whole_files": True},
    "utf16.csv": {"encoding": "utf-16"},
}


def _outputs(name: str) -> str:
    return name.partition("::")[0]


def _check(name: str, output: str, stops: Sequence[int], *, twice: bool, **more: Any) -> None:
    with TemporaryDirectory() as place:
        folder = Path(place)
        for each in ("whole", "broken"):
            (folder / each).mkdir()
        paths = _write(folder, name) * (1 + twice)
        given = {**GIVEN.get(name, {}), **({"file_column": "file"} if twice else {})}
        stats, rows = run(paths, f"{folder}/whole/{output}", given=given, **more)
        target = f"{folder}/broken/{output}"
        done, encoded = 0, 0
        for stop in (*stops, None):
            try:
                again, encoded = run(paths, target, stop_after=stop, given=given, **more)
                break
            except StoppedError:
                saved = Journal(target).read()
                done = saved[1].rows if saved else 0
        file = _outputs(output)
        assert (folder / "broken" / file).read_bytes() == (folder / "whole" / file).read_bytes()
        assert [path.name for path in (folder / "broken").iterdir()] == [file]
        assert encoded == rows - done
        counts = again.as_dict()
        for key in (
            "rows",
            "failed_rows",
            "skipped_rows",
            "truncated_rows",
            "first_error",
            "tokens",
            "padding_tokens",
            "batches",
        ):
            assert counts[key] == stats.as_dict()[key], key


@pytest.mark.slow
@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output(output: str) -> None:
    _check("in.csv", output, [2, 1, 3], twice=False)


@pytest.mark.slow
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("name", INPUTS)
def test_every_input(name: str, twice: bool) -> None:
    _check(name, "out.jsonl", [4, 2], twice=twice)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    st.sampled_from(INPUTS),
    st.sampled_from(OUTPUTS),
    st.lists(st.integers(1, 9), max_size=4),
    st.booleans(),
    st.sampled_from(["keep", "skip"]),
)
def test_any_input_and_output(
    name: str, output: str, stops: list[int], twice: bool, on_error: str
) -> None:
    _check(name, output, stops, twice=twice, on_error=on_error)
