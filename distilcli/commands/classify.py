"""`distil classify`: labels and scores for every row of files."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from distilcli.commands._declare import opt, options
from distilcli.commands._file_run import FileOptions, FileRun
from distilcli.commands._option_groups import (
    NoAbstainOption,
    PairColumnOption,
    TextColumnOption,
)
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.rows import RowSource

_OF_TRAINED_MODELS = ("pair_column", "multi_label", "threshold")
_NOT_MEASURED = (
    "labelled by the meaning of the labels, not by a trained model; to find out how often it is "
    "right, label some rows by hand and compare: distil evaluate OUTPUT --label-column GOLD"
)


@options(topic="Labels", model="sentiment")
def classify(
    common: FileOptions,
    text_column: TextColumnOption = None,
    pair_column: PairColumnOption = None,
    labels: Annotated[
        list[str] | None,
        opt(
            "Label without training: names (a,b,c), or a file with the columns name, description "
            "and examples. Repeatable, each with a name: topic=a,b,c.",
            metavar="LABELS",
        ),
    ] = None,
    top_k: Annotated[
        int | None, opt("Labels per row, most likely first (default: 1).", min=1)
    ] = None,
    all_scores: Annotated[bool, opt("Add a column score_LABEL for each label.")] = False,
    multi_label: Annotated[
        bool, opt("Give a row every label with a score above the threshold (sigmoid).")
    ] = False,
    threshold: Annotated[
        float | None,
        opt("Minimum score for one of several labels (default: 0.5).", min=0, max=1),
    ] = None,
    no_abstain: NoAbstainOption = False,
) -> int:
    """Classify texts: sentiment with the built-in model, anything with a model of your own.

    --labels needs no model of your own: it gives a text the label nearest in meaning.

    Every row comes out once, in order: its own columns, then label and score. A terminal gets a
    table, a pipe gets rows in the format of the input. If the model has thresholds (distil evaluate
    finds them), a label whose score is below stays empty, and abstained is true.

    Examples:
      distil classify reviews.csv
      distil classify "data/*.jsonl.gz" -o labelled.jsonl
      distil classify --text "I loved it"
      distil classify emails.csv --labels "billing, delivery, praise"
      tail -f app.log | distil classify -
    """
    if labels:
        common.given.refuse(
            _OF_TRAINED_MODELS, "has no effect with `labels`; leave out one of them"
        )
        if "model" not in common.given:
            common = replace(common, compute=replace(common.compute, model="mini"))
        source = common.open_rows(text_column)
        return _by_meaning(common, source, labels, top_k=top_k or 1, all_scores=all_scores)
    source = common.open_rows(text_column)
    text_column = source.text_column
    if pair_column is not None:
        pair_column = source.find_column(pair_column)

    from distilcli.predictors.classifier import Classifier
    from distilcli.tasks.classify import ClassificationColumns
    from distilcli.tasks.files import texts_from

    classifier = Classifier(
        common.compute.model,
        multi_label=multi_label,
        no_abstain=no_abstain,
        **common.predictor_settings(),
    )
    if threshold is not None and classifier.kind != "multi":
        raise UsageError("`threshold` applies to multi-label models; add `multi_label`")
    if threshold is not None and classifier.abstention is not None:
        raise UsageError("`threshold`: the model has its own thresholds; add `no_abstain`")
    if top_k is not None and classifier.kind != "single":
        raise UsageError("`top_k` applies to models with one label per text; use `all_scores`")
    return FileRun(
        options=common,
        source=source,
        predictor=classifier,
        engine=classifier.engine(
            texts_from(text_column, pair_column), on_error=common.rows.on_error
        ),
        columns=ClassificationColumns(
            classifier.labels,
            classifier.kind,
            top_k=top_k or 1,
            all_scores=all_scores,
            threshold=0.5 if threshold is None else threshold,
            abstention=classifier.abstention,
        ),
        text_columns=[text_column, *([pair_column] if pair_column else [])],
    ).run()


def _by_meaning(
    common: FileOptions, source: "RowSource", labels: list[str], *, top_k: int, all_scores: bool
) -> int:
    from distilcli.tasks.label_sets import label_sets

    text_column, sets = source.text_column, label_sets(labels)

    from distilcli.predictors.matcher import LabelMatcher
    from distilcli.tasks.files import text_from
    from distilcli.tasks.match import MatchColumns

    matcher = LabelMatcher(*sets, model=common.compute.model, **common.predictor_settings())
    code = FileRun(
        options=common,
        source=source,
        predictor=matcher,
        engine=matcher.engine(text_from(text_column), on_error=common.rows.on_error),
        columns=MatchColumns(matcher.sets, top_k=top_k, all_scores=all_scores),
        text_columns=[text_column],
    ).run()
    if not common.report.dry_run:
        common.report.console.note(_NOT_MEASURED)
    return code
