"""Training: a WordPiece vocabulary from texts, saved as the tokenizer files of a model."""

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from distilcli.errors import InputError, ResourceError, RowError, UsageError
from distilcli.interrupt import undo_at_sudden_end
from distilcli.rows import RowSource, cell_text
from distilcli.tokenizer.options import TokenizerOptions
from distilcli.tokenizer.vocabulary import Vocabulary
from distilcli.tokenizer.wordpiece import BasicTokenizer

_MIN_FREQUENCY = 2
_AT_ONCE = 1000


def train_vocabulary(texts: Iterable[str], *, size: int, options: TokenizerOptions) -> Vocabulary:
    """Learn a vocabulary of at most `size` tokens, the five special ones first.

    The most frequent letters come next, in at most half of it; words with rarer letters are
    dropped. The same texts give the same vocabulary. Raises `InputError` for texts without words.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    special = [options.pad_token, options.unk_token, options.cls_token, options.sep_token]
    special.append(options.mask_token)
    words = count_words(texts, options)
    letters = _frequent_letters(words, limit=(size - len(special)) // 4)
    if not letters:
        raise InputError("there are no words to learn a vocabulary from; give files with text")
    words = Counter({word: count for word, count in words.items() if letters.issuperset(word)})
    ordered = sorted(letters)
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=_MIN_FREQUENCY,
        limit_alphabet=len(ordered),
        # The trainer would number letters in the order of a hash table and break ties by number;
        # given as special tokens, they always get the same numbers.
        special_tokens=[*special, *ordered, *(f"##{letter}" for letter in ordered)],
        show_progress=False,
    )
    backend = Tokenizer(models.WordPiece(unk_token=options.unk_token))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.train_from_iterator(_repeated(words), trainer)
    vocabulary: Vocabulary = backend.get_vocab()
    return vocabulary


def count_words(texts: Iterable[str], options: TokenizerOptions) -> Counter[str]:
    """Count the words of texts, normalized by `options`."""
    basic = BasicTokenizer(options)
    find_stretches = re.compile(f"[^{basic.whitespace}]+").findall
    # Each stretch without whitespace is normalized only once.
    stretches: Counter[str] = Counter()
    for text in texts:
        stretches.update(find_stretches(text))
    words: Counter[str] = Counter()
    for stretch, count in stretches.items():
        text = basic.normalize(stretch).text
        for start, end in basic.words(text, 0, len(text)):
            words[text[start:end]] += count
    return words


def _frequent_letters(words: Counter[str], *, limit: int) -> set[str]:
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for letter in word:
            counts[letter] += count
    return set(sorted(counts, key=lambda letter: (-counts[letter], letter))[:limit])


def _repeated(words: Counter[str]) -> Iterator[str]:
    """Yield every word as often as it was counted, in texts of many."""
    for word, count in words.items():
        for start in range(0, count, _AT_ONCE):
            yield " ".join([word] * min(_AT_ONCE, count - start))


def texts_of(source: RowSource) -> Iterator[str]:
    """Yield the texts of all rows; raise `InputError` for a row without text."""
    column = source.text_column
    for row in source:
        if row.error is not None:
            raise InputError(row.error)
        try:
            yield cell_text(row, column)
        except RowError as error:
            raise InputError(str(error)) from None


def check_folder(folder: Path, *, force: bool) -> None:
    """Raise `UsageError` if a tokenizer cannot be saved as `folder`, before any work is done."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder for the tokenizer")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder}: is not empty; use `force` to replace the tokenizer in it")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"{folder}: there is no folder '{folder.parent}'; create it first")


def save_tokenizer(vocabulary: Vocabulary, options: TokenizerOptions, folder: Path) -> list[Path]:
    """Write the usual tokenizer files into `folder` and return their paths.

    They are written to a temporary folder and moved when all are complete.
    """
    stage = folder.with_name(f".{folder.name}.{os.urandom(4).hex()}.part")
    undo = undo_at_sudden_end(partial(shutil.rmtree, stage))
    try:
        stage.mkdir()
        _write_files(vocabulary, options, stage)
        folder.mkdir(exist_ok=True)
        return [path.replace(folder / path.name) for path in sorted(stage.iterdir())]
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        undo.close()


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
