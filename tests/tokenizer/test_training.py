from pathlib import Path

import pytest

from distilcli.checkpoint.folder import describe_tokenizer
from distilcli.errors import InputError, UsageError
from distilcli.rows import open_rows
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.tokenizer.options import TokenizerOptions
from distilcli.tokenizer.training import check_folder, save_tokenizer, texts_of, train_vocabulary

TEXTS = ["the cat sat on the mat", "the rat sat on the cat", "Naïve cats, naive rats!"] * 5
OPTIONS = TokenizerOptions(model_max_length=512)


def test_what_is_frequent_is_a_token() -> None:
    vocabulary = train_vocabulary(TEXTS, size=100, options=OPTIONS)
    assert sorted(vocabulary, key=vocabulary.__getitem__)[:5] == [
        *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    ]
    assert {"the", "cat", "sat", "naive"} <= vocabulary.keys()
    assert len(vocabulary) <= 100


def test_the_same_texts_give_the_same_vocabulary() -> None:
    first = train_vocabulary(TEXTS, size=60, options=OPTIONS)
    assert train_vocabulary(TEXTS, size=60, options=OPTIONS) == first


def test_letters_fill_no_more_than_half() -> None:
    texts = ["".join(map(chr, range(0x400, 0x450))), "the the the the cat cat"]
    vocabulary = train_vocabulary(texts, size=40, options=TokenizerOptions(do_lower_case=False))
    assert "the" in vocabulary
    assert "\u0410" not in vocabulary


def test_cased() -> None:
    options = TokenizerOptions(do_lower_case=False)
    assert "Naïve" in train_vocabulary(TEXTS, size=100, options=options)


@pytest.mark.parametrize("only", ["tokenizer.json", "vocab.txt"])
def test_what_is_saved_is_read_again(tmp_path: Path, only: str) -> None:
    vocabulary = train_vocabulary(TEXTS, size=100, options=OPTIONS)
    paths = save_tokenizer(vocabulary, OPTIONS, tmp_path / "new")
    assert [path.name for path in paths] == [
        *("special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    (tmp_path / "new" / ({"tokenizer.json", "vocab.txt"} - {only}).pop()).unlink()
    tokenizer = load_tokenizer(describe_tokenizer("new", tmp_path / "new"))
    assert tokenizer.tokens == {number: token for token, number in vocabulary.items()}
    assert tokenizer.max_length == 512
    assert [*map(list, tokenizer.ids(["the cat"]))] == [[vocabulary["the"], vocabulary["cat"]]]


@pytest.mark.parametrize("texts", [[], [""], [" \t "]])
def test_no_words(texts: list[str]) -> None:
    with pytest.raises(InputError, match="no words"):
        train_vocabulary(texts, size=100, options=OPTIONS)


def test_a_row_that_cannot_be_learned_from(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("text,b\nx,y\nz\n")
    with pytest.raises(InputError, match="line 3: 1 cell where"):
        list(texts_of(open_rows([str(path)])))


def test_where_it_cannot_be_saved(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="use `force`"):
        check_folder(tmp_path, force=False)
    check_folder(tmp_path, force=True)
    with pytest.raises(UsageError, match="is a file"):
        check_folder(tmp_path / "file", force=True)
    with pytest.raises(UsageError, match="no folder"):
        check_folder(tmp_path / "a" / "b", force=False)
