"""`distil choose`: the option that goes best with the prompt of every row of files."""

import json
from typing import TYPE_CHECKING, Annotated

from distilcli.commands._declare import Also, listed, opt, options
from distilcli.commands._file_run import FileOptions, FileRun
from distilcli.commands._option_groups import (
    OptionColumnsOption,
    OptionsColumnOption,
    RowsIn,
)
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.rows import Given


@options(topic="Prompts and options", leave_out={"whole_files", "window_pooling"})
def choose(
    common: FileOptions,
    prompt: Annotated[str | None, opt("A prompt instead of files, with --option.")] = None,
    same_options: Annotated[
        list[str] | None,
        opt("An option for every row; give at least two.", "--option", metavar="TEXT"),
    ] = None,
    prompt_column: Annotated[
        str | None,
        opt(
            "Column with the prompt (default: prompt, else text, sentence, …).",
            topic="Input",
            metavar="NAME",
        ),
        Also("--text-column", "-c", "--question-column"),
    ] = None,
    options_column: OptionsColumnOption = None,
    option_columns: OptionColumnsOption = None,
) -> int:
    """Choose between options: each is read with the prompt and gets a probability.

    Rows get the choice, its index from 0 (choice_index), its probability, and the probabilities of
    all options in order. With --long window a long prompt is read in windows, each with the whole
    option, and their logits are averaged, weighted by length.

    Examples:
      distil choose -m MODEL --prompt "He took it and" --option ran --option ate
      distil choose problems.jsonl -m MODEL
      distil choose swag.csv -m MODEL --option-columns ending0,ending1,ending2
    """
    common.given.at_most_one("same_options", "options_column", "option_columns")
    source = common.open_rows(given=_given(common.rows, prompt, _checked(same_options)))
    from distilcli.tasks.problems import find_options
    from distilcli.tasks.spec import TASKS

    usual = TASKS["choose"].text_columns
    prompt_column = source.usual_column(*usual, option="`prompt_column`", wanted=prompt_column)
    if prompt is not None or not same_options:
        columns, options_of = find_options(
            source,
            prompt_column,
            options_column=options_column,
            option_columns=listed(option_columns),
            otherwise="give `same_options` twice or more",
        )
    else:
        columns, options_of = [], lambda _: same_options

    from distilcli.console.choices import ChoicesPreview
    from distilcli.predictors.chooser import Chooser
    from distilcli.tasks.choose import ChoiceColumns
    from distilcli.tasks.problems import problems_from

    chooser = Chooser(common.compute.model, **common.predictor_settings())
    return FileRun(
        options=common,
        source=source,
        predictor=chooser,
        engine=chooser.engine(
            problems_from(prompt_column, options_of), on_error=common.rows.on_error
        ),
        columns=ChoiceColumns(same_options=bool(same_options) and prompt is None),
        text_columns=[prompt_column, *columns],
        preview=ChoicesPreview,
    ).run()


def _checked(same_options: list[str] | None) -> list[str] | None:
    """Return the options; raise `UsageError` for too few or an empty one."""
    if same_options and len(same_options) == 1:
        raise UsageError("there is only one `same_options`; give at least two to choose from")
    if same_options and not all(option.strip() for option in same_options):
        raise UsageError("an `same_options` is empty; leave it out or write it")
    return same_options


def _given(rows: RowsIn, prompt: str | None, same_options: list[str] | None) -> "Given | None":
    """Return the row that --prompt makes; None if files or texts are read."""
    if prompt is None:
        if not (rows.files or rows.texts):
            raise UsageError(
                "nothing to read; give files, - for standard input, or `prompt` with `same_options`"
            )
        return None
    if not same_options:
        raise UsageError("`prompt` needs options to choose from; give `same_options` twice or more")
    if rows.texts:
        raise UsageError("`prompt` and `texts` do not go together; give one of them")
    from distilcli.rows import Given

    cells = [prompt, json.dumps(same_options, ensure_ascii=False)]
    return Given("--prompt", ("prompt", "options"), [cells])
