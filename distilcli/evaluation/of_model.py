"""A model to be evaluated on rows: its task, then the evaluation of that task."""

from dataclasses import dataclass

from distilcli.checkpoint.config import ModelConfig, read_config
from distilcli.checkpoint.locate import locate
from distilcli.errors import ModelError
from distilcli.evaluation.evaluation import Evaluation, EvaluationOptions
from distilcli.rows.reader import RowSource
from distilcli.tasks.classify import KINDS, Kind, is_one_output, kind_of
from distilcli.tasks.spec import TASKS, TaskSpec, task_spec


@dataclass(frozen=True, slots=True)
class ModelSubject:
    """A model to be evaluated on the rows of `source`; nothing of it is loaded yet."""

    name: str
    task: TaskSpec
    source: RowSource

    def evaluation(self, options: EvaluationOptions) -> Evaluation:
        """Load the model.

        Raises `InputError` for columns that do not exist, `ModelError` for a model without such a
        head, `UsageError` for settings that make no sense.
        """
        evaluation: Evaluation = self.task.load(self.task.results).of_model(
            self.name, self.source, options
        )
        return evaluation


def open_model(
    name: str,
    source: RowSource,
    *,
    task: str | None = None,
    pair_column: str | None = None,
    offline: bool = False,
) -> ModelSubject:
    """Find a model and, without a `task`, the one that its head is for.

    Raises `ModelError` if the model does not exist or has no head to be evaluated.
    """
    if task is not None:
        return ModelSubject(name, task_spec(task), source)
    files = locate(name, offline=offline)
    spec = task_of_config(read_config(files.config_path))
    if spec is None:
        raise ModelError(
            f"{files.name}: config.json names no architecture, so its task is unknown; give `task`"
        )
    # An encoder without a head is evaluated only on pairs of texts.
    has_pairs = any(column.lower() in spec.pair_columns for column in source.columns)
    if spec.head == "Model" and not (pair_column or has_pairs):
        raise ModelError(
            f"{name}: has no head that could be evaluated; train one with `distil finetune`, "
            f"or give `task` {spec.name} and rows of two texts and a number"
        )
    return ModelSubject(name, spec, source)


def task_of_config(config: ModelConfig) -> TaskSpec | None:
    """Return the task that a model's head is for; None if config.json names no known head."""
    names = config.extra.get("architectures")
    for name in names if isinstance(names, list) else []:
        for spec in TASKS.values():
            if str(name).endswith(spec.head) and (
                spec.problem_type is None or _kind(config) == KINDS[spec.problem_type]
            ):
                return spec
    return None


def _kind(config: ModelConfig) -> Kind:
    return "regression" if is_one_output(config) else kind_of(config)
