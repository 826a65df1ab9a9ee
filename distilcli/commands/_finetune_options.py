"""The options of `distil finetune` beyond the settings of a run (`training.options`)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from distilcli import processes
from distilcli.commands import _option_groups as shared
from distilcli.commands._declare import GivenOptions, argument, opt
from distilcli.errors import UsageError
from distilcli.setting import setting
from distilcli.training.options import DistillationOptions, TrainingOptions

if TYPE_CHECKING:
    from distilcli.rows.shard import Shard
    from distilcli.training.run_options import RunOptions

_OF_TRAINING = ("resume", "force", "plot", "dry_run", "json_summary", "stats_file")

OPTION_TYPES: Mapping[str, object] = {
    "files": Annotated[
        list[str] | None, argument("Training rows, in any format that classify reads.", "FILES...")
    ],
    "mix": Annotated[
        str | None,
        opt(
            "Training rows from several files, each with how often its rows are read per epoch:"
            " a.csv=2,b.csv=0.5:text=body:label=topic.",
            metavar="FILE=WEIGHT,…",
        ),
    ],
    "valid": Annotated[list[str] | None, opt("Validation rows.", metavar="FILE")],
    "text_column": shared.TextColumnOption,
    "pair_column": shared.PairColumnOption,
    "label_columns": shared.LabelColumnsOption,
    "labels": shared.LabelsOption,
    "options_column": shared.OptionsColumnOption,
    "option_columns": shared.OptionColumnsOption,
    "input_format": shared.InputFormatOption,
    "encoding": shared.EncodingOption,
    "delimiter": shared.DelimiterOption,
    "join": shared.JoinOption,
    "no_header": shared.NoHeaderOption,
    "word_column": shared.WordColumnOption,
    "add_tokens": Annotated[
        str | None,
        opt(
            "Words to add to the vocabulary, or a file with one on each line; each is then one "
            "token.",
            metavar="WORDS",
        ),
    ],
    "prune_heads": Annotated[
        list[str] | None,
        opt("Attention heads to remove, such as 0:1,3.", metavar="LAYER:HEADS"),
    ],
    "max_length": shared.MaxLengthOption,
}
"""Settings that other commands have too, or that the command line takes in another form."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOutput:
    """Where the run goes, where it computes, and what is reported."""

    topic: ClassVar[str] = "Output"

    output: str = setting(MISSING, "Folder for the run.", "--output", "-o", metavar="DIR")
    plot: str | None = setting(
        None,
        "Draw loss, scores, confusion and reliability, as .png or .svg (extra: plot).",
        metavar="FILE",
    )
    resume: bool = setting(False, "Continue an interrupted run.")
    force: shared.ForceOption = False
    device: str = setting(
        "auto", "auto, cpu, cuda, cuda:N or mps.", topic="Model", metavar="DEVICE"
    )
    offline: shared.OfflineOption = False
    threads: shared.ThreadsOption = None

    def check(self, report: shared.Report, *, cache_only: bool = False) -> None:
        """Raise `UsageError` for files or folders that may not be written."""
        report.check_dry_run()
        if report.dry_run and processes.count() > 1:
            raise UsageError("`dry_run` needs a single process; run it without torchrun")
        if cache_only or not processes.is_first():
            return  # nothing is written there
        from distilcli.pictures import check_plot
        from distilcli.training.run_files import check_folder

        if not report.dry_run:
            check_folder(Path(self.output), resume=self.resume, force=self.force)
        if self.plot is not None:
            check_plot(self.plot, force=self.force or self.resume, made=self.output)


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheOnly:
    """Whether the run only fills the cache of its teacher."""

    topic: ClassVar[str] = "Distillation"

    cache_only: bool = setting(
        False, "Only write the teacher's outputs to --teacher-cache, for later runs."
    )
    shard: str | None = setting(
        None,
        "With --cache-only: the part of the rows, as index/count (0/8 to 7/8).",
        metavar="I/N",
    )

    def check(self, settings: "RunOptions", given: GivenOptions) -> "Shard | None":
        """Return the shard, None for all rows; raise `UsageError` for what has no effect."""
        from distilcli.rows.shard import parse_shard

        if not self.cache_only:
            given.refuse(("shard",), "needs `cache_only`; add it")
            return None
        if settings.teacher.teacher_cache is None:
            raise UsageError("`cache_only` needs `teacher_cache`; name a folder")
        given.refuse(_OF_TRAINING, "has no effect with `cache_only`; drop it")
        if self.shard is None:
            return None
        if processes.count() > 1:
            raise UsageError("`shard` has no effect with torchrun, which shares the rows; drop it")
        return parse_shard(self.shard)


def run_settings(
    groups: Sequence[Any], given: Collection[str], *, task: str, config: str | None
) -> "RunOptions":
    """Return the settings of a run, from groups of options and the file `config`.

    Options override the file; those that were `given` do so even with their default value.
    """
    from distilcli.training.config_file import read_settings
    from distilcli.training.run_options import RunOptions

    chosen = {} if config is None else read_settings(config)
    task_before = chosen.pop("task", task)
    if {"files", "mix"} & set(given):  # one takes the place of the other
        chosen = {name: value for name, value in chosen.items() if name not in {"files", "mix"}}
    for group in groups:
        # What has no effect is refused even with its default value.
        is_checked = config is not None or isinstance(group, TrainingOptions | DistillationOptions)
        for each in fields(group):
            value = getattr(group, each.name)
            is_changed = value != each.default and value not in ([], None)
            if is_changed or (is_checked and each.name in given):
                chosen[each.name] = value
    if "files" not in chosen and "mix" not in chosen:
        raise UsageError("no training rows; give their files, or `config` to repeat a run")
    return RunOptions.of(task if "task" in given else task_before, chosen)


def with_setting(command: Sequence[str], flag: str, value: str | None) -> list[str]:
    """Return a command line for another run to this output, with an option set or removed."""
    words: list[str] = []
    rest = iter(command)
    for word in rest:
        if word == flag:
            next(rest, None)
        elif not word.startswith(f"{flag}="):
            words.append(word)
    return [*words, *([] if value is None else [flag, value]), "--force"]
