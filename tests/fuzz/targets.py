"""What is fuzzed: functions that take any bytes, and let no exception out but a bug's.

Each writes its bytes where the program would read them from, and uses what comes back.
"""

import contextlib
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from distilcli.checkpoint.config import dump_config, parse_config, read_config
from distilcli.checkpoint.folder import TokenizerFiles, describe_tokenizer
from distilcli.checkpoint.safetensors_header import read_header, read_shard_index
from distilcli.errors import DataWarning, DistilError
from distilcli.rows import open_rows
from distilcli.rows.row import cell_value
from distilcli.rows.row_writer import unique_names
from distilcli.tokenizer.loading import EngineName, load_tokenizer, load_vocabulary

_FOLDER = Path(tempfile.mkdtemp(prefix="distil-fuzz-"))
_FORMATS = ("csv", "tsv", "jsonl", "json", "txt", "squad", "conll", None)
_ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "cp1252", "utf-7", "shift_jis", "utf-8-sig", "ascii")
_COMPRESSIONS = ("", "", "", "", ".gz", ".bz2", ".xz", ".zst")
_TEXTS = ("the movie was UNLIKE [MASK], \x00 caf\xe9 好\ud800 e\u0301", "", " ")
_MOST_ROWS = 1_000


def rows(data: bytes) -> None:
    """Read rows: the first two bytes choose the format, the encoding and the compression."""
    head, content = data[:2].ljust(2, b"\0"), data[2:]
    kind = _FORMATS[head[0] % 8]
    path = _written("rows/rows" + _COMPRESSIONS[head[1] % 8], content)
    with contextlib.suppress(DistilError), warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        with open_rows(
            [str(path)],
            input_format=kind or "txt",
            encoding=_ENCODINGS[head[0] // 8 % 8],
            no_header=kind in {"csv", "tsv"} and head[1] >= 128,
            limit=_MOST_ROWS,
        ) as source:
            unique_names(source.columns)
            for row in source:
                assert len(row.columns) == len(row.cells)
                with contextlib.suppress(DistilError):
                    cell_value(row, source.text_column)


def header(data: bytes) -> None:
    """Read a safetensors file, and the index of its shards."""
    path = _written("header/model.safetensors", data)
    with contextlib.suppress(DistilError):
        for info in read_header(path).tensors.values():
            assert 0 <= info.begin <= info.end <= len(data)
    with contextlib.suppress(DistilError):
        for shard in read_shard_index(path):
            assert shard.parent == path.parent


def config(data: bytes) -> None:
    """Read a config.json; what was read is written and read again as the same."""
    path = _written("config/config.json", data)
    with contextlib.suppress(DistilError):
        found = read_config(path)
        assert parse_config(json.loads(json.dumps(dump_config(found)))) == found


def tokenizer_json(data: bytes) -> None:
    """Load a tokenizer.json with both engines, and tokenize."""
    path = _written("tokenizer/tokenizer.json", data)
    _use(describe_tokenizer("m", path.parent))


def tokenizer_files(data: bytes) -> None:
    """Load the settings beside a vocabulary with both engines, and tokenize."""
    parts = data.split(b"\0", len(_SETTINGS) - 1)
    for name, content in zip(_SETTINGS, [*parts, *[b""] * len(_SETTINGS)], strict=False):
        _written(f"settings/{name}", content)
    _use(describe_tokenizer("m", _FOLDER / "settings"))


def wordpiece(data: bytes) -> None:
    """Tokenize a text with a vocabulary, both from the bytes; the engines agree."""
    vocabulary, _, text = data.partition(b"\0")
    path = _written("wordpiece/vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n" + vocabulary)
    content = text.decode("utf-8", "surrogateescape")
    with contextlib.suppress(DistilError):
        fast, plain = (load_vocabulary(path, engine=engine) for engine in _ENGINES)
        assert fast.ids([content]) == plain.ids([content])
        assert fast.encode([content]) == plain.encode([content])
        fast.decode(fast.ids([content])[0])


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (rows, header, config, tokenizer_json, tokenizer_files, wordpiece)
}

_ENGINES: tuple[EngineName, ...] = ("fast", "wordpiece")
_SETTINGS = (
    *("vocab.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    "config.json",
)


def _use(files: TokenizerFiles) -> None:
    for engine in _ENGINES:
        with contextlib.suppress(DistilError):
            tokenizer = load_tokenizer(files, engine=engine)
            tokenizer.encode(_TEXTS)
            for ids in tokenizer.ids(_TEXTS):
                assert all(0 <= number < tokenizer.vocab_size for number in ids)
                tokenizer.decode(ids)


def _written(name: str, content: bytes) -> Path:
    path = _FOLDER / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path
