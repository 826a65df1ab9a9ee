import json
from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import DataWarning, InputError, UsageError
from distilcli.gold.columns import Columns
from distilcli.gold.labels import LabelError
from distilcli.rows.reader import open_rows
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.tag import TaggedSentences, read_dataset

CONLL = "-DOCSTART- O\n\nEU B-ORG\nis O\n\nHere O\n\nParis B-LOC\n"


def read(path: Path, content: str, **settings: Any) -> tuple[TaggedSentences, TaggedSentences]:
    path.write_text(content, encoding="utf-8")
    text, label = settings.pop("text", None), settings.pop("label", None)
    labels = settings.pop("labels", ())
    columns = Columns(text_column=text, label_column=label, labels=labels)
    valid = settings.pop("valid", None)
    options = DatasetOptions(columns=columns, **{"share": 0.4, **settings})
    return read_dataset(open_rows([str(path)]), valid and open_rows([str(valid)]), options)


def line(words: object, tags: object, columns: tuple[str, str] = ("tokens", "tags")) -> str:
    return json.dumps(dict(zip(columns, (words, tags), strict=True))) + "\n"


def test_conll_with_the_label_in_the_last_column(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text(CONLL)
    train, valid = read(path, CONLL, valid=path)
    assert train == valid
    assert train.words == [["EU", "is"], ["Here"], ["Paris"]]
    # O comes first, then types in the order of the alphabet.
    assert train.label_names == ("O", "B-LOC", "B-ORG")
    assert train.labels == [[2, 0], [0], [1]]


def test_another_column_of_conll(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("EU N B-ORG\nis V O\n")
    train, _ = read(path, path.read_text(), valid=path, label="column_2")
    assert train.label_names == ("N", "V")


@pytest.mark.parametrize("columns", [("tokens", "tags"), ("words", "ner_tags")])
def test_rows_with_two_lists(tmp_path: Path, columns: tuple[str, str]) -> None:
    path = tmp_path / "a.jsonl"
    content = line(["a", "b"], ["O", "B-X"], columns)
    path.write_text(content)
    train, _ = read(path, content, valid=path)
    assert train == TaggedSentences([["a", "b"]], [[0, 1]], ("O", "B-X"))


@pytest.mark.parametrize("empty", [line([], []), line([" ", "\u200b"], ["O", "O"]), line("", "")])
def test_sentences_without_words_are_left_out(tmp_path: Path, empty: str) -> None:
    path = tmp_path / "a.jsonl"
    valid = tmp_path / "v.jsonl"
    valid.write_text(line(["a", "b"], ["O", "B-X"]))
    content = valid.read_text() + empty
    with pytest.warns(DataWarning, match=r"a\.jsonl: 1 row left out .* the first in line 2$"):
        train, _ = read(path, content, valid=valid)
    assert train.words == [["a", "b"]]
    with pytest.raises(UsageError, match="`keep_empty` has no effect here: a sentence without"):
        read(path, content, valid=valid, keep_empty=True)


@pytest.mark.parametrize("form", ["a b,O B-X", '"[""a"", ""b""]","[""O"", ""B-X""]"'])
def test_words_and_labels_in_cells(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.csv"
    content = f"id,sentence,tags\n1,{form}\n"
    path.write_text(content)
    train, _ = read(path, content, valid=path, text="sentence")
    assert train == TaggedSentences([["a", "b"]], [[0, 1]], ("O", "B-X"))


def test_words_are_in_the_column_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    content = json.dumps({"tokens": ["x"], "clean": ["a", "b"], "tags": ["O", "B-X"]}) + "\n"
    path.write_text(content)
    assert read(path, content, valid=path, text="clean")[0].words == [["a", "b"]]


def test_the_order_of_a_models_labels_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text(CONLL)
    known = ("B-ORG", "O", "B-LOC")
    assert read(path, CONLL, valid=path, known=known)[0].label_names == known
    assert read(path, CONLL, valid=path, known=known[:2])[0].label_names == ("O", "B-LOC", "B-ORG")


@pytest.mark.filterwarnings("ignore:.* is read as")
@pytest.mark.parametrize("tags", ["B-LOC O", "1 0", "LOC-B none"])
def test_labels_that_are_named_are_all_kept_in_order(tmp_path: Path, tags: str) -> None:
    path = tmp_path / "a.csv"
    content = f"words,tags\na b,{tags}\n"
    path.write_text(content)
    labels = ("O", "B-LOC", "B-ORG") if "none" not in tags else ("none", "LOC-B", "ORG-B", "LOC-I")
    train, _ = read(path, content, valid=path, labels=labels)
    assert train.label_names[:3] == ("O", "B-LOC", "B-ORG")
    assert train.labels == [[1, 0]]


def test_inside_follows_beginning_of_its_type(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("a I-Y\nb B-Y\nc I-X\nd O\ne B-X\n")
    names = read(path, path.read_text(), valid=path)[0].label_names
    assert names == ("O", "B-X", "I-X", "B-Y", "I-Y")


def test_a_share_is_set_aside(tmp_path: Path) -> None:
    content = "".join(f"w{n} {'O' if n % 2 else 'B-X'}\n\n" for n in range(10)) + "# the end\n"
    train, valid = read(tmp_path / "a.conll", content)
    assert (len(train.words), len(valid.words)) == (6, 4)
    assert {words[0] for words in train.words + valid.words} == {f"w{n}" for n in range(10)}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", line(["a", "b"], ["O"]), "line 1, column 'tags': 1 tags for 2 words"),
        ("a.jsonl", line("a b", ["O"]), "line 1, column 'tags': 1 tags for 2 words"),
        ("a.jsonl", line([None], ["O"]), "line 1, column 'tokens': not a list of words"),
        ("a.jsonl", line(["a"], {"b": 1}), "line 1, column 'tags': not a list of tags"),
        ("a.jsonl", line(["a", "b"], ["O", None]), "line 1, column 'tags': a word has no tag"),
        (
            "a.jsonl",
            line(["a"], ["O"]),
            "a.jsonl, column 'tags': every word has the label 'O'; give rows with other labels",
        ),
        (
            "a.conll",
            "EU B-ORG 0\nis O 0\n",
            r"column 'column_3': every .* '0'; name another `label_column` \(column_2\), or give",
        ),
        ("a.jsonl", line([], []), "has no sentences to learn from"),
        ("a.jsonl", '{"text": "a"}\n', "no column 'tokens' in .*; name it with `text_column`"),
        (
            "a.jsonl",
            '{"tokens": ["a"]}\n',
            "no label column beside 'tokens'; .*`label_column`",
        ),
        ("a.conll", "EU\nis\n", "has one column, words without labels"),
        ("a.conll", "EU O\nis\n", "line 2: 1 column where the first word has 2"),
        ("a.txt", "EU B-ORG\nis O\n", "plain text has no tags.*give `input_format` conll"),
        (
            "a.jsonl",
            line(["7", "-1.5"], ["O", "B-X"]),
            "words in 'tokens' are nothing but numbers;",
        ),
        ("a.csv", "words,tags\nO B-X,a b\n", "'words' are nothing but tags; .*`text_column` and"),
        ("a.csv", "words,tags\nNN VBZ,a b\n", "'words' are nothing but parts of speech;"),
        ("a.csv", "words,tags\na a a,O B-X O\n", "'words' are the same for all words"),
        (
            "a.conll",
            "".join(f"{'it' if n % 2 else 'he'} w{n}\n" for n in range(11)),
            "column 'column_2' has 11 tags for 2 different words; .*`word_column` and",
        ),
        ("a.conll", "EU O\nis B-X\n", "1 row is too few to set 40% aside"),
    ],
)
def test_rows_that_cannot_be_learned_are_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / name, content)
    assert type(caught.value) in {InputError, LabelError}
    assert "\n" not in str(caught.value)


def test_a_label_that_only_the_validation_rows_have(tmp_path: Path) -> None:
    valid = tmp_path / "v.conll"
    valid.write_text("x B-ODD\n")
    with pytest.raises(InputError, match=r"v.conll: has the label 'B-ODD'.*theirs: O, B-LOC"):
        read(tmp_path / "a.conll", CONLL, valid=valid)


def test_texts_with_the_entities_that_tag_writes(tmp_path: Path) -> None:
    entity = {"text": "Bo", "label": "PER", "start": 0, "end": 2, "score": 0.9}
    rows = [{"text": "Bo, hi", "entities": [entity]}, {"text": " ", "entities": []}]
    path = tmp_path / "a.jsonl"
    content = "".join(json.dumps(row) + "\n" for row in [*rows, {"text": "no", "entities": []}])
    path.write_text(content)
    with pytest.warns(DataWarning, match="1 row left out with an empty text"):
        train, _ = read(path, content, valid=path)
    assert train.words == [["Bo", ",", "hi"], ["no"]]
    assert train.label_names == ("O", "B-PER")
    assert train.labels == [[1, 0, 0], [0]]


def test_a_taught_text_may_lack_entities(tmp_path: Path) -> None:
    entity = {"label": "PER", "start": 0, "end": 2}
    rows = [{"text": "Bo hi", "entities": [entity]}, {"text": "who knows", "entities": None}]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    valid = tmp_path / "v.jsonl"
    valid.write_text(json.dumps(rows[0]) + "\n")
    path = tmp_path / "a.jsonl"
    with pytest.raises(InputError, match="line 2, column 'entities': no value"):
        read(path, content, valid=valid)
    train, _ = read(path, content, valid=valid, taught=True, known=("O", "B-PER"))
    assert train.labels == [[1, 0], [-100, -100]]
