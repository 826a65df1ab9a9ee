"""Places of training rows: every reader keeps file and line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distilcli.rows.reader import open_rows
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.objectives import read_objective
from distilcli.training.options import ObjectiveOptions

# A blank line and a cell of two lines: rows are not lines.
CSV = {
    "mlm": 'text\n"a\nb"\n\nc\nd\ne\n',
    "classify": 'text,label\n"a\nb",x\n\nc,y\nd,x\ne,y\n',
    "multilabel": 'text,label\n"a\nb","x,y"\n\nc,\nd,x\ne,y\n',
    "regress": 'text,label\n"a\nb",1\n\nc,2\nd,3\ne,4\n',
    "qa": 'question,context,answers\n"a\nb",c,c\n\nd,e,e\nf,g,g\nh,i,i\n',
    "embed": 'text1,text2\n"a\nb",c\n\nd,e\nf,g\nh,i\n',
    "choose": 'prompt,options,label\n"a\nb","[""c"", ""d""]",A\n\n'
    'e,"[""f"", ""g""]",A\nh,"[""i"", ""j""]",B\nk,"[""l"", ""m""]",B\n',
}


@pytest.fixture
def objective(tmp_path: Path, make_model: Callable[..., Path]) -> Callable[..., Any]:
    """Read the rows of a task from a file."""
    folder = make_model(head="BaseModel")

    def objective(task: str, path: Path) -> Any:
        return read_objective(
            task, open_rows([str(path)]), None, dataset=DatasetOptions(share=0.4),
            options=ObjectiveOptions(), start=folder,
        )  # fmt: skip

    return objective


@pytest.mark.parametrize("task", CSV)
def test_rows_know_their_lines(objective: Callable[..., Any], tmp_path: Path, task: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(CSV[task])
    found = objective(task, path)
    parts = [found.checked(part, "rows") for part in (found.train, found.valid)]
    lines = {text: rows.place(number) for rows in parts for number, text in enumerate(rows.texts)}
    first, *rest = (f"{path}: line {line}" for line in (2, 5, 6, 7))
    assert lines.pop("a\nb") == first
    assert list(dict(sorted(lines.items())).values()) == rest


def test_sentences_know_their_lines(objective: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "t.conll"
    path.write_text("-DOCSTART- O\n\na B-X\nb O\n\nc O\n\nd O\n\ne O\n")
    found = objective("tag", path)
    parts = [found.checked(part, "rows") for part in (found.train, found.valid)]
    lines = {text: rows.place(number) for rows in parts for number, text in enumerate(rows.texts)}
    assert {text: place.rpartition(" ")[2] for text, place in lines.items()}["c"] == "6"
    assert len(set(lines.values())) == 4


def test_rows_are_the_same_in_another_file(objective: Callable[..., Any], tmp_path: Path) -> None:
    for task, text in CSV.items():
        digests = []
        for name, before in (("t.csv", ""), ("u.csv", "\n\n")):
            (tmp_path / name).write_text(text.replace("\n\n", f"\n{before}\n"))
            digests.append(objective(task, tmp_path / name).digests())
        assert digests[0] == digests[1]
