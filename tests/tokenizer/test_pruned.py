import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.checkpoint.folder import describe_tokenizer
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.tokenizer.pruned import pruned_files, tokens_to_keep
from tests.conftest import WORDS

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS = [*SPECIALS, *dict.fromkeys([*WORDS, *"abdefilmo", *(f"##{c}" for c in "abdefilmo")])]


def write(folder: Path, tokens: list[str] = TOKENS, **settings: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, **settings}))
    return folder


def pruned(folder: Path, texts: list[str], target: Path) -> Path:
    files = describe_tokenizer("m", folder)
    tokenizer = load_tokenizer(files)
    kept = tokens_to_keep(tokenizer, (n for ids in tokenizer.ids(texts) for n in ids))
    target.mkdir(exist_ok=True)
    for path in files.tokenizer_files:
        (target / path.name).write_bytes(path.read_bytes())
    for name, content in pruned_files(files, tokenizer, kept).items():
        text = "".join(f"{line}\n" for line in content) if isinstance(content, list) else None
        (target / name).write_text(text or json.dumps(content))
    return target


def read(folder: Path, text: str) -> list[str]:
    tokenizer = load_tokenizer(describe_tokenizer("m", folder))
    return [tokenizer.tokens[number] for number in tokenizer.ids([text])[0]]


@given(st.lists(st.sampled_from([*WORDS, "filmo", "unlike", "bade", "xyz"]), min_size=1))
def test_a_text_is_read_as_before(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    folder = write(tmp_path_factory.mktemp("whole"))
    text = " ".join(words)
    target = pruned(folder, [text], tmp_path_factory.mktemp("pruned"))
    assert read(target, text) == read(folder, text)


def test_new_words_are_spelled_by_their_letters(tmp_path: Path) -> None:
    target = pruned(write(tmp_path / "whole"), ["bad film"], tmp_path / "pruned")
    assert read(target, "dull") == ["[UNK]"]  # u occurs nowhere
    assert read(target, "bad dim") == ["bad", "d", "##i", "##m"]


def test_ids_follow_each_other_and_specials_stay(tmp_path: Path) -> None:
    target = pruned(write(tmp_path / "whole"), ["bad film"], tmp_path / "pruned")
    tokenizer = load_tokenizer(describe_tokenizer("m", target))
    assert sorted(tokenizer.tokens) == list(range(tokenizer.vocab_size))
    assert tokenizer.vocab_size < len(TOKENS)
    assert {*SPECIALS} <= {*tokenizer.tokens.values()}


def test_added_tokens_get_new_ids(tmp_path: Path) -> None:
    added = {"content": "great-one", "special": False, "single_word": True, "normalized": True}
    decoder = {"added_tokens_decoder": {str(len(TOKENS)): added}}
    folder = write(tmp_path / "whole", **decoder)
    assert read(folder, "a great-one") == ["a", "great-one"]
    target = pruned(folder, ["bad film"], tmp_path / "pruned")
    assert read(target, "bad great-one film") == ["bad", "great-one", "film"]


@pytest.mark.parametrize("processor", ["BertProcessing", "TemplateProcessing"])
def test_tokenizer_json(tmp_path: Path, processor: str) -> None:
    from tokenizers import Tokenizer

    # The special tokens last, so that their ids change.
    tokens = [token for token in TOKENS if token not in SPECIALS] + SPECIALS
    ids = {token: number for number, token in enumerate(tokens)}
    framing: dict[str, object] = {"type": processor, "cls": ["[CLS]", ids["[CLS]"]]}
    framing["sep"] = ["[SEP]", ids["[SEP]"]]
    if processor == "TemplateProcessing":
        frame = [{"SpecialToken": {"id": f"[{name}]", "type_id": 0}} for name in ("CLS", "SEP")]
        single = [frame[0], {"Sequence": {"id": "A", "type_id": 0}}, frame[1]]
        framing = {
            "type": processor,
            "single": single,
            "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                token: {"id": token, "ids": [ids[token]], "tokens": [token]}
                for token in ("[CLS]", "[SEP]")
            },
        }
    folder = write(tmp_path / "whole", tokens)
    (folder / "vocab.txt").unlink()
    added = [
        {"id": ids[token], "content": token, "special": True, "single_word": False,
         "lstrip": False, "rstrip": False, "normalized": False}
        for token in SPECIALS
    ]  # fmt: skip
    raw = {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "lowercase": True, "clean_text": True,
                       "handle_chinese_chars": True, "strip_accents": None},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": framing,
        "model": {"type": "WordPiece", "vocab": ids, "unk_token": "[UNK]",
                  "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    target = pruned(folder, ["a bad film"], tmp_path / "pruned")
    theirs = Tokenizer.from_file(str(target / "tokenizer.json"))
    found = theirs.encode("a bad film")
    assert found.tokens == ["[CLS]", "a", "bad", "film", "[SEP]"]
    assert found.ids == [theirs.token_to_id(token) for token in found.tokens]
    assert read(target, "a bad film") == ["a", "bad", "film"]
