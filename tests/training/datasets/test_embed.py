from pathlib import Path
from typing import Any

import pytest

from distilcli.errors import InputError, UsageError
from distilcli.gold.columns import Columns
from distilcli.rows.reader import open_rows
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.datasets.embed import TextPair, read_dataset


def read(path: Path, content: str, valid: Path | None = None, **settings: Any) -> Any:
    path.write_text(content, encoding="utf-8")
    split = {name: settings.pop(name, default) for name, default in (("share", 0.5), ("seed", 0))}
    taught = settings.pop("taught", False)
    sources = open_rows([str(path)]), open_rows([str(valid)]) if valid else None
    columns = Columns(**{f"{name}_column": value for name, value in settings.items()})
    return read_dataset(*sources, DatasetOptions(columns=columns, taught=taught, **split))


def test_pairs_by_usual_names_and_by_given_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    train, valid = read(path, "sentence1,sentence2\na,b\nc,d\n")
    assert sorted(train + valid, key=lambda pair: pair.first) == [
        TextPair("a", "b"), TextPair("c", "d"),
    ]  # fmt: skip
    scored = "sentence1,sentence2,score\na,b,0.5\nc,d,5\n"
    path.write_text(scored)
    for label in (None, "score"):
        found = read(
            path, scored, valid=path, text="sentence2", pair="sentence1", label=label,
        )  # fmt: skip
        assert found == ([TextPair("b", "a", 0.5), TextPair("d", "c", 5)],) * 2


@pytest.mark.parametrize("settings", [{}, {"negative": "Negative"}])
def test_hard_negatives_by_their_usual_name_and_a_given_one(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    path, text = tmp_path / "a.csv", "anchor,positive,Negative\na,b,c\nd,e,f\n"
    path.write_text(text)
    found, _ = read(path, text, valid=path, **settings)
    assert found == [TextPair("a", "b", None, "c"), TextPair("d", "e", None, "f")]
    assert found[0].texts == ["a", "b", "c"]


def test_a_negative_that_belongs_to_the_first_text_is_named(tmp_path: Path) -> None:
    text = "anchor,positive,negative\na,b,c\nd,e,e\n"
    with pytest.raises(InputError, match="line 3, column 'negative': is the second text of"):
        read(tmp_path / "a.csv", text)


def test_validation_pairs_need_no_negatives(tmp_path: Path) -> None:
    valid = tmp_path / "valid.csv"
    valid.write_text("anchor,positive\ng,h\n")
    text = "anchor,positive,hard\na,b,c\nd,e,f\n"
    train, pairs = read(tmp_path / "a.csv", text, valid=valid, negative="hard")
    assert [pair.negative for pair in train] == ["c", "f"]
    assert pairs == [TextPair("g", "h")]


def test_single_texts_take_no_negatives(tmp_path: Path) -> None:
    valid = tmp_path / "valid.csv"
    valid.write_text("anchor,positive,hard\ng,h,i\n")
    with pytest.raises(UsageError, match="`negative_column` has no effect on texts without"):
        read(tmp_path / "a.csv", "text\na\nb\n", valid=valid, negative="hard", taught=True)


def test_scored_pairs_take_no_negatives(tmp_path: Path) -> None:
    text = "anchor,positive,negative,score\na,b,c,1\nd,e,f,2\n"
    path = tmp_path / "a.csv"
    path.write_text(text)
    train, _ = read(path, text, valid=path)
    assert [pair.negative for pair in train] == [None, None]
    with pytest.raises(UsageError, match="`negative_column` has no effect on pairs with a score"):
        read(tmp_path / "a.csv", text, negative="negative")


@pytest.mark.parametrize("name", ["Score", "SIMILARITY"])
def test_a_score_is_found_in_whatever_case(tmp_path: Path, name: str) -> None:
    path, text = tmp_path / "a.csv", f"sentence1,sentence2,{name}\na,b,0.5\nc,d,5\n"
    path.write_text(text)
    assert [pair.score for pair in read(path, text, valid=path)[0]] == [0.5, 5]


def test_a_share_of_the_rows_is_set_aside(tmp_path: Path) -> None:
    text = "anchor,positive\n" + "".join(f"a{n},b{n}\n" for n in range(20))
    train, valid = read(tmp_path / "a.csv", text, share=0.1)
    assert (len(train), len(valid)) == (18, 2)
    assert not set(valid) & set(train)
    assert (train, valid) == read(tmp_path / "a.csv", text, share=0.1)
    assert (train, valid) != read(tmp_path / "a.csv", text, share=0.1, seed=1)


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("text1,text2\n", {}, "has no pairs to learn from"),
        ("text1,text2\na,b\n", {}, "1 row is too few"),
        ("text1\na\n", {}, "no column 'sentence2' in .*; name it with `pair_column`"),
        ("text1,text2\na,b\n", {"pair": "text1"}, "both in 'text1'; name the second"),
        ("text1,text2,s\na,b,x\n", {"label": "s"}, "line 2, column 's': 'x' is not a number"),
        ("text1,text2,s\na,b,inf\n", {"label": "s"}, "'inf' is not a number"),
        ("text1,text2,s\na,b,\n", {"label": "s"}, "line 2, column 's': no value"),
        ("text1,text2,s\na,b,1\nc,d,1\n", {"label": "s"}, "every pair has the score 1;"),
        ("text1,text2,s\na,b\n", {}, "line 2: 2 cells where the header has 3"),
        ("text1,text2\na,b\n", {"label": "score"}, "no column 'score'"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_learned_are_named(
    tmp_path: Path, text: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "a.csv", text, **settings)
    assert "\n" not in str(caught.value)
    assert type(caught.value) is InputError
