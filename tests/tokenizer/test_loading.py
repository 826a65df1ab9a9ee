import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distilcli.checkpoint.folder import describe_tokenizer
from distilcli.errors import ModelError
from distilcli.tokenizer.loading import EngineName, load_tokenizer, load_vocabulary
from distilcli.tokenizer.tokenizer import Tokenizer

Files = Callable[..., Path]

ENGINES: tuple[EngineName, ...] = ("fast", "wordpiece")


def load(folder: Path, engine: EngineName = "fast") -> Tokenizer:
    return load_tokenizer(describe_tokenizer("test", folder), engine=engine)


def tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    return [tokenizer.tokens[number] for number in tokenizer.ids([text])[0]]


@pytest.mark.parametrize("engine", ENGINES)
def test_vocab_txt_alone_is_uncased(
    write_files: Files, vocab_text: str, engine: EngineName
) -> None:
    tokenizer = load(write_files(vocab_txt=vocab_text), engine)
    assert tokens(tokenizer, "The [SEP] naïve") == ["the", "[SEP]", "naive"]
    assert tokenizer.max_length is None
    assert tokenizer.engine == engine


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("settings", "text", "expected"),
    [
        ({"do_lower_case": False}, "New naïve", ["New", "naïve"]),
        ({"strip_accents": False}, "NaÏve", ["naïve"]),
        ({"do_lower_case": False, "strip_accents": True}, "naïve", ["naive"]),
        ({"tokenize_chinese_chars": False}, "中国", ["中", "##国"]),
        ({"do_basic_tokenize": False}, "New great,", ["New", "[UNK]"]),
        ({"do_split_on_punc": False}, "great,", ["[UNK]"]),
        ({"never_split": ["New"]}, "New new", ["New", "n", "##e", "##w"]),
        ({"unk_token": "don"}, "Ж", ["don"]),
        ({"mask_token": {"content": "fun"}}, "funfun", ["fun", "fun"]),
        (
            {"added_tokens_decoder": {"5": {"content": "a", "special": False}}},
            "banana",
            ["b", "a", "n", "a", "n", "a"],
        ),
    ],
)
def test_every_option_counts_in_both_engines(
    write_files: Files,
    tokenizer_json: dict[str, object],
    vocab_text: str,
    engine: EngineName,
    settings: dict[str, Any],
    text: str,
    expected: list[str],
) -> None:
    if "added_tokens_decoder" in settings:
        number = vocab_text.splitlines().index("a")
        settings = {"added_tokens_decoder": {str(number): settings["added_tokens_decoder"]["5"]}}
    folder = write_files(vocab_txt=vocab_text, tokenizer_config_json=settings)
    assert tokens(load(folder, engine), text) == expected
    write_files(tokenizer_json=tokenizer_json)
    assert tokens(load(folder, engine), text) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_tokenizer_json_says_how(
    write_files: Files, tokenizer_json: dict[str, Any], engine: EngineName
) -> None:
    tokenizer_json["normalizer"]["lowercase"] = False
    tokenizer_json["model"]["max_input_chars_per_word"] = 4
    tokenizer = load(write_files(tokenizer_json=tokenizer_json), engine)
    assert tokens(tokenizer, "New naïve the a b c") == ["New", "[UNK]", "the", "a", "b", "c"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_special_tokens_map(write_files: Files, vocab_text: str, engine: EngineName) -> None:
    folder = write_files(vocab_txt=vocab_text, special_tokens_map_json={"cls_token": "fun"})
    tokenizer = load(folder, engine)
    assert tokenizer.tokens[tokenizer.special.cls] == "fun"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model_max_length": 128}, 128),
        ({"model_max_length": 1e30}, 64),
        ({"model_max_length": None}, 64),
        ({}, 64),
    ],
)
def test_a_missing_or_absurd_limit(
    write_files: Files, vocab_text: str, settings: dict[str, object], expected: int
) -> None:
    config = {"max_position_embeddings": 64}
    folder = write_files(vocab_txt=vocab_text, tokenizer_config_json=settings, config_json=config)
    assert load(folder).max_length == expected


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"normalizer": {"type": "Lowercase"}}, "the normalizer Lowercase"),
        ({"pre_tokenizer": {"type": "Metaspace"}}, "the pre-tokenizer Metaspace"),
        (
            {
                "normalizer": {
                    "type": "BertNormalizer",
                    "clean_text": False,
                    "lowercase": True,
                    "handle_chinese_chars": True,
                    "strip_accents": None,
                }
            },
            "does not clean",
        ),
    ],
)
def test_what_only_the_rust_engine_can(
    write_files: Files, tokenizer_json: dict[str, Any], change: dict[str, Any], what: str
) -> None:
    if what.endswith("Metaspace"):
        change["pre_tokenizer"] |= {"replacement": "_", "prepend_scheme": "never", "split": True}
    folder = write_files(tokenizer_json={**tokenizer_json, **change})
    assert load(folder).ids(["fun"])
    with pytest.raises(ModelError, match=what):
        load(folder, "wordpiece")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "neither tokenizer.json nor vocab.txt"),
        ({"vocab_txt": "[PAD]\n[CLS]\n[SEP]\na\n"}, "no [UNK]"),
        ({"vocab_txt": "[PAD]\n[UNK]\n[CLS]\na\n"}, "no [SEP]"),
        ({"vocab_txt": "[UNK]\na\nb\na\n"}, "line 4: 'a' is on line 2 already"),
        ({"vocab_txt": "\n\n"}, "holds no tokens"),
        ({"tokenizer_json": {"model": {"type": "BPE"}}}, "its model is 'BPE'"),
        ({"tokenizer_json": {"model": {"type": "Unigram", "vocab": []}}}, "its model is 'Unigram'"),
        ({"tokenizer_json": {}}, "its model is None"),
        ({"tokenizer_json": "{"}, "line 1, column 2: not JSON"),
        ({"tokenizer_json": "[]"}, "not a JSON object"),
        ({"tokenizer_json": {"model": {"type": "WordPiece", "vocab": []}}}, "map tokens to ids"),
        ({"tokenizer_json": {"model": {"type": "WordPiece", "vocab": {"a": "1"}}}}, "to ids"),
        (
            {"tokenizer_json": {"model": {"type": "WordPiece", "vocab": {"a": 7, "b": 7}}}},
            "two tokens have the id 7",
        ),
        (
            {
                "tokenizer_json": {
                    "model": {"type": "WordPiece", "vocab": {"a": 0}},
                    "added_tokens": ["a"],
                }
            },
            "added_tokens must be objects",
        ),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_files_that_cannot_be_used(
    write_files: Files, files: dict[str, Any], message: str, engine: EngineName
) -> None:
    folder = write_files(**files)
    with pytest.raises(ModelError) as raised:
        load(folder, engine)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"do_lower_case": "yes"}, "do_lower_case is 'yes'; it must be true or false"),
        ({"never_split": "a"}, "never_split is 'a'; it must be a list"),
        ({"never_split": [1]}, "never_split is 1; it must be a text"),
        ({"sep_token": 3}, "sep_token is 3; it must be a text or have a content"),
        ({"sep_token": "[END]"}, "no [END]"),
        ({"added_tokens_decoder": {"x": "y"}}, "'x' where an id belongs"),
    ],
)
def test_options_that_cannot_be_meant(
    write_files: Files, vocab_text: str, settings: dict[str, object], message: str
) -> None:
    folder = write_files(vocab_txt=vocab_text, tokenizer_config_json=settings)
    with pytest.raises(ModelError) as raised:
        load(folder)
    assert message in str(raised.value)


