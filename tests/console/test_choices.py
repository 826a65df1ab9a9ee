from collections.abc import Callable

from distilcli.console.choices import ChoicesPreview
from distilcli.rows.row import Row
from distilcli.rows.row_writer import AddedNames
from distilcli.tasks.choose import ChoiceColumns
from tests.console.conftest import Terminal

Terminals = Callable[..., tuple[Terminal, Terminal]]


def test_a_choice_stands_out_and_scores_are_shares(terminal: Terminals) -> None:
    out, _ = terminal(100)
    columns = ["prompt", "options"]
    names = AddedNames.chosen(columns, ChoiceColumns.names, "my_")
    values = {"choice": "two", "choice_index": 1, "score": 0.8, "scores": [0.2, 0.8, None]}
    row = Row(tuple(columns), ["which?", ["one", "two"]], "a.csv", 2)
    failed = {**dict.fromkeys(values), "error": "none"}
    with ChoicesPreview(names, text_columns=columns) as preview:
        preview.write_rows([(row, values), (row, failed)])
    assert "\x1b[1;32mtwo" in out.getvalue()
    header, first, second = out.plain.splitlines()
    assert header.split()[2:] == [
        "my_choice",
        "my_choice_index",
        "my_score",
        "my_scores",
        "my_error",
    ]
    assert first.split()[-4:] == ["0.800", "20%", "80%", "-"]
    assert second.split()[-1] == "none"
