"""New tokens, in our tokenizers and in those of transformers."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.checkpoint.folder import describe_folder
from distilcli.errors import DataWarning, InputError, UsageError
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.training.init_model import StartingPoint
from distilcli.training.new_tokens import add_tokens, parse_tokens

Make = Callable[..., Path]
TEXTS = ["the Zyzzyva was good", "zyzzyvas , c++ and zyzzyva.", "a c++ film"]


def test_tokens_are_parted_by_commas_or_lines(tmp_path: Path) -> None:
    assert parse_tokens("covid, c++,covid,") == ("covid", "c++")
    assert parse_tokens(["a b", " c "]) == ("a b", "c")
    path = tmp_path / "tokens.txt"
    path.write_text("covid\n\nthe,comma\n")
    assert parse_tokens(str(path)) == ("covid", "the,comma")


def test_no_tokens_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`add_tokens` has no tokens"):
        parse_tokens(" , ")
    path = tmp_path / "tokens.txt"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"tokens.txt: cannot be read"):
        parse_tokens(str(path))


def test_a_new_token_is_one_token_and_a_whole_word(tiny_folder: Path) -> None:
    files = describe_folder("tiny", tiny_folder)
    old = load_tokenizer(files)
    found = add_tokens(files, ["zyzzyva", "c++"])
    assert found.first == old.vocab_size
    assert found.pieces == tuple(tuple(ids) for ids in old.ids(["zyzzyva", "c++"]))
    first, second, third = (list(ids) for ids in found.tokenizer.ids(TEXTS))
    assert (first.count(found.first), second.count(found.first)) == (1, 1)
    assert (second.count(found.first + 1), third.count(found.first + 1)) == (1, 1)


def test_what_the_model_has_is_told(tiny_folder: Path) -> None:
    files = describe_folder("tiny", tiny_folder)
    with pytest.warns(DataWarning, match="the vocabulary already has good, film;"):
        found = add_tokens(files, ["good", "zyzzyva", "film"])
    assert len(found.pieces) == 1
    with (
        pytest.warns(DataWarning, match="the vocabulary already has good;"),
        pytest.raises(UsageError, match="`add_tokens` has no effect"),
    ):
        add_tokens(files, ["good"])


def test_what_would_not_be_read_is_refused(tiny_folder: Path) -> None:
    files = describe_folder("tiny", tiny_folder)
    with pytest.raises(UsageError, match="'ZYZZYVA' would not be read as one token of its own"):
        add_tokens(files, ["zyzzyva", "ZYZZYVA"])


@pytest.mark.parametrize("engine", ["fast", "wordpiece"])
@pytest.mark.parametrize("has_json", [True, False])
def test_the_files_are_read_the_same_again(
    tiny_folder: Path, tmp_path: Path, engine: str, has_json: bool
) -> None:
    for path in tiny_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if not has_json:
        (tmp_path / "tokenizer.json").unlink(missing_ok=True)
    files = describe_folder("tiny", tmp_path)
    found = add_tokens(files, ["zyzzyva", "c++"], max_length=99)
    for name, content in found.files.items():
        (tmp_path / name).write_text(json.dumps(content))
    again = load_tokenizer(describe_folder("tiny", tmp_path), engine=engine)  # type: ignore[arg-type]
    assert again.ids(TEXTS) == found.tokenizer.ids(TEXTS)
    assert again.max_length == 99


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classify", "mlm"])
def test_transformers_reads_the_model_the_same(
    tiny_folder: Path, tmp_path: Path, task: str
) -> None:
    transformers = pytest.importorskip("transformers")
    import torch

    from distilcli import Classifier
    from distilcli.training.run import finetune

    rows = [
        {"text": text, "label": label} for text, label in zip(TEXTS * 4, "abc" * 4, strict=True)
    ]
    settings = {"valid": rows, "model": str(tiny_folder), "epochs": 1, "device": "cpu"}
    words = ["zyzzyva", "c++"]
    finetune(rows, tmp_path / "m", task=task, add_tokens=words, **settings)  # type: ignore[arg-type]
    folder = str(tmp_path / "m")
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ours = load_tokenizer(describe_folder("m", tmp_path / "m"))
    for text in TEXTS:
        expected = theirs(text, add_special_tokens=False)["input_ids"]
        assert list(ours.ids([text])[0]) == expected
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    assert config["vocab_size"] == ours.vocab_size
    if task == "mlm":
        assert transformers.AutoModelForMaskedLM.from_pretrained(folder) is not None
        return
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    logits = model(**theirs(TEXTS[0], return_tensors="pt")).logits
    (found,) = Classifier(folder, device="cpu")([TEXTS[0]])
    torch.testing.assert_close(torch.tensor(found.scores), logits.softmax(-1)[0], atol=1e-5, rtol=0)


def test_a_run_goes_on_with_the_same_tokens_alone(tiny_folder: Path) -> None:
    files = describe_folder("tiny", tiny_folder)
    prints = [
        StartingPoint(files=files, tokens=each).fingerprint() for each in ((), ("a",), ("b",))
    ]
    assert prints[0]["tokens"] is None
    assert prints[1] != prints[2]
