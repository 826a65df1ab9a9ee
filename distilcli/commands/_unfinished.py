"""An interrupted run over files: whether this run continues it, and what must be the same."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from distilcli import __version__
from distilcli.errors import InputError, UsageError
from distilcli.wording import count

if TYPE_CHECKING:
    from distilcli.commands._file_run import FileOptions
    from distilcli.predictors.base import AnyPredictor
    from distilcli.rows import RowSource
    from distilcli.rows.identity import RunIdentity
    from distilcli.rows.journal import Journal, Progress
    from distilcli.stats import RunStats
    from distilcli.tasks.checkpoints import Checkpoints

_OF_NO_EFFECT = frozenset({
    "files", "output", "force", "resume", "retry_errors", "formats",
    "model", "device", "min_agreement", "threads", "offline",
    "quiet", "dry_run", "json_summary", "stats_file",
    "engine", "workers", "gpus_per_worker", "ray_address",
})  # fmt: skip
"""Options that change no byte of the output, or whose effect is compared in other ways."""


def _files_in(values: Mapping[str, object]) -> list[str]:
    """Return the files that options name, beside the rows."""
    from distilcli.tasks.label_sets import path_of

    labels, context = values.get("labels"), values.get("context_file")
    found = [path_of(each) for each in labels] if isinstance(labels, list) else []
    return [path for path in (*found, context) if isinstance(path, str)]


def is_complete(options: "FileOptions") -> bool:
    """Return whether the output exists; raise `UsageError` if its file is not a database."""
    from distilcli.rows.formats import split_part
    from distilcli.rows.manifest import has_manifest
    from distilcli.rows.sqlite_writer import has_table

    out = options.out
    if options.scale.shard is not None and not has_manifest(str(out.output)):
        return False
    if out.written_format == "sqlite":
        return has_table(str(out.output))
    return Path(split_part(str(out.output))[0]).is_file()


def check_again(options: "FileOptions") -> None:
    """Check whether there is a run to continue, or an output whose errors can be retried.

    Raises `UsageError` if not, and `typer.Exit` if there is nothing left to do.
    """
    from distilcli.rows.formats import OUTPUT_FORMATS

    out, given = options.out, options.given
    given.at_most_one("resume", "retry_errors", "dry_run")
    if out.resume or out.retry_errors:
        _check_same_shard(options)
        name = "resume" if out.resume else "retry_errors"
        if out.output is None:
            raise UsageError(f"`{name}` needs an output file; add `output` FILE")
        if name == "resume" and not out.replaces and is_complete(options):
            options.report.console.note(f"{out.output} is complete; there is nothing to resume")
            raise typer.Exit
    if out.retry_errors:
        if out.written_format not in OUTPUT_FORMATS:
            raise UsageError(
                f"`retry_errors` needs an error column, and {out.output} has none; "
                "run every row again with `force`"
            )
        if out.is_interrupted:
            raise UsageError(f"{out.output}: its run was interrupted; continue it with `resume`")
        if not is_complete(options):
            raise UsageError(f"{out.output}: does not exist yet; leave out `retry_errors`")
        if options.rows.on_error == "skip":
            raise UsageError(
                "`retry_errors` cannot find rows that `on_error` skip leaves out of the output; "
                "leave one of them out"
            )


def is_finished(options: "FileOptions", source: "RowSource", predictor: "AnyPredictor") -> bool:
    """Return whether a part is there as this run would write it; discard what another run left."""
    from distilcli.rows.journal import Journal
    from distilcli.rows.manifest import has_manifest, read_manifest

    output = str(options.out.output)
    try:
        now = Unfinished(options, source, predictor, possible=True).identity()
    except (UsageError, InputError):
        Journal(output).remove()
        now = Unfinished(options, source, predictor, possible=True).identity()
    if not has_manifest(output) or not Path(output).is_file():
        return False
    try:
        return read_manifest(output).run.difference(now) is None
    except InputError:
        return False


def _check_same_shard(options: "FileOptions") -> None:
    """Raise `UsageError` for a finished part of another number, as if all jobs had one output."""
    from distilcli.rows.manifest import has_manifest, read_manifest

    shard, output = options.scale.parsed(), str(options.out.output)
    if (
        shard is not None
        and has_manifest(output)
        and (there := read_manifest(output).shard) != shard
    ):
        raise UsageError(f"{output}: is shard {there}, not {shard}; name another file")


@dataclass
class Tally:
    """What a run has written: the number of rows, in all and by label."""

    written: int = 0
    counts: Counter[str] = field(default_factory=Counter)


class Unfinished:
    """The interrupted run that this one may continue, and the checkpoints of this one.

    Only a run from files to a file has them.
    """

    def __init__(
        self,
        options: "FileOptions",
        source: "RowSource",
        predictor: "AnyPredictor",
        *,
        possible: bool,
    ) -> None:
        """Raise `UsageError` or `InputError` if the interrupted run was a different one."""
        from distilcli.rows.journal import Journal

        self._options = options
        self._source = source
        self._predictor = predictor
        self._identity: RunIdentity | None = None
        self._precision = predictor.precision
        self._earlier: Progress | None = None
        self._checkpoints: Checkpoints | None = None
        self._shard = options.scale.parsed()
        output = options.out.output
        is_file = output is not None and (Path(output).is_file() or not Path(output).exists())
        again = possible and is_file and bool(source.paths) and not source.is_stream
        for name in ("resume", "retry_errors"):
            if getattr(options.out, name) and not again:
                raise UsageError(
                    f"`{name}` needs input files that can be read again, and an output file; "
                    "leave it out"
                )
        self._journal: Journal | None = None
        if again and not options.out.retry_errors:
            self._journal = Journal(str(output))
            self._earlier = self._found(self._journal)
        if self._shard is not None:
            if not again:
                raise UsageError("`shard` needs files to read and a file to write")
            self.identity()  # of the inputs as they are now

    def _found(self, journal: "Journal") -> "Progress | None":
        """Return how far the interrupted run got; raise an error that names what has changed."""
        saved = journal.read()
        if saved is None:
            return None
        run, progress = saved
        error = run.difference(self.identity()) if self._options.out.resume else None
        if error is not None:
            raise type(error)(
                f"{self._options.out.output}: cannot continue the interrupted run: "
                f"{error.args[0]}; repeat its command, or start over without `resume`"
            )
        return progress

    @property
    def goes_on(self) -> bool:
        """Whether this run continues an interrupted one."""
        return self._options.out.resume and self._earlier is not None

    @property
    def saved_rows(self) -> int:
        """The number of rows that the next run need not repeat."""
        return 0 if self._checkpoints is None else self._checkpoints.saved_rows

    def identity(self) -> "RunIdentity":
        """Return everything that the bytes of the output depend on."""
        if self._identity is None:
            from distilcli.rows.identity import RunIdentity, fingerprints

            values = self._options.values
            chosen = {name: value for name, value in values.items() if name not in _OF_NO_EFFECT}
            chosen["device"] = self._predictor.device
            chosen["precision"] = self._predictor.precision  # what auto chose
            chosen["shard"] = None if self._shard is None else str(self._shard)
            inputs = self._source.named_paths
            inputs += [(name, Path(name)) for name in _files_in(values)]
            self._identity = RunIdentity(
                self._options.command,
                __version__,
                self._predictor.digest(),
                json.loads(json.dumps(chosen, default=str)),
                fingerprints(inputs),
            )
        return self._identity

    @contextmanager
    def watched(self, stats: "RunStats", tally: Tally, output: Any) -> Iterator[None]:
        """Continue the interrupted run, or discard it; save the progress of this one."""
        if self._shard is not None and not self._options.out.retry_errors:
            from distilcli.rows.manifest import remove_manifest

            remove_manifest(str(self._options.out.output))
        if self._journal is None:
            yield
            return
        from distilcli.tasks.checkpoints import Checkpoints

        console = self._options.report.console
        checkpoints = Checkpoints(self._journal, self.identity, self._source, stats)
        earlier = self._earlier
        if earlier is not None and self.goes_on:
            checkpoints.go_on(earlier, output)
            tally.written = earlier.written
            tally.counts.update(earlier.counts)
            console.note(f"continuing after {count(earlier.rows, 'row')}")
        else:
            self._journal.remove()
            if earlier is not None:
                console.note(
                    f"removed an interrupted run of {count(earlier.rows, 'row')}, which `resume` "
                    "would have continued"
                )
            elif self._options.out.resume:
                console.note("there is no interrupted run to continue; starting at the first row")
        self._checkpoints = checkpoints
        with checkpoints.of(output):
            yield

    def note(self, output: Any, tally: Tally) -> None:
        """Record the progress of the run after a block.

        Raises `UsageError` if auto has gone back to fp32 after rows that an earlier run did
        otherwise.
        """
        if self.goes_on and self._predictor.precision != self._precision:
            raise UsageError(
                f"{self._options.out.output}: the interrupted run was in {self._precision}, which "
                "does not agree with fp32 on the rows that follow; start over with `precision` fp32"
            )
        if self._checkpoints is not None:
            self._checkpoints.note(output, tally.counts, tally.written)

    def ended(self, tally: Tally, stats: "RunStats", added: Sequence[str]) -> None:
        """Describe a part that is complete, and remove the journal of the run."""
        if self._shard is not None:
            from distilcli.rows.manifest import Manifest
            from distilcli.rows.writer import written_delimiter

            out, source = self._options.out, self._source
            kind = out.written_format
            begin, end = source.cuts
            delimiter = written_delimiter(kind, source.format, source.delimiter)
            Manifest(
                str(out.output),
                self.identity(),
                self._shard,
                begin,
                end,
                tally.written,
                None if kind == "sqlite" else Path(str(out.output)).stat().st_size,
                kind,
                delimiter,
                added,
                stats.progress(),
                dict(tally.counts),
            ).write()
        if self._journal is not None:
            self._journal.remove()