def test_an_added_token_out_of_line(write_files: Files, vocab_text: str) -> None:
    decoder = {"added_tokens_decoder": {"5000": {"content": "<ent>"}}}
    folder = write_files(vocab_txt=vocab_text, tokenizer_config_json=decoder)
    with pytest.raises(ModelError, match="'<ent>' has id 5000"):
        load(folder)


def test_a_vocabulary_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"[UNK]\n[CLS]\n\xe9\n")
    with pytest.raises(ModelError, match="line 3: byte 0xe9 is not UTF-8"):
        load_vocabulary(path)


def test_line_ends_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"\xef\xbb\xbf[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n\r\na\r\n")
    assert list(load_vocabulary(path).ids(["a"])[0]) == [5]


def test_capitals_in_the_vocabulary_say_that_it_is_cased(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    special = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n"
    path.write_text(special + "new\n")
    assert list(load_vocabulary(path).ids(["New"])[0]) == [4]
    assert list(load_vocabulary(path, cased=True).ids(["New"])[0]) == [1]
    path.write_text(special + "new\nNew\n")
    assert list(load_vocabulary(path).ids(["New"])[0]) == [5]
    assert list(load_vocabulary(path, cased=False).ids(["New"])[0]) == [4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"do_lower_case": "yes"}', "do_lower_case is 'yes'; it must be true or false"),
        ('{"cls_token": {"x": 1}}', "cls_token is .*; it must be a text or have a content"),
        (f'{{"model_max_length": {"9" * 5_000}}}', "cannot be read as JSON"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_a_tokenizer_config_that_cannot_be_meant_is_refused(
    write_files: Files, vocab_text: str, content: str, message: str
) -> None:
    folder = write_files(vocab_txt=vocab_text)
    (folder / "tokenizer_config.json").write_text(content)
    with pytest.raises(ModelError, match=f"tokenizer_config.json: .*{message}"):
        load(folder)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_lone_surrogate_ends_nothing(
    write_files: Files, vocab_text: str, engine: EngineName
) -> None:
    tokenizer = load(write_files(vocab_txt=vocab_text), engine)
    assert tokenizer.ids(["\ud800 great", "great"]) == tokenizer.ids(["great", "great"])


def test_importing_the_engine_changes_nothing_in_the_process() -> None:
    code = "import os; before = dict(os.environ); import distilcli.tokenizer.fast; "
    code += "assert os.environ == before"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_of_either_kind_read_as_each_other(
    write_files: Files, tokenizer_json: dict[str, object], vocab_text: str, tmp_path: Path
) -> None:
    plain = load(write_files(vocab_txt=vocab_text), "wordpiece")
    limit = {"model_max_length": 9, "strip_accents": True, "clean_up_tokenization_spaces": False}
    limited = load(write_files(vocab_txt=vocab_text, tokenizer_config_json=limit))
    (tmp_path / "vocab.txt").unlink()
    whole = load(write_files(tokenizer_json=tokenizer_json, tokenizer_config_json={}))
    for other in (plain, limited, whole):
        assert plain.reads_as(other)
        assert other.reads_as(plain)


@pytest.mark.parametrize(
    "options",
    [
        {"do_lower_case": False},
        {"strip_accents": False},
        {"tokenize_chinese_chars": False},
        {"do_split_on_punc": False},
        {"do_basic_tokenize": False},
        {"never_split": ["New"]},
        {"sep_token": "don"},
    ],
    ids=str,
)
def test_a_tokenizer_of_other_rules_reads_otherwise(
    write_files: Files, vocab_text: str, options: dict[str, object]
) -> None:
    plain = load(write_files(vocab_txt=vocab_text))
    other = load(write_files(vocab_txt=vocab_text, tokenizer_config_json=options))
    assert not plain.reads_as(other)
    assert not other.reads_as(plain)


def test_a_tokenizer_of_another_vocabulary_reads_otherwise(
    write_files: Files, vocab_text: str
) -> None:
    plain = load(write_files(vocab_txt=vocab_text))
    longer = load(write_files(vocab_txt=vocab_text + "another\n"))
    assert not plain.reads_as(longer)
    assert not longer.reads_as(plain)


@pytest.mark.parametrize("name", ["vocab.txt", "tokenizer.json", "tokenizer_config.json"])
def test_a_git_lfs_pointer_is_named_as_one(write_files: Files, vocab_text: str, name: str) -> None:
    folder = write_files(vocab_txt=vocab_text)
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\nsize 9\n")
    with pytest.raises(ModelError, match=f"{name}: is a git-lfs pointer"):
        load_tokenizer(describe_tokenizer("m", folder))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("where", ["tokenizer_config_json", "special_tokens_map_json"])
def test_special_tokens_may_be_split(
    write_files: Files, vocab_text: str, engine: EngineName, where: str
) -> None:
    text = vocab_text + "<b>\n"
    added = {"<b>": text.split("\n").index("<b>")}
    folder = write_files(
        vocab_txt=text, added_tokens_json=added, **{where: {"split_special_tokens": True}}
    )
    tokenizer = load(folder, engine)
    assert tokens(tokenizer, "a[SEP]<b>")[:2] == ["a", "["]
    assert tokens(tokenizer, "a[SEP]<b>")[-1] == "<b>"  # not a special token
    assert not tokenizer.reads_as(load(write_files(**{where: {}}), engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_added_tokens_json(write_files: Files, vocab_text: str, engine: EngineName) -> None:
    first = len(vocab_text.splitlines())
    folder = write_files(
        vocab_txt=vocab_text,
        added_tokens_json={"[E1]": first, "BIG-word": first + 1},
        special_tokens_map_json={"additional_special_tokens": ["[E1]"]},
    )
    tokenizer = load(folder, engine)
    (ids,) = tokenizer.ids(["a [E1] big-WORD [e1]"])
    assert list(ids[1:3]) == [first, first + 1]
    assert first not in ids[3:]  # a special token is matched as written
    assert first in tokenizer.special_numbers


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("key", ["additional_special_tokens", "extra_special_tokens"])
@pytest.mark.parametrize("given", [["[E]"], {"entity": {"content": "[E]"}}])
def test_special_tokens_without_a_role(
    write_files: Files, vocab_text: str, engine: EngineName, key: str, given: object
) -> None:
    if key == "additional_special_tokens" and isinstance(given, dict):
        given = [*given.values()]
    folder = write_files(vocab_txt=vocab_text, tokenizer_config_json={key: given})
    assert list(load(folder, engine).ids(["[E]"])[0]) == [len(vocab_text.splitlines())]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"added_tokens_json": {"x": "1"}}, "added_tokens.json: 'x' is '1'; it must be an id"),
        ({"tokenizer_config_json": {"truncation_side": "up"}}, "truncation_side is 'up'"),
        ({"tokenizer_config_json": {"split_special_tokens": 1}}, "split_special_tokens is 1"),
        ({"tokenizer_config_json": {"extra_special_tokens": "[E]"}}, "must be a list"),
    ],
)
def test_settings_that_are_none(
    write_files: Files, vocab_text: str, files: dict[str, object], why: str
) -> None:
    with pytest.raises(ModelError) as caught:
        load(write_files(vocab_txt=vocab_text, **files))
    assert why in str(caught.value)


