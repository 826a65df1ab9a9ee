"""`distil qa`: the answer to every question of files, from its context."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distilcli.commands._option_groups import RunOptions, over_files
from distilcli.errors import InputError, UsageError

if TYPE_CHECKING:
    from distilcli.rows import Given


@over_files(long="window", max_length=384, model="qa")
def qa(
    run: RunOptions,
    questions: Annotated[
        list[str] | None,
        typer.Option("--question", help="A question; several only with one context and no files."),
    ] = None,
    context: Annotated[
        str | None, typer.Option("--context", help="The text in which every answer is looked for.")
    ] = None,
    context_file: Annotated[
        str | None,
        typer.Option(
            "--context-file", metavar="FILE", help="A file with that text; - for standard input."
        ),
    ] = None,
    question_column: Annotated[
        str | None,
        typer.Option(
            "--question-column", metavar="NAME", help="The column with the question (question)."
        ),
    ] = None,
    context_column: Annotated[
        str | None,
        typer.Option(
            "--context-column", metavar="NAME", help="The column with the context (context)."
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", min=1, help="How many answers a row gets, the best first.")
    ] = 1,
    max_answer_length: Annotated[
        int, typer.Option("--max-answer-length", min=1, help="At most so many tokens in an answer.")
    ] = 30,
    no_answer_threshold: Annotated[
        float | None,
        typer.Option(
            "--no-answer-threshold",
            min=0,
            max=1,
            help="A row whose no_answer_score is above this gets an empty answer.",
        ),
    ] = None,
    squad_predictions: Annotated[
        str | None,
        typer.Option(
            "--squad-predictions",
            metavar="FILE",
            help="Also write the answers by id, as the official SQuAD scripts read them.",
        ),
    ] = None,
) -> int:
    """Answer questions from their contexts: each answer is a place in the text, with a probability.

    Rows have the columns question and context, or come from SQuAD JSON. With --question, files
    (or --text) hold contexts; with --context, they hold questions. Long contexts are read in
    windows that share at most half of their tokens.

    Examples: distil qa questions.csv · distil qa dev.json -m MODEL --squad-predictions
    predictions.json · distil qa --question "Who came?" --context-file story.txt
    """
    context = _one_context(run, context, context_file)
    given = _given(run, questions, context)
    _check(run, questions, context, question_column, context_column, squad_predictions)
    source = run.open_rows(given=given)
    if given is not None or not questions:
        question_column = (
            source.find_column(question_column)
            if question_column
            else source.usual_column("question", option="--question-column")
        )
    if given is not None or context is None:
        context_column = (
            source.find_column(context_column)
            if context_column
            else source.usual_column("context", option="--context-column")
        )
    if question_column is not None and question_column == context_column:
        raise InputError(
            f"{source.name}: question and context would be one column, {question_column!r}; give "
            "--question, --context or files with both columns"
        )
    read = [*source.paths, *([Path(context_file)] if context_file else [])]
    run.report.spare(read)
    if squad_predictions is not None:
        _spare(read, squad_predictions)
    id_column = None if squad_predictions is None else source.find_column("id")

    from distilcli.console.answers import AnswersPreview
    from distilcli.predictors.answerer import Answerer
    from distilcli.rows.predictions import PredictionsWriter
    from distilcli.tasks.qa import AnswerColumns
    from distilcli.tasks.questions import pairs_from, predictions

    answerer = Answerer(
        run.model,
        top_k=top_k,
        max_answer_length=max_answer_length,
        no_answer_threshold=no_answer_threshold,
        **run.computing,
        long_texts=run.long_texts(),
    )
    fixed = "" if given is not None else (questions or [context or ""])[0]
    engine = answerer.engine(
        pairs_from(
            question_column=question_column,
            context_column=context_column,
            id_column=id_column,
            fixed=fixed,
        ),
        on_error=run.on_error,
    )
    columns = AnswerColumns(top_k=top_k, counted_apart=no_answer_threshold is not None)
    carry = partial(
        run.carry,
        "qa",
        source,
        answerer,
        engine,
        columns,
        text_columns=[column for column in (question_column, context_column) if column],
        preview=AnswersPreview,
    )
    if squad_predictions is None or id_column is None or run.dry_run:
        return carry()
    with PredictionsWriter(squad_predictions, force=run.force) as writer:
        return carry(on_block=lambda block: writer.write(predictions(block, id_column)))


def _spare(inputs: Sequence[Path], predictions: str) -> None:
    """Raise `UsageError` if the predictions would be written over a file that is read."""
    from distilcli.rows import is_same_file

    for path in inputs:
        if is_same_file(predictions, path):
            raise UsageError(
                f"{path}: --squad-predictions would replace this input; name another file"
            )


def _one_context(run: RunOptions, context: str | None, context_file: str | None) -> str | None:
    """Return the text in which every answer is looked for; None if each row has its own."""
    if context_file is None:
        return context
    if context is not None:
        raise UsageError("--context and --context-file do not go together; give one of them")
    if context_file == "-" and "-" in (run.files or ()):
        raise UsageError("standard input can be read only once; give '-' once")
    from distilcli.rows import read_text

    return read_text(context_file, encoding=run.encoding)


def _given(run: RunOptions, questions: list[str] | None, context: str | None) -> "Given | None":
    """Return the rows that the command line gives by itself; None where files or texts are read."""
    if run.files or run.texts:
        return None
    if not questions or context is None:
        raise UsageError(
            "there is nothing to read; give files, - for standard input, or --question with "
            "--context or --context-file"
        )
    from distilcli.rows import Given

    return Given("--question", ("question", "context"), [[each, context] for each in questions])


def _check(
    run: RunOptions,
    questions: list[str] | None,
    context: str | None,
    question_column: str | None,
    context_column: str | None,
    squad_predictions: str | None,
) -> None:
    """Raise `UsageError` for options that cannot be meant together."""
    if questions and question_column:
        raise UsageError("--question and --question-column do not go together; give one of them")
    if context is not None and context_column:
        raise UsageError("a context and --context-column do not go together; give one of them")
    if (run.files or run.texts) and questions:
        if context is not None:
            raise UsageError("with --question and a context nothing is read; leave out the files")
        if len(questions) > 1:
            raise UsageError("one --question can be asked of files; give them in a column instead")
    if squad_predictions is not None:
        from distilcli.rows import check_destination, is_same_file

        check_destination(squad_predictions, force=run.force)
        for option, path in (("-o", run.output), ("--stats", run.stats_file)):
            if path is not None and is_same_file(path, squad_predictions):
                raise UsageError(f"{path}: {option} and --squad-predictions cannot share a file")
