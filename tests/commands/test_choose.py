import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from distilcli.predictors.chooser import Chooser
from distilcli.tasks.choose import Choice
from tests.commands._parse import delimited, json_lines

Distil = Callable[..., tuple[int, str, str]]
PROBLEMS = (
    ("the film was", ["good", "very bad"]),
    ("i loved it", ["and the plot", "but", "slow"]),
)


def choices(folder: Path, problems: Sequence[tuple[str, Sequence[str]]] = PROBLEMS) -> list[Choice]:
    """The choices of the library."""
    return Chooser(str(folder), device="cpu")(problems)


def assert_same(row: dict[str, str], expected: Choice) -> None:
    assert row["choice"] == expected.choice
    assert row["choice_index"] == str(expected.choice_index)
    assert float(row["score"]) == pytest.approx(expected.score, rel=1e-4)
    assert json.loads(row["scores"]) == pytest.approx(expected.scores, rel=1e-4)


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    """Options as a list, and as columns; then rows in which there is nothing to choose."""
    path = tmp_path / "problems.csv"
    path.write_text(
        "prompt,options,ending0,ending1,ending2\n"
        'the film was,"[""good"", ""very bad""]",good,very bad,\n'
        'i loved it,"[""and the plot"", ""but"", ""slow""]",and the plot,but,slow\n'
        'it was,"[""fun""]",fun,,\n'
        "it was,fun or slow,fun,slow,\n"
    )
    return path


def test_choices_are_those_of_the_library(
    distil: Distil, choice_folder: Path, csv_file: Path
) -> None:
    code, out, err = distil("choose", csv_file, "-m", choice_folder)
    rows = delimited(out)
    assert code == 6
    assert list(rows[0])[5:] == ["choice", "choice_index", "score", "scores", "error"]
    for row, expected in zip(rows, choices(choice_folder), strict=False):
        assert_same(row, expected)
    assert rows[2]["error"] == "1 option; there must be at least two to choose from"
    assert rows[3]["error"].startswith(f"{csv_file}: line 5: the value at 'options' is not a JSON")
    assert rows[3]["choice"] == rows[3]["scores"] == ""
    assert "text columns 'prompt', 'options'" in err


def test_a_column_for_each_option(distil: Distil, choice_folder: Path, csv_file: Path) -> None:
    columns = "ending0, ending1,ending2"
    code, out, _ = distil("choose", csv_file, "-m", choice_folder, "--option-columns", columns)
    rows = delimited(out)
    assert code == 6
    expected, whole = choices(choice_folder)
    assert_same(rows[1], whole)
    assert rows[0]["choice"] == expected.choice
    *scores, no_option = json.loads(rows[0]["scores"])
    assert scores == pytest.approx(expected.scores, rel=1e-4)
    assert no_option is None
    assert rows[2]["error"].startswith("1 option")
    assert rows[3]["choice"] in {"fun", "slow"}


def test_a_prompt_and_its_options_of_the_command_line(distil: Distil, choice_folder: Path) -> None:
    prompt, options = PROBLEMS[1]
    given = [part for option in options for part in ("--option", option)]
    code, out, _ = distil("choose", "-m", choice_folder, "--prompt", prompt, *given)
    (row,) = delimited(out, "\t")
    assert code == 0
    assert row["prompt"] == prompt
    assert json.loads(row["options"]) == options
    assert_same(row, choices(choice_folder)[1])


