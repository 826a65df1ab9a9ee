import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from distilcli.predictors.tagger import Tagger
from tests._hand_tagger import write_hand_tagger
from tests.commands._parse import delimited, json_lines

Distil = Callable[..., tuple[int, str, str]]
TEXTS = ("the film movie was dull", "", "a Camera battery , unlike")


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("id,text\n" + "".join(f'0{n},"{text}"\n' for n, text in enumerate(TEXTS)))
    return path


@pytest.fixture
def conll_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.conll"
    path.write_text("-DOCSTART- -X-\n\nThe DT\nfilm NN\nmovie NN\n\nunlike IN\n. .\n\n")
    return path


def test_entities_are_those_of_the_library(
    distil: Distil, hand_tagger: Path, csv_file: Path
) -> None:
    code, out, err = distil("tag", csv_file, "-m", hand_tagger, "--keep-empty")
    rows = delimited(out)
    assert code == 0
    assert list(rows[0]) == ["id", "text", "entities"]
    assert [row["id"] for row in rows] == ["00", "01", "02"]
    tagger = Tagger(str(hand_tagger), device="cpu", keep_empty=True)
    for row, entities in zip(rows, tagger(TEXTS), strict=True):
        written = json.loads(row["entities"])
        for one, other in zip(written, entities, strict=True):
            fields = asdict(other) | {"score": pytest.approx(other.score, rel=1e-5)}
            assert one == {name: fields[name] for name in fields if name != "abstained"}
    assert err.startswith(f"distil: model {hand_tagger} on ")


def test_entities_in_json_are_lists(distil: Distil, hand_tagger: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"n":1.0,"doc":{"body":"a film"}}\n')
    _, out, _ = distil("tag", path, "-m", hand_tagger, "-c", "doc.body")
    (row,) = json_lines(out)
    assert out.startswith('{"n":1.0,"doc":{"body":"a film"}, "entities": [{"text":"film",')
    assert [(e["label"], e["start"], e["end"]) for e in row["entities"]] == [("ART", 2, 6)]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("none", ["B-ART", "B-DEV", "B-DEV"]),
        ("simple", ["ART", "DEV", "DEV"]),
        ("first", ["ART"]),
        ("average", ["DEV"]),
    ],
)
def test_aggregation(
    distil: Distil, hand_tagger: Path, aggregation: str, expected: list[str]
) -> None:
    run = ("tag", "-m", hand_tagger, "--text", "unlikes", "--format", "jsonl")
    (row,) = json_lines(distil(*run, "--aggregation", aggregation)[1])
    assert [entity["label"] for entity in row["entities"]] == expected
    if aggregation == "first":
        assert distil(*run)[1] == distil(*run, "--aggregation", aggregation)[1]


def test_conll_comes_out_with_a_column_more(
    distil: Distil, hand_tagger: Path, conll_file: Path
) -> None:
    code, out, _ = distil("tag", conll_file, "-m", hand_tagger)
    assert code == 0
    assert out == (
        "-DOCSTART- -X- O\n\nThe DT O\nfilm NN B-ART\nmovie NN I-ART\n\nunlike IN B-ART\n. . O\n\n"
    )


