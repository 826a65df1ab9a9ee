"""`distil choose`: the option that goes best with the prompt of every row of files."""

from typing import TYPE_CHECKING, Annotated

import typer

from distilcli.commands import _options as options
from distilcli.commands._option_groups import RunOptions, over_files
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.rows import Given


@over_files()
def choose(
    run: RunOptions,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="A prompt instead of files, with --option.")
    ] = None,
    same_options: Annotated[
        list[str] | None,
        typer.Option("--option", help="An option, the same for every row; give two or more."),
    ] = None,
    prompt_column: Annotated[
        str | None,
        typer.Option(
            "--prompt-column",
            metavar="NAME",
            help="The column with the prompt; left out: prompt, else text, sentence, ….",
        ),
    ] = None,
    options_column: Annotated[
        str | None,
        typer.Option(
            "--options-column",
            metavar="NAME",
            help="The column with a list of options, in CSV as JSON (options).",
        ),
    ] = None,
    option_columns: Annotated[
        str | None,
        typer.Option(
            "--option-columns",
            metavar="NAMES",
            help="The columns with an option each, with commas between them; empty: no option.",
        ),
    ] = None,
) -> int:
    """Choose between the options of a prompt: each is read with it, and gets a probability.

    Rows get the choice, its number (choice_index, from 0), its probability, and those of all
    options in order. With --long window a long prompt is read in windows, the option whole in
    each, and their logits are averaged by length.

    Examples: distil choose -m MODEL --prompt "He took the ball and" --option "threw it." --option
    "ate it." · distil choose problems.jsonl -m MODEL · distil choose swag.csv -m MODEL
    --prompt-column sent1 --option-columns ending0,ending1,ending2,ending3
    """
    _check(same_options, options_column, option_columns)
    source = run.open_rows(given=_given(run, prompt, same_options))
    from distilcli.tasks.problems import find_options
    from distilcli.tasks.spec import TASKS

    usual = TASKS["choose"].text_columns
    prompt_column = source.usual_column(*usual, option="`prompt_column`", wanted=prompt_column)
    if prompt is not None or not same_options:
        columns, options_of = find_options(
            source,
            prompt_column,
            options_column=options_column,
            option_columns=options.listed(option_columns or ""),
            otherwise="give `same_options` twice or more",
        )
    else:
        columns, options_of = [], lambda _: same_options

    from distilcli.console.choices import ChoicesPreview
    from distilcli.predictors.chooser import Chooser
    from distilcli.tasks.choose import ChoiceColumns
    from distilcli.tasks.problems import problems_from

    chooser = Chooser(
        run.model,
        **run.computing,
        long_texts=run.long_texts(),
    )
    return run.carry(
        "choose",
        source,
        chooser,
        chooser.engine(problems_from(prompt_column, options_of), on_error=run.on_error),
        ChoiceColumns(same_options=bool(same_options) and prompt is None),
        text_columns=[prompt_column, *columns],
        preview=ChoicesPreview,
    )


def _check(
    same_options: list[str] | None, options_column: str | None, option_columns: str | None
) -> None:
    """Raise `UsageError` for options that cannot be meant together."""
    given = {
        "--option": same_options,
        "--options-column": options_column,
        "--option-columns": option_columns,
    }
    names = [name for name, value in given.items() if value]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} do not go together; give one of them")
    if same_options and len(same_options) == 1:
        raise UsageError("there is one --option; give at least two to choose from")
    if same_options and not all(option.strip() for option in same_options):
        raise UsageError("an --option is empty; leave it out or write it")


def _given(run: RunOptions, prompt: str | None, same_options: list[str] | None) -> "Given | None":
    """Return the row that the command line gives by itself; None where files or texts are read."""
    if prompt is None:
        if not (run.files or run.texts):
            raise UsageError(
                "there is nothing to read; give files, - for standard input, or --prompt with "
                "--option"
            )
        return None
    if not same_options:
        raise UsageError("--prompt needs options to choose from; give --option twice or more")
    if run.texts:
        raise UsageError("--prompt and --text do not go together; give one of them")
    import json

    from distilcli.rows import Given

    cells = [prompt, json.dumps(same_options, ensure_ascii=False)]
    return Given("--prompt", ("prompt", "options"), [cells])
