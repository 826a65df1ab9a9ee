"""A run before anything is loaded: its settings resolved and its rows read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from distilcli.checkpoint.config import read_config
from distilcli.checkpoint.folder import ModelFiles
from distilcli.errors import InputError, UsageError
from distilcli.gold.labels import LabelError, ordered
from distilcli.model.device_name import ALL_CUDA
from distilcli.model.surgery import parse_heads
from distilcli.rows.reader import RowSource
from distilcli.training.config_file import paths_of, settings_to_keep
from distilcli.training.datasets.base import DatasetOptions
from distilcli.training.distill.recorded import RecordedOutputs, read_scores, read_vectors
from distilcli.training.distill.setup import DistillationPlan
from distilcli.training.init_model import StartingPoint, parse_sizes, starting_point
from distilcli.training.mixture import Mixture, TrainingRows
from distilcli.training.new_tokens import parse_tokens
from distilcli.training.objectives import AnyObjective, read_objective
from distilcli.training.options import TrainingOptions
from distilcli.training.run_options import RunOptions

_DEFAULT_SHARE = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """A run whose rows are read, but whose models are not loaded yet.

    `given` are the settings that were given, `read` those of the reader, and `files` the files of
    the training and the validation rows; the run folder keeps them. `threads` None takes all
    cores, or as many as the resumed run began with.
    """

    start: StartingPoint
    objective: AnyObjective
    training: TrainingOptions
    folder: Path
    teacher: DistillationPlan | None = None
    device: str = "auto"
    threads: int | None = None
    given: Mapping[str, object] | None = None
    read: Mapping[str, object] | None = None
    files: tuple[Sequence[str], Sequence[str]] = ((), ())

    def __post_init__(self) -> None:
        """Raise `UsageError` if the run would overwrite a model that it reads."""
        read_from: dict[str, ModelFiles | None] = {"model to start from": self.start.files}
        if self.teacher is not None:
            read_from["teacher"] = self.teacher.files
        for role, files in read_from.items():
            if files is not None and self.folder.resolve() == files.folder.resolve():
                raise UsageError(
                    f"{self.folder}: is the {role}, which the run would overwrite; use another "
                    "`output`"
                )


def plan_run(
    options: RunOptions,
    sources: tuple[TrainingRows, RowSource | None],
    models: tuple[ModelFiles | None, ModelFiles | None],
    folder: Path,
    *,
    device: str = "auto",
    threads: int | None = None,
) -> RunPlan:
    """Read the rows of a run; `models` are what `RunOptions.locate` returns.

    Raises `UsageError` for several devices, and what reading the rows raises.
    """
    if device == ALL_CUDA:
        raise UsageError(
            f"`device` {device} is for running a model; to train on several GPUs, start finetune "
            "with torchrun, or name one GPU, such as cuda:0"
        )
    data, start = options.data, options.start
    point = starting_point(
        models[0],
        teacher=models[1],
        student_layers=start.student_layers,
        sizes=None if start.student is None else parse_sizes(start.student),
        fold=start.fold,
        max_length=start.max_length,
        positions=start.positions,
        growth=start.position_growth or "copy",
        tokens=() if start.add_tokens is None else parse_tokens(start.add_tokens),
        pruned_heads=parse_heads(start.prune_heads or ()),
    )
    recorded = None if isinstance(sources[0], Mixture) else _recorded(options, sources[0])
    known = point.labels() if models[1] is None else read_config(models[1].config_path).labels
    if recorded is not None and recorded.labels:
        recorded = recorded.in_order(ordered(recorded.labels, known, given=data.columns.labels))
        known = recorded.labels
    dataset = DatasetOptions(
        columns=data.columns,
        share=data.valid_split or _DEFAULT_SHARE,
        seed=options.objective.seed,
        known=known,
        taught=models[1] is not None or recorded is not None,
        keep_empty=data.keep_empty,
    )
    try:
        objective = read_objective(
            options.task,
            *sources,
            dataset=dataset,
            options=options.objective,
            start=point.files.folder,
        )
    except LabelError as error:
        if data.limit is None:
            raise
        first = f"`limit` took only the first {data.limit:,} rows of each file"
        raise InputError(f"{error.args[0]}; {first}: are they sorted?") from None
    teacher = _teacher(options, models[1], recorded, objective)
    files = paths_of(data.files)
    if isinstance(sources[0], Mixture):
        files = [str(path) for path in sources[0].paths]
    valid = None if data.valid is None else paths_of(data.valid)
    is_read = bool(files) and valid != []
    return RunPlan(
        start=point,
        objective=objective,
        training=options.training,
        folder=folder,
        teacher=teacher,
        device=device,
        threads=threads,
        given=settings_to_keep(options.task, options.given),
        read={**asdict(data), "files": files, "valid": valid} if is_read else None,
        files=(files, files if valid is None else valid),
    )


def _recorded(options: RunOptions, source: RowSource) -> RecordedOutputs | None:
    """Read what a teacher said of the training rows, if it is in a file."""
    scores, vectors = options.teacher.teacher_scores, options.teacher.teacher_vectors
    if scores is not None:
        return read_scores(scores, source, options.task, options.data.columns)
    return None if vectors is None else read_vectors(vectors, source, options.data.columns)


def _teacher(
    options: RunOptions,
    files: ModelFiles | None,
    recorded: RecordedOutputs | None,
    objective: AnyObjective,
) -> DistillationPlan | None:
    """Return the plan of the teacher, if there is one, of the rows that were read."""
    cache = options.teacher.teacher_cache
    if files is not None:
        return DistillationPlan(
            files=files,
            options=options.distillation,
            cache=None if cache is None else Path(cache),
        )
    if recorded is None:
        return None
    rows = recorded.all_rows_of(
        objective.checked(objective.train, ""), is_limited=options.data.limit is not None
    )
    # Nothing is known of its layers.
    return DistillationPlan(
        recorded=recorded, rows=rows, options=replace(options.distillation, alpha_cos=0.0)
    )