def test_conll_under_another_name(distil: Distil, hand_tagger: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("film\tO\n")
    _, out, _ = distil("tag", path, "-m", hand_tagger, "--input-format", "conll")
    assert out == "film\tO\tB-ART\n"


def test_conll_as_json(distil: Distil, hand_tagger: Path, conll_file: Path) -> None:
    _, out, _ = distil("tag", conll_file, "-m", hand_tagger, "--format", "jsonl")
    first, second = json_lines(out)
    assert first["text"] == "The film movie"
    assert first["tokens"] == ["The", "film", "movie"]
    assert first["column_2"] == ["DT", "NN", "NN"]
    assert first["tags"] == ["O", "B-ART", "I-ART"]
    (entity,) = first["entities"]
    assert (entity["text"], entity["start"], entity["end"]) == ("film movie", 4, 14)
    assert second["tags"] == ["B-ART", "O"]


def test_texts_as_conll(distil: Distil, hand_tagger: Path, csv_file: Path, tmp_path: Path) -> None:
    expected = (
        "the O\nfilm B-ART\nmovie I-ART\nwas O\ndull O\n\n"
        "\n"
        "a O\nCamera B-DEV\nbattery I-DEV\n, O\nunlike B-ART\n\n"
    )
    run = ("tag", csv_file, "-m", hand_tagger)
    assert distil(*run, "--format", "conll", "--keep-empty")[1] == expected
    out = tmp_path / "out.conll"
    assert distil(*run, "-o", out, "--keep-empty")[0] == 0
    assert out.read_text() == expected
    code, refused, _ = distil(*run, "--format", "conll")
    assert (code, refused) == (6, expected.replace("\n\n\na", "\n\n# error = empty text\n\na"))


def test_what_goes_by_tokens_is_no_conll(
    distil: Distil, hand_tagger: Path, csv_file: Path, conll_file: Path
) -> None:
    for arguments in ((conll_file,), (csv_file, "--format", "conll"), (csv_file, "-o", "b.conll")):
        code, out, err = distil("tag", *arguments, "-m", hand_tagger, "--aggregation", "simple")
        assert (code, out) == (2, "")
        assert err == (
            "distil: error: --aggregation simple works by token and CoNLL by word; use first, "
            "average or max\n"
        )
    code, _, err = distil("tag", conll_file, "-m", hand_tagger, "-c", "text")
    assert code == 2
    assert "the words of CoNLL are its first column" in err


def test_only_tag_writes_conll(distil: Distil, tiny_folder: Path, csv_file: Path) -> None:
    assert distil("classify", csv_file, "-m", tiny_folder, "--format", "conll")[0] == 2
    assert distil("classify", csv_file, "-m", tiny_folder, "-o", "b.conll")[0] == 2


def test_sentences_can_be_classified(distil: Distil, tiny_folder: Path, conll_file: Path) -> None:
    code, out, _ = distil("classify", conll_file, "-m", tiny_folder)
    assert code == 0
    assert [row["text"] for row in json_lines(out)] == ["The film movie", "unlike ."]


def test_long_texts_are_read_in_windows(distil: Distil, hand_tagger: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("good " * 100 + "film\n")
    run = ("tag", path, "-m", hand_tagger, "--format", "jsonl")
    (row,) = json_lines(distil(*run)[1])
    assert [entity["start"] for entity in row["entities"]] == [500]
    code, out, _ = distil(*run, "--long", "truncate")
    (row,) = json_lines(out)
    assert (code, row["entities"], row["truncated"]) == (0, [], True)
    code, out, _ = distil(*run, "--long", "error")
    (row,) = json_lines(out)
    assert (code, row["entities"]) == (6, None)
    assert "103 tokens, the limit is 64" in row["error"]


def test_words_beyond_the_cut_get_no_label(
    distil: Distil, hand_tagger: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.conll"
    path.write_text("film O\n" * 10 + "\n")
    code, out, _ = distil("tag", path, "-m", hand_tagger, "--long", "truncate", "--max-length", 8)
    assert code == 0
    assert out == "# truncated = True\n" + "film O B-ART\n" * 6 + "film O _\n" * 4 + "\n"


def test_a_line_that_lacks_columns_fails_its_sentence(
    distil: Distil, hand_tagger: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.conll"
    path.write_text("film NN\n\na\nfilm NN\n\nbook NN\n")
    run = ("tag", path, "-m", hand_tagger)
    fault = f"{path}: line 3: 1 column where the first word has 2"
    code, out, err = distil(*run)
    assert code == 6
    assert out == f"film NN B-ART\n\n# error = {fault}\na _\nfilm NN _\n\nbook NN B-ART\n"
    assert fault in err
    code, out, _ = distil(*run, "--on-error", "skip")
    assert (code, out) == (6, "film NN B-ART\n\nbook NN B-ART\n")
    code, out, err = distil(*run, "--on-error", "stop")
    assert (code, out) == (3, "film NN B-ART\n\n")
    assert err.endswith(f"distil: error: {fault}\n")


def test_the_summary_counts_entities(distil: Distil, hand_tagger: Path, csv_file: Path) -> None:
    _, _, err = distil("tag", csv_file, "-m", hand_tagger, "--json")
    summary = json.loads(err.splitlines()[-1])
    assert summary["command"] == "tag"
    assert summary["counts"] == {"ART": 2, "DEV": 1}


def test_people_see_entities_in_place(distil: Distil, hand_tagger: Path, csv_file: Path) -> None:
    _, out, _ = distil("tag", csv_file, "-m", hand_tagger, "--format", "table", "--keep-empty")
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines == [
        " 1  the [film movie ART] was dull",
        " 2",
        " 3  a [Camera battery DEV] , [unlike ART]",
    ]


def test_people_see_sentences_in_place(distil: Distil, hand_tagger: Path, conll_file: Path) -> None:
    _, out, _ = distil("tag", conll_file, "-m", hand_tagger, "--format", "table")
    assert "The [film movie ART]" in out


@pytest.mark.slow
def test_the_builtin_model_is_what_it_takes(distil: Distil) -> None:
    code, out, err = distil("tag", "--text", "Angela Merkel lives in Berlin .", "--format", "jsonl")
    assert code == 0
    assert "model entities on cpu" in err
    found = json.loads(out)["entities"]
    assert [(each["text"], each["label"]) for each in found] == [
        ("Angela Merkel", "PER"),
        ("Berlin", "LOC"),
    ]


def test_labels_of_no_known_scheme(
    distil: Distil, csv_file: Path, vocab: list[str], tmp_path: Path
) -> None:
    write_hand_tagger(tmp_path, vocab, labels=("O", "B-ART", "thing"), of_tokens={})
    code, out, err = distil("tag", csv_file, "-m", tmp_path)
    assert (code, out) == (4, "")
    assert err.splitlines()[-1].startswith(
        f"distil: error: {tmp_path}: its labels are no known scheme: 'thing' beside 'B-ART'"
    )


def test_a_dry_run_tags_nothing(distil: Distil, hand_tagger: Path, conll_file: Path) -> None:
    code, out, err = distil("tag", conll_file, "-m", hand_tagger, "--dry-run")
    assert (code, out) == (0, "")
    assert "2 rows, 10 tokens" in err


def test_rows_of_whole_files_and_the_names_of_files(
    distil: Distil, hand_tagger: Path, tmp_path: Path
) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("one\ntwo\n")
    run = ("tag", tmp_path / "*.txt", "-m", hand_tagger)
    names = [str(tmp_path / name) for name in ("a.txt", "b.txt")]
    _, out, _ = distil(*run, "--whole-files", "--format", "jsonl")
    assert [(row["text"], row["file"]) for row in json_lines(out)] == [
        ("one\ntwo\n", name) for name in names
    ]
    _, out, _ = distil(*run, "--file-column", "from", "--format", "jsonl")
    assert [row["from"] for row in json_lines(out)] == [name for name in names for _ in "12"]
    code, _, err = distil(*run, "--file-column", "from", "--format", "conll")
    assert (code, err.count("\n")) == (2, 1)
    assert "--file-column has no effect in CoNLL" in err


def test_words_in_lists(distil: Distil, hand_tagger: Path, tmp_path: Path) -> None:
    """The words that `finetune` and `evaluate` read: lists in JSONL, and lists in cells."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": ["the", "film", "movie"]}\n{"tokens": []}\n{"tokens": true}\n')
    code, out, _ = distil("tag", path, "-m", hand_tagger)
    first, second, third = json_lines(out)
    assert code == 6
    assert first["tags"] == ["O", "B-ART", "I-ART"]
    assert [(one["text"], one["start"]) for one in first["entities"]] == [("film movie", 4)]
    assert (second["tags"], second["error"]) == (None, "empty text")
    assert third["error"] == f"{path}: line 3, column 'tokens': not a list of words"
    table = tmp_path / "a.csv"
    table.write_text("id,words\n1,\"['the', 'film']\"\n2,the film\n")
    _, out, _ = distil("tag", table, "-m", hand_tagger, "-q")
    assert [json.loads(row["tags"]) for row in delimited(out)] == [["O", "B-ART"]] * 2
    _, out, _ = distil("tag", path, "-m", hand_tagger, "--format", "table")
    assert "the [film movie ART]" in out
    code, _, err = distil("tag", path, "-m", hand_tagger, "--aggregation", "simple")
    assert code == 2
    assert "--aggregation simple works by token and a list of words by word" in err


def test_the_column_of_words_may_be_named(
    distil: Distil, hand_tagger: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.conll"
    path.write_text("x9 film NN\n")
    _, first, _ = distil("tag", path, "-m", hand_tagger)
    code, second, _ = distil("tag", path, "-m", hand_tagger, "--word-column", 2)
    assert (code, first, second) == (0, "x9 film NN O\n", "x9 film NN B-ART\n")
