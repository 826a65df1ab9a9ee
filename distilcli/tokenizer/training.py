"""A new WordPiece vocabulary from texts, saved as the tokenizer files of a model."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from distilcli.errors import InputError, ResourceError, RowError, UsageError
from distilcli.rows import RowSource, cell_text
from distilcli.tokenizer.options import TokenizerOptions
from distilcli.tokenizer.vocabulary import Vocabulary

SMALLEST = 100


def train_vocabulary(texts: Iterable[str], *, size: int, options: TokenizerOptions) -> Vocabulary:
    """Learn a vocabulary of at most `size` tokens, the five special ones first.

    Raises `InputError` where the texts have no words.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    special = [options.pad_token, options.unk_token, options.cls_token, options.sep_token]
    special.append(options.mask_token)
    backend = Tokenizer(models.WordPiece(unk_token=options.unk_token))
    backend.normalizer = normalizers.BertNormalizer(
        lowercase=options.do_lower_case, strip_accents=options.strips_accents
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=special, limit_alphabet=size // 2, show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    vocabulary: Vocabulary = backend.get_vocab()
    if len(vocabulary) <= len(special):
        raise InputError("there are no words to learn a vocabulary from; give files with text")
    return vocabulary


def texts_of(source: RowSource) -> Iterator[str]:
    """Yield the texts of all rows; raise `InputError` for a row that has none."""
    column = source.text_column
    for row in source:
        if row.error is not None:
            raise InputError(row.error)
        try:
            yield cell_text(row, column).encode("utf-8", "replace").decode("utf-8")
        except RowError as error:
            raise InputError(str(error)) from None


def check_folder(folder: Path, *, force: bool) -> None:
    """Raise `UsageError` if a tokenizer cannot be saved as `folder`, before any work is done."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder for the tokenizer")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder}: is not empty; use --force to replace the tokenizer in it")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"{folder}: there is no folder '{folder.parent}'; make it first")


def save_tokenizer(vocabulary: Vocabulary, options: TokenizerOptions, folder: Path) -> list[Path]:
    """Write the tokenizer files that the hub's users know into `folder`; return their paths.

    They are written aside and moved in one by one when all are there.
    """
    stage = folder.with_name(f".{folder.name}.{os.urandom(4).hex()}.part")
    try:
        stage.mkdir()
        _write_files(vocabulary, options, stage)
        folder.mkdir(exist_ok=True)
        return [path.replace(folder / path.name) for path in sorted(stage.iterdir())]
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _write_files(vocabulary: Vocabulary, options: TokenizerOptions, folder: Path) -> None:
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    (folder / "vocab.txt").write_text("".join(f"{t}\n" for t in tokens), encoding="utf-8")
    backend = BertWordPieceTokenizer(
        vocabulary, lowercase=options.do_lower_case, strip_accents=options.strip_accents
    )
    backend.save(str(folder / "tokenizer.json"), pretty=False)
    special = {f"{role}_token": token for role, token in options.special_tokens().items()}
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": options.do_lower_case,
        "strip_accents": options.strip_accents,
        "tokenize_chinese_chars": options.tokenize_chinese_chars,
        "model_max_length": options.model_max_length,
        **special,
    }
    _write_json(folder / "tokenizer_config.json", settings)
    _write_json(folder / "special_tokens_map.json", special)


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