def test_the_same_options_for_every_row(
    distil: Distil, choice_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.txt"
    path.write_text("the film was slow\nfun !\n")
    run = ("choose", path, "-m", choice_folder)
    code, out, err = distil(*run, "--option", "good", "--option", "bad", "--json")
    rows = delimited(out, "\t")
    assert code == 0
    problems = [(text, ["good", "bad"]) for text in ("the film was slow", "fun !")]
    for row, expected in zip(rows, choices(choice_folder, problems), strict=True):
        assert_same(row, expected)
    counts = json.loads(err.splitlines()[-1])["counts"]
    assert sum(counts.values()) == 2
    assert counts.keys() <= {"good", "bad"}
    code, out, err = distil(*run)
    assert (code, out) == (3, "")
    assert "no column with options; give --option twice or more" in err


def test_lists_and_paths_of_jsonl(distil: Distil, choice_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [{"review": prompt, "of": {"them": options}} for prompt, options in PROBLEMS]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = ("choose", path, "-m", choice_folder)
    code, out, _ = distil(*run, "--options-column", "of.them")
    assert code == 0
    for row, expected in zip(json_lines(out), choices(choice_folder), strict=True):
        assert row["choice"] == expected.choice
        assert row["choice_index"] == expected.choice_index
        assert row["scores"] == pytest.approx(expected.scores, rel=1e-4)
    named = distil(*run, "--options-column", "of.them", "--prompt-column", "review")
    assert named[1] == out
    code, out, err = distil(*run)
    assert (code, out) == (3, "")
    assert "no column 'options'" in err
    assert "--options-column" in err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--option-columns", "ending0,ending7"], 3, "no column 'ending7'"),
        (["--option-columns", "ending0"], 2, "name at least two columns"),
        (["--options-column", "option"], 3, "did you mean 'options'?"),
        (["--prompt-column", "promt"], 3, "did you mean 'prompt'?"),
        (["--options-column", "a", "--option-columns", "b,c"], 2, "do not go together"),
        (["--option", "a", "--option", "b", "--options-column", "c"], 2, "do not go together"),
        (["--option", "a"], 2, "there is only one --option"),
        (["--option", "a", "--option", " "], 2, "an --option is empty"),
        (["--prompt", "a"], 2, "--prompt needs options"),
        (["--prompt", "a", "--option", "b", "--option", "c"], 2, "files and --prompt do not go"),
        (["--stride", "3"], 2, "add --long window"),
    ],
)
def test_what_cannot_be_meant(
    distil: Distil,
    choice_folder: Path,
    csv_file: Path,
    options: list[str],
    code: int,
    message: str,
) -> None:
    found, out, err = distil("choose", csv_file, "-m", choice_folder, *options)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_prompt_with_texts_and_nothing_at_all(distil: Distil, choice_folder: Path) -> None:
    run = ("choose", "-m", choice_folder)
    two = ("--option", "a", "--option", "b")
    code, _, err = distil(*run, "--prompt", "a", *two, "--text", "b")
    assert code == 2
    assert "--prompt and --text do not go together" in err
    code, _, err = distil(*run)
    assert code == 2
    assert "or --prompt with --option" in err


def test_files_without_a_prompt(distil: Distil, choice_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,options\nb,"[]"\n')
    code, out, err = distil("choose", path, "-m", choice_folder)
    assert (code, out) == (3, "")
    assert "no column 'prompt'" in err
    assert "name it with --prompt-column (columns: a, options)" in err


def test_long_prompts(distil: Distil, choice_folder: Path) -> None:
    given = ("--prompt", "fun " * 30, "--option", "good", "--option", "very bad .")
    run = ("choose", "-m", choice_folder, "--max-length", 16, *given)
    code, cut, _ = distil(*run)
    assert code == 0
    assert delimited(cut, "\t")[0]["truncated"] == "true"
    code, windowed, _ = distil(*run, "--long", "window")
    assert code == 0
    assert "truncated" not in delimited(windowed, "\t")[0]
    code, out, _ = distil(*run, "--long", "error")
    assert code == 6
    assert "the limit is 16" in delimited(out, "\t")[0]["error"]


def test_a_table_of_choices(distil: Distil, choice_folder: Path, csv_file: Path) -> None:
    columns = ("--option-columns", "ending0,ending1,ending2")
    code, out, _ = distil("choose", csv_file, "-m", choice_folder, *columns, "--format", "table")
    assert code == 6
    first = choices(choice_folder)[0]
    shares = " ".join(f"{score:.0%}" for score in first.scores)
    assert f"{shares} -" in out


def test_a_model_that_cannot_choose(distil: Distil, tiny_folder: Path) -> None:
    run = ("choose", "-m", tiny_folder, "--prompt", "a", "--option", "b", "--option", "c")
    code, out, err = distil(*run)
    assert (code, out) == (4, "")
    assert err == f"distil: error: {tiny_folder} is for: distil classify\n"
