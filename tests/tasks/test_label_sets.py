from pathlib import Path

import pytest

from distilcli.errors import DistilError, InputError, UsageError
from distilcli.tasks.label_sets import Label, label_sets, path_of


def labels_in(path: Path, content: str) -> tuple[Label, ...]:
    path.write_text(content)
    (found,) = label_sets([str(path)])
    return found.labels


def test_a_list_of_names() -> None:
    (found,) = label_sets(["billing,  delivery ,praise"])
    assert found.names == ("billing", "delivery", "praise")
    assert found.name == ""


def test_sets_with_names() -> None:
    topic, mood = label_sets(["topic=a,b", "mood = good, bad".replace(" = ", "=")])
    assert (topic.name, topic.names) == ("topic", ("a", "b"))
    assert (mood.name, mood.names) == ("mood", ("good", "bad"))


def test_labels_from_python() -> None:
    (found,) = label_sets([["a", {"name": "b", "description": "B", "examples": ["x", "y"]}]])
    assert found.labels == (Label("a"), Label("b", "B", ("x", "y")))


def test_a_file_with_descriptions_and_examples(tmp_path: Path) -> None:
    content = 'Name,description,examples\na,about a,one | two\nb,,"[""x | y""]"\nc,,\n'
    assert labels_in(tmp_path / "l.csv", content) == (
        Label("a", "about a", ("one", "two")),
        Label("b", "", ("x | y",)),
        Label("c"),
    )


def test_other_formats(tmp_path: Path) -> None:
    lines = '{"label": "a", "examples": ["x"]}\n{"label": "b", "examples": null}\n'
    assert labels_in(tmp_path / "l.jsonl", lines) == (Label("a", "", ("x",)), Label("b"))
    assert labels_in(tmp_path / "l.txt", "good\nbad\n") == (Label("good"), Label("bad"))


def test_a_file_is_known_by_its_suffix_or_because_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("a\nb\n")
    assert path_of("topic=labels.csv") == "labels.csv"
    assert path_of(str(tmp_path / "labels")) == str(tmp_path / "labels")
    assert path_of("a.csv,b.csv") is None
    assert path_of("topic=a,b") is None


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        (["a,b", "c,d"], UsageError, "need a name each"),
        (["x=a,b", "x=c,d"], UsageError, "two sets are named 'x'"),
        (["alone"], InputError, "at least two labels, not alone"),
        ([","], InputError, "not none"),
        (["a,b,a"], InputError, "the label 'a' is there twice"),
        (["missing.csv"], InputError, "missing.csv"),
        ([[{"description": "x"}, "b"]], UsageError, "has no name"),
    ],
)
def test_refused(given: list[str], kind: type[DistilError], says: str) -> None:
    with pytest.raises(kind, match=says):
        label_sets(given)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("name\na\n \n", "line 3: a label has no name"),
        ("colour\na\nb\n", "name"),
    ],
)
def test_faulty_files(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        labels_in(tmp_path / "l.csv", content)
