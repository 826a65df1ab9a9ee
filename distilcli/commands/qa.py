"""`distil qa`: the answer to every question of files, from its context."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from distilcli.commands._declare import Also, opt, options
from distilcli.commands._file_run import FileOptions, FileRun
from distilcli.commands._option_groups import RowsIn, check_outputs
from distilcli.errors import InputError, UsageError
from distilcli.rows.row import is_blank
from distilcli.tasks.spec import QA_MAX_LENGTH

if TYPE_CHECKING:
    from distilcli.rows import Given


@options(
    topic="Questions and answers",
    leave_out={"window_pooling"},
    long="window",
    max_length=QA_MAX_LENGTH,
    model="qa",
)
def qa(
    common: FileOptions,
    questions: Annotated[
        list[str] | None,
        opt("A question; several need one context and no files.", "--question", metavar="TEXT"),
    ] = None,
    context: Annotated[str | None, opt("The text that holds the answers.")] = None,
    context_file: Annotated[
        str | None, opt("A file with that text; - for standard input.", metavar="FILE")
    ] = None,
    question_column: Annotated[
        str | None,
        opt("Column with the question (default: question).", topic="Input", metavar="NAME"),
        Also("--text-column", "-c", "--prompt-column"),
    ] = None,
    context_column: Annotated[
        str | None,
        opt("Column with the context (default: context).", topic="Input", metavar="NAME"),
        Also("--pair-column"),
    ] = None,
    top_k: Annotated[int, opt("Answers per row, best first.", min=1)] = 1,
    best: Annotated[
        int | None,
        opt("Only the N best answers of all rows, best first, with their files.", min=1),
    ] = None,
    max_answer_length: Annotated[int, opt("Maximum tokens in an answer.", min=1)] = 30,
    no_answer_threshold: Annotated[
        float | None,
        opt(
            "Leave the answer empty if no_answer_score is above this; 1 always answers "
            "(default: the model's own).",
            min=0,
            max=1,
        ),
    ] = None,
    squad_predictions: Annotated[
        str | None,
        opt(
            "Also write the answers by id, as the official SQuAD scripts read them.",
            topic="Output",
            metavar="FILE",
        ),
    ] = None,
) -> int:
    """Answer questions from their contexts: each answer is a span of the text, with a probability.

    Rows have the columns question and context, or come from SQuAD JSON. With --question, files
    (or --text) hold contexts, and each file of a folder is one; with --context, they hold
    questions. Long contexts are read in windows that share at most half of their tokens.

    Examples:
      distil qa questions.csv
      distil qa --question "Who came?" --context-file story.txt
      distil qa --question "Who came?" letters/ --best 3
      distil qa dev.json -m MODEL --squad-predictions predictions.json
    """
    rows, report = common.rows, common.report
    for again in ("resume", "retry_errors"):
        common.given.at_most_one("best", "squad_predictions", again)
    common.given.at_most_one("questions", "question_column")
    common.given.at_most_one("context", "context_file", "context_column")
    _check_not_empty(questions=questions, context=None if context is None else [context])
    context = _one_context(rows, context, context_file)
    given = _given(rows, questions, context)
    if given is None and questions:
        if context is not None:
            raise UsageError("with `questions` and a context nothing is read; leave out the files")
        if len(questions) > 1:
            raise UsageError("files take one `questions`; put several in a column")
    if squad_predictions is not None:
        from distilcli.rows import check_destination

        check_destination(squad_predictions, force=common.out.force)
        report.check(output=common.out.output, squad_predictions=squad_predictions)
    files = rows.files or ()
    whole_files = rows.whole_files or _has_folder(files, asked=bool(questions))
    file_column = rows.file_column or ("file" if best and files else None)
    rows = replace(rows, whole_files=whole_files, file_column=file_column)
    common = replace(common, rows=rows)
    source = common.open_rows(given=given)
    if given is not None or not questions:
        question_column = source.usual_column(
            "question", option="`question_column`", wanted=question_column
        )
    if given is not None or context is None:
        context_column = source.usual_column(
            "context", option="`context_column`", wanted=context_column
        )
    if question_column is not None and question_column == context_column:
        raise InputError(
            f"{source.name}: question and context would be one column, {question_column!r}; give "
            "`questions`, `context` or files with both columns"
        )
    read: list[str | Path] = [*source.paths, *([context_file] if context_file else [])]
    check_outputs({"stats_file": report.stats_file, "squad_predictions": squad_predictions}, read)
    id_column = None if squad_predictions is None else source.find_column("id")

    from distilcli.console.answers import AnswersPreview
    from distilcli.predictors.answerer import Answerer
    from distilcli.rows.predictions import PredictionsWriter
    from distilcli.tasks.qa import AnswerColumns
    from distilcli.tasks.questions import best_answers, pairs_from, predictions

    answerer = Answerer(
        common.compute.model,
        top_k=top_k,
        max_answer_length=max_answer_length,
        no_answer_threshold=no_answer_threshold,
        **common.predictor_settings(),
    )
    pairs = pairs_from(
        question_column=question_column,
        context_column=context_column,
        id_column=id_column,
        fixed="" if given is not None else (questions or [context or ""])[0],
    )
    run = FileRun(
        options=common,
        source=source,
        predictor=answerer,
        engine=answerer.engine(pairs, on_error=rows.on_error),
        columns=AnswerColumns(
            top_k=1 if best else top_k,
            counted_apart=answerer.no_answer_threshold is not None and not best,
        ),
        text_columns=[column for column in (question_column, context_column) if column],
        preview=AnswersPreview,
        select=partial(best_answers, count=best) if best else None,
        can_go_on=not best and squad_predictions is None,
    )
    if squad_predictions is None or id_column is None or report.dry_run:
        return run.run()
    with PredictionsWriter(squad_predictions, force=common.out.force) as writer:
        return replace(
            run, on_block=lambda block: writer.write(predictions(block, id_column))
        ).run()


def _check_not_empty(**texts: list[str] | None) -> None:
    for setting, given in texts.items():
        if any(map(is_blank, given or ())):
            raise UsageError(f"`{setting}` is empty; give a text")


def _has_folder(files: Sequence[str], *, asked: bool) -> bool:
    """Return whether a folder is among the files; raise `UsageError` if there is no question."""
    folders = [file for file in files if Path(file).is_dir()]
    if folders and not asked:
        raise UsageError(f"{folders[0]}: is a folder; add `questions` TEXT to ask each file in it")
    return bool(folders)


def _one_context(rows: RowsIn, context: str | None, context_file: str | None) -> str | None:
    """Return the text that holds every answer; None if each row has its own."""
    if context_file is None:
        return context
    from distilcli.rows import read_text
    from distilcli.rows.inputs import is_stdin

    if context_file == "-" and any(map(is_stdin, rows.files or ())):
        raise UsageError("standard input can be read only once; give '-' once")

    return read_text(context_file, encoding=rows.encoding)


def _given(rows: RowsIn, questions: list[str] | None, context: str | None) -> "Given | None":
    """Return the rows that the command line gives by itself; None if files or texts are read."""
    if rows.files or rows.texts:
        return None
    if not questions or context is None:
        raise UsageError(
            "nothing to read; give files, - for standard input, or `questions` with `context` or "
            "`context_file`"
        )
    from distilcli.rows import Given

    return Given("--question", ("question", "context"), [[each, context] for each in questions])
