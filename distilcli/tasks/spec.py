"""The tasks: one row of `TASKS` each, free of torch.

A task is a row here and a file of its name in each room: `tasks/`, `predictors/`,
`training/datasets/`, `training/objectives/` and `evaluation/results/`. What needs torch is
referred to as "module:attribute" and imported when it is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from distilcli.errors import UsageError
from distilcli.rows.formats import TEXT_COLUMNS

ABSTENTION_METRICS = ("coverage", "answered_error")
"""The further metrics of a model with thresholds."""

QA_MAX_LENGTH = 384
"""Tokens in a window, question and specials included, as models are trained on SQuAD."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpec:
    """What the rest of the package knows of a task.

    `head` is the ending of its architecture in config.json, and `problem_type` what config.json
    says of a head that several tasks share. `long` and `max_length` are its defaults for long
    texts. The first of `text_columns`, `pair_columns`, `negative_columns` and `gold_columns` that a
    file has is taken where no column is named; without `text_columns` that is the text column of
    every command. `predicted` are the columns of its predictions, the leading one first, and each
    of `signatures` is a set of columns by which a file of its predictions is recognised. `settings`
    are those that not every task has. `has_labels` says whether a model of it has labels to name.
    A task without `dataset` and `objective` cannot be learned; the card of a model that has learned
    one has its `pipeline_tag`, `purpose` and `example`.
    """

    name: str
    command: str
    head: str
    problem_type: str | None = None
    default_model: str | None = None
    long: Literal["truncate", "window"] = "truncate"
    max_length: int | None = None
    text_columns: tuple[str, ...] = ()
    pair_columns: tuple[str, ...] = ()
    negative_columns: tuple[str, ...] = ()
    gold_columns: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    signatures: tuple[tuple[str, ...], ...] = ()
    metrics: tuple[str, ...]
    search_metrics: tuple[str, ...] = ()
    settings: frozenset[str] = frozenset()
    has_labels: bool = False
    predictor: str
    results: str
    dataset: str = ""
    objective: str = ""
    pipeline_tag: str = ""
    purpose: str = ""
    example: str = ""

    def load(self, reference: str) -> Any:
        """Import what "module:attribute" refers to; raise `UsageError` for an empty reference."""
        if not reference:
            raise UsageError(f"the task {self.name} cannot be learned, only run and evaluated")
        module, _, name = reference.partition(":")
        return getattr(import_module(module), name)


TASKS: dict[str, TaskSpec] = {}
"""Every task by its name, in the order in which they are listed."""


def register(spec: TaskSpec) -> TaskSpec:
    """Add a task; raise `ValueError` if there is one of its name."""
    if spec.name in TASKS:
        raise ValueError(f"there is a task {spec.name!r} already")
    TASKS[spec.name] = spec
    return spec


def task_spec(name: str) -> TaskSpec:
    """Return the task of that name; raise `UsageError` if there is none."""
    if name not in TASKS:
        raise UsageError(f"`task` {name}: the tasks are {', '.join(TASKS)}")
    return TASKS[name]


def refuse_without_effect(task: str, given: Mapping[str, object]) -> None:
    """Raise `UsageError` for a setting that was given and has no effect on the task.

    A setting was not given where its value is None, False or empty; 0 is a value.
    """
    for setting, value in given.items():
        tasks = [spec.name for spec in TASKS.values() if setting in spec.settings]
        if not tasks or task in tasks or value is None or value is False or value in ("", ()):
            continue
        raise UsageError(f"`{setting}` has no effect on the task {task}, only on {_listed(tasks)}")


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


_TEXTS = frozenset({"label_column", "pair_column", "window_pooling", "augment", "mix"})