def test_the_side_of_truncation(
    write_files: Files, tokenizer_json: dict[str, Any], vocab_text: str
) -> None:
    folder = write_files(vocab_txt=vocab_text, tokenizer_config_json={"truncation_side": "left"})
    assert load(folder).options.truncation_side == "left"
    tokenizer_json["truncation"]["direction"] = "Left"
    folder = write_files(tokenizer_json=tokenizer_json, tokenizer_config_json={})
    assert load(folder).options.truncation_side == "left"
    files = describe_tokenizer("test", folder)
    tokenizer = load_tokenizer(files, overrides={"truncation_side": "right"})
    assert tokenizer.options.truncation_side == "right"


@pytest.mark.parametrize("engine", ["fast", "wordpiece"])
@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model.vocab.the", -1, "'the' is -1; it must be an id"),
        ("model.vocab.the", 2**40, "'the' is 1099511627776; it must be an id"),
        ("model.vocab.the", True, "'the' is True; it must be an id"),
        ("model.unk_token", ["[UNK]"], "model.unk_token is ['[UNK]']; it must be a text"),
        ("model.unk_token", "[NONE]", "the vocabulary has no [NONE]"),
        ("model.max_input_chars_per_word", {}, "max_input_chars_per_word is {}; it must be"),
        ("model.max_input_chars_per_word", 10**30, "; it must be a whole number"),
        ("model.max_input_chars_per_word", -1, "max_input_chars_per_word is -1; it must be"),
        ("normalizer.lowercase", 1, "normalizer.lowercase is 1; it must be true or false"),
        ("normalizer.strip_accents", "no", "normalizer.strip_accents is 'no'; it must be true"),
        ("normalizer.handle_chinese_chars", [], "handle_chinese_chars is []; it must be true"),
        ("added_tokens.0.id", float("nan"), "added_tokens.id is nan; it must be an id"),
        ("added_tokens.0.id", [0], "added_tokens.id is [0]; it must be an id"),
        ("added_tokens.0.content", "\ud800", "is not Unicode"),
    ],
)
def test_absurd_values_in_a_tokenizer_json(
    write_files: Files,
    tokenizer_json: dict[str, Any],
    path: str,
    value: object,
    message: str,
    engine: EngineName,
) -> None:
    *parents, last = path.split(".")
    document = part = copy.deepcopy(tokenizer_json)
    for name in parents:
        part = part[int(name)] if name.isdecimal() else part[name]
    part[last] = value
    with pytest.raises(ModelError) as raised:
        load(write_files(tokenizer_json=document), engine=engine)
    if engine == "fast" or value != "[NONE]":
        assert message in str(raised.value)


@pytest.mark.parametrize("number", ["-1", "1" * 5_000, "²", "1.0", str(2**31)])
def test_an_absurd_id_of_an_added_token(write_files: Files, vocab_text: str, number: str) -> None:
    settings = {"added_tokens_decoder": {number: {"content": "x"}}}
    with pytest.raises(ModelError, match=r"added_tokens_decoder (has|is) .* id") as raised:
        load(write_files(vocab_txt=vocab_text, tokenizer_config_json=settings))
    assert len(str(raised.value)) < 400


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["(a+)+b", "(x+x+)+y"])
def test_a_pattern_that_would_never_end_is_refused_with_its_file(
    write_files: Files, tokenizer_json: dict[str, Any], pattern: str
) -> None:
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    document = {**tokenizer_json, "pre_tokenizer": split}
    tokenizer = load(write_files(tokenizer_json=document))
    assert tokenizer.ids(["the movie"])
    for tokenize in (tokenizer.ids, tokenizer.encode):
        with pytest.raises(ModelError, match=r"tokenizer.json: cannot tokenize a text: .*retry"):
            tokenize(["a" * 5_000 + "x" * 5_000])
