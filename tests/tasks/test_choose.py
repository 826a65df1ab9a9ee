import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.errors import ModelError, RowError
from distilcli.predictors.chooser import Chooser
from distilcli.rows.row import Row
from distilcli.tasks.choose import ChoiceColumns
from distilcli.tasks.problems import options_from_columns, options_from_list, problems_from
from distilcli.tasks.settings import BatchOptions, LongTexts

Make = Callable[..., Path]
PROBLEMS = [
    ("the film was", ["good", "very bad .", "slow"]),
    ("i loved it", ["and the plot", "but"]),
    ("fun " * 30, ["bright"] * 2 + ["dull " * 20]),
]


def chooser(folder: Path, **settings: Any) -> Chooser:
    return Chooser(str(folder), device="cpu", **settings)


def test_the_choice_is_the_likeliest_option(choice_folder: Path) -> None:
    for (_, options), found in zip(PROBLEMS, chooser(choice_folder)(PROBLEMS), strict=True):
        scores = [score or 0.0 for score in found.scores]
        assert len(scores) == len(options)
        assert sum(scores) == pytest.approx(1)
        assert found.choice_index == scores.index(max(scores))
        assert found.choice == options[found.choice_index]
        assert found.score == max(scores)


def test_the_order_of_options_changes_no_score(choice_folder: Path) -> None:
    prompt, options = PROBLEMS[0]
    one, other = chooser(choice_folder)([(prompt, options), (prompt, options[::-1])])
    assert one.scores == pytest.approx(other.scores[::-1], rel=1e-4)
    assert one.choice == other.choice


def test_results_do_not_depend_on_batches_and_threads(choice_folder: Path) -> None:
    problems = PROBLEMS * 3
    together = chooser(choice_folder, batches=BatchOptions(threads=2))(problems)
    alone = chooser(choice_folder, batches=BatchOptions(rows=1, threads=1))(problems)
    for one, other in zip(together, alone, strict=True):
        assert one.scores == pytest.approx(other.scores, rel=1e-4)
        assert one.choice_index == other.choice_index


def test_windows_slide_over_the_prompt_and_are_averaged_by_length(choice_folder: Path) -> None:
    words = "the film was good , and i loved it but the plot was dull".split()
    options = ["very bad", "fun !"]
    windows = LongTexts(long="window", max_length=13, stride=2)  # 8 words of the prompt in each
    (found,) = chooser(choice_folder, long_texts=windows)([(" ".join(words), options)])
    parts = [words[:8], words[6:14]]
    ours = chooser(choice_folder)
    # The same windows, each a row of its own: log-odds of two options are a difference of logits.
    log_odds, lengths = [], []
    for part in parts:
        (alone,) = ours([(" ".join(part), options)])
        log_odds.append(math.log((alone.scores[0] or 0) / (alone.scores[1] or 0)))
        lengths.append(len(part) + 2 + 3)
    mean = sum(map(math.prod, zip(log_odds, lengths, strict=True))) / sum(lengths)
    assert found.scores[0] == pytest.approx(1 / (1 + math.exp(-mean)), rel=1e-4)


def test_long_texts_are_cut_or_refused(choice_folder: Path) -> None:
    problem = PROBLEMS[2]
    cut = chooser(choice_folder, long_texts=LongTexts(max_length=20))
    with pytest.raises(RowError, match="limit is 20"):
        chooser(choice_folder, long_texts=LongTexts(long="error", max_length=20))([problem])
    with pytest.raises(RowError, match=r"second text of the pair takes 20 of 20 .* over the first"):
        chooser(choice_folder, long_texts=LongTexts(long="window", max_length=20))([problem])
    ((engine_row,),) = cut.engine(lambda each: each).run([problem])
    assert engine_row.truncated
    (whole,) = chooser(choice_folder)([("fun " * 16, ["bright", "bright"])])
    (found,) = cut([("fun " * 30, ["bright", "bright"])])
    assert found.scores == pytest.approx(whole.scores)


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (("a", []), "no option; there must be at least two"),
        (("a", ["b"]), "1 option; there must be at least two"),
        (("a", ["b", " "]), r"option 1 \(from 0\) is empty"),
        (("", ["b", "c"]), "empty text: the prompt"),
    ],
)
def test_problems_that_are_none(choice_folder: Path, problem: Any, message: str) -> None:
    with pytest.raises(RowError, match=message):
        chooser(choice_folder)([problem])


@pytest.mark.parametrize("item", ["a", ("a", "bc"), ["a", ["b", "c"]], ("a", ["b", 1]), ("a",)])
def test_what_is_no_problem_is_refused(choice_folder: Path, item: Any) -> None:
    with pytest.raises(TypeError, match=r"give tuples \(prompt, options\)"):
        chooser(choice_folder)([item])


def test_a_head_that_was_never_trained(mlm_folder: Path) -> None:
    with pytest.raises(ModelError, match="multiple choice"):
        chooser(mlm_folder)


def test_a_model_that_gives_no_number(make_model: Make) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_model(head="MultipleChoice")
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] = torch.tensor([math.inf])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RowError, match="gave no number"):
        chooser(folder)(PROBLEMS[:1])


# Options in rows.


def row(**cells: object) -> Row:
    return Row(tuple(cells), list(cells.values()), "f.csv", 7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('["a", "b"]', ["a", "b"]),
        (["a", "b"], ["a", "b"]),
        ('[1, 2.50, "x"]', ["1", "2.50", "x"]),
        ("[]", []),
    ],
)
def test_options_of_a_list(value: object, expected: list[str]) -> None:
    assert options_from_list("options")(row(options=value)) == expected


@pytest.mark.parametrize(
    "value", ["a, b", '{"a": 1}', '["a", null]', "", None, ["a", ["b"]], "[" * 100_000, "true"]
)
def test_what_is_no_list_of_texts(value: object) -> None:
    with pytest.raises(RowError, match=r"^f.csv: line 7: .*'options' is not a JSON list of texts"):
        options_from_list("options")(row(options=value))


def test_an_empty_cell_is_no_option_and_keeps_its_place(choice_folder: Path) -> None:
    problem_of = problems_from("p", options_from_columns(["e0", "e1", "e2", "e3"]))
    problem = problem_of(row(p="it was", e0=" ", e1="good", e2=None, e3="bad"))
    assert problem == ("it was", [None, "good", None, "bad"])
    (block,) = chooser(choice_folder).engine(lambda each: each).run([problem])
    (expected,) = chooser(choice_folder)([("it was", ["good", "bad"])])
    found = block[0].value
    assert found is not None
    assert found.scores == (None, expected.scores[0], None, expected.scores[1])
    assert found.choice == expected.choice
    assert found.choice_index == 1 + 2 * expected.choice_index
    columns = ChoiceColumns()
    assert columns.values(found)[3] == [None, expected.scores[0], None, expected.scores[1]]
    assert columns.counted(found) == []
    assert ChoiceColumns(same_options=True).counted(found) == [found.choice]


def test_a_row_that_cannot_be_used() -> None:
    broken = row(p="a")
    broken.error = "torn"
    with pytest.raises(RowError, match="torn"):
        problems_from("p", options_from_columns(["a", "b"]))(broken)