for _spec in (
    TaskSpec(
        name="classify",
        command="classify",
        head="ForSequenceClassification",
        problem_type="single_label_classification",
        default_model="sentiment",
        gold_columns=(
            *("label", "labels", "category", "class", "sentiment", "target", "intent", "topic"),
        ),
        predicted=("label", "score"),
        signatures=(("label",),),
        metrics=(
            *("accuracy", "precision", "recall", "macro_f1", "micro_f1", "matthews", "auc", "ece"),
        ),
        search_metrics=("best_threshold", "best_f1"),
        settings=_TEXTS
        | {"label_map", "label_columns", "labels", "threshold_search", "calibrate"}
        | {"max_error", "per_label"}
        | {"class_weights", "label_smoothing", "temperature", "teacher_scores"},
        has_labels=True,
        pipeline_tag="text-classification",
        purpose="classifies texts",
        example="classify reviews.csv",
        predictor="distilcli.predictors.classifier:Classifier",
        dataset="distilcli.training.datasets.classify:read_dataset",
        objective="distilcli.training.objectives.classify:ClassifyObjective",
        results="distilcli.evaluation.results.classify:ClassifyResults",
    ),
    TaskSpec(
        name="multilabel",
        command="classify",
        head="ForSequenceClassification",
        problem_type="multi_label_classification",
        gold_columns=("labels", "label", "categories", "tags", "topics"),
        predicted=("labels", "scores"),
        signatures=(("labels", "scores"),),
        metrics=("accuracy", "precision", "recall", "micro_f1", "macro_f1", "auc", "ece"),
        search_metrics=("best_threshold", "best_micro_f1"),
        settings=_TEXTS
        | {"label_map", "threshold", "threshold_search", "calibrate", "max_error"}
        | {"label_separator", "label_columns", "labels", "class_weights", "temperature"}
        | {"teacher_scores"},
        has_labels=True,
        pipeline_tag="text-classification",
        purpose="assigns any number of labels to a text",
        example="classify reviews.csv",
        predictor="distilcli.predictors.classifier:Classifier",
        dataset="distilcli.training.datasets.multilabel:read_dataset",
        objective="distilcli.training.objectives.multilabel:MultilabelObjective",
        results="distilcli.evaluation.results.multilabel:MultilabelResults",
    ),
    TaskSpec(
        name="regress",
        command="classify",
        head="ForSequenceClassification",
        problem_type="regression",
        gold_columns=("score", "label", "target", "value", "similarity"),
        predicted=("score",),
        signatures=(("score",),),
        metrics=("pearson", "spearman", "mae", "rmse"),
        settings=_TEXTS,
        pipeline_tag="text-classification",
        purpose="predicts a number for a text",
        example="classify reviews.csv",
        predictor="distilcli.predictors.classifier:Classifier",
        dataset="distilcli.training.datasets.regress:read_dataset",
        objective="distilcli.training.objectives.regress:RegressObjective",
        results="distilcli.evaluation.results.regress:RegressResults",
    ),
    TaskSpec(
        name="tag",
        command="tag",
        head="ForTokenClassification",
        default_model="entities",
        long="window",
        text_columns=("tokens", "words"),
        gold_columns=("ner_tags", "tags", "labels"),
        predicted=("tags",),
        signatures=(("tags",),),
        metrics=("precision", "recall", "f1", "accuracy", "strict_f1"),
        settings=frozenset({"label_column", "labels", "label_smoothing", "temperature", "mix"})
        | {"max_error", "per_label"},
        has_labels=True,
        pipeline_tag="token-classification",
        purpose="tags entities in text",
        example="tag news.csv",
        predictor="distilcli.predictors.tagger:Tagger",
        dataset="distilcli.training.datasets.tag:read_dataset",
        objective="distilcli.training.objectives.tag:TagObjective",
        results="distilcli.evaluation.results.tag:TagResults",
    ),
    TaskSpec(
        name="qa",
        command="qa",
        head="ForQuestionAnswering",
        default_model="qa",
        long="window",
        max_length=QA_MAX_LENGTH,
        text_columns=("question",),
        pair_columns=("context",),
        gold_columns=("answers", "answer"),
        predicted=("answer", "score", "no_answer_score"),
        signatures=(("answer", "no_answer_score"), ("answer",)),
        metrics=(
            *("exact_match", "f1", "HasAns_exact", "HasAns_f1", "NoAns_exact", "NoAns_f1"),
            *("best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh"),
        ),
        search_metrics=("best_threshold", "best_f1"),
        settings=frozenset(
            {"label_column", "pair_column", "threshold", "threshold_search", "temperature"}
        ),
        pipeline_tag="question-answering",
        purpose="answers questions about a text",
        example="qa questions.csv",
        predictor="distilcli.predictors.answerer:Answerer",
        dataset="distilcli.training.datasets.qa:read_dataset",
        objective="distilcli.training.objectives.qa:QaObjective",
        results="distilcli.evaluation.results.qa:QaResults",
    ),
    TaskSpec(
        name="mlm",
        command="fill",
        head="ForMaskedLM",
        long="window",
        predicted=("pseudo_perplexity", "n_tokens"),
        signatures=(("pseudo_perplexity",),),
        metrics=("perplexity",),
        settings=frozenset({"temperature"}),
        pipeline_tag="fill-mask",
        purpose="fills in masked words",
        example="fill sentences.csv",
        predictor="distilcli.predictors.mask_filler:MaskFiller",
        dataset="distilcli.training.datasets.mlm:read_dataset",
        objective="distilcli.training.objectives.mlm:MlmObjective",
        results="distilcli.evaluation.results.mlm:MlmResults",
    ),
    TaskSpec(
        name="embed",
        command="embed",
        head="Model",
        default_model="embed",
        text_columns=("sentence1", "text1", "anchor", "query", "question", *TEXT_COLUMNS),
        pair_columns=("sentence2", "text2", "positive", "passage", "answer", "pair"),
        negative_columns=("negative", "hard_negative"),
        gold_columns=("score", "label", "target", "value", "similarity"),
        predicted=("score",),
        metrics=("pearson", "spearman"),
        settings=frozenset(
            {"label_column", "negative_column", "pair_column", "window_pooling", "teacher_vectors"}
        ),
        pipeline_tag="feature-extraction",
        purpose="turns texts into vectors",
        example="embed texts.csv -o vectors.npy",
        predictor="distilcli.predictors.embedder:Embedder",
        dataset="distilcli.training.datasets.embed:read_dataset",
        objective="distilcli.training.objectives.embed:EmbedObjective",
        results="distilcli.evaluation.results.embed:EmbedResults",
    ),
    TaskSpec(
        name="choose",
        command="choose",
        head="ForMultipleChoice",
        text_columns=("prompt", *TEXT_COLUMNS),
        gold_columns=("label", "answer", "gold", "answerkey", "target"),
        predicted=("choice_index", "choice", "score"),
        signatures=(("choice_index",),),
        metrics=("accuracy", "ece"),
        settings=frozenset({"label_column", "options_column", "option_columns", "temperature"}),
        pipeline_tag="multiple-choice",
        purpose="chooses between options",
        example="choose questions.csv",
        predictor="distilcli.predictors.chooser:Chooser",
        dataset="distilcli.training.datasets.choose:read_dataset",
        objective="distilcli.training.objectives.choose:ChooseObjective",
        results="distilcli.evaluation.results.choose:ChooseResults",
    ),
):
    register(_spec)

if TYPE_CHECKING:
    TaskName = str
else:
    # Typer makes the choices of an option from a Literal.
    TaskName = Literal[tuple(TASKS)]
