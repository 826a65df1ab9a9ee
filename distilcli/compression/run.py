"""`compress`: a smaller model from a trained one, and what it costs in quality.

The changes are made in a fixed order, whatever the order of the settings: merge, layers, heads,
feed-forward neurons, vocabulary, positions, int8. Importance is measured on the model as it is by
then.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from distilcli.checkpoint.config import read_config
from distilcli.checkpoint.folder import ModelFiles, describe_folder
from distilcli.checkpoint.locate import locate
from distilcli.checkpoint.safetensors_header import read_checkpoint_header
from distilcli.checkpoint.sentence_transformers import read_recipe
from distilcli.compression.attention_heads import (
    Heads,
    largest_agreeing,
    least_important,
    most_heads,
    parse_count,
)
from distilcli.compression.data import read_data
from distilcli.compression.importance import Importance, measure_importance
from distilcli.compression.layers import parse_layers, without_layers
from distilcli.compression.merging import average
from distilcli.compression.neurons import remove_neurons
from distilcli.compression.options import AUTO, MIN_AGREEMENT, CompressOptions
from distilcli.compression.output import Compressed, check_output, put_in_place, staged
from distilcli.compression.positions import remove_positions
from distilcli.compression.report import (
    CompressionReport,
    RankedHeads,
    ranked_heads,
    size_of,
)
from distilcli.compression.speed import compare_speed
from distilcli.compression.vocabulary import remove_tokens
from distilcli.errors import GateError, InputError, ModelError, UsageError
from distilcli.evaluation.of_model import task_of_config
from distilcli.evaluation.run import evaluate
from distilcli.interrupt import scratch_folder
from distilcli.model.device import place
from distilcli.model.heads import HEADS, TaskModel
from distilcli.model.loading import load_model
from distilcli.model.surgery import parse_heads, prune_heads
from distilcli.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from distilcli.engine.engine import Engine

Say = Callable[[str], None]

_SAMPLE_ROWS = 512
"""Importance, and the agreement of `prune_heads` auto, are measured on this many first rows."""


def compress(
    model: str,
    output: str | Path,
    *,
    force: bool = False,
    device: str = "auto",
    offline: bool = False,
    on_step: Say = lambda _: None,
    **settings: Any,
) -> CompressionReport:
    """Write a smaller model as the folder `output`, and return what changed.

    `settings` are the fields of `CompressOptions`. `on_step` is told what is being done. Raises
    `UsageError`, `InputError` and `ModelError` for what cannot be done, and `GateError` if the
    model agrees on less than `min_agreement`; nothing is written then.
    """
    options, folder = CompressOptions(**settings), Path(output)
    files = locate(model, offline=offline)
    others = [locate(other, offline=offline) for other in options.merge]
    check_output(folder, [files, *others], force=force)
    run = _Compression(options, files, others, device=device, offline=offline, on_step=on_step)
    run.change()
    with staged(folder) as stage:
        run.compressed.write(stage)
        report = run.report(stage, folder)
        put_in_place(stage, folder)
    return report


class _Compression:
    """One run: the model as it is so far, and what it is compared with."""

    def __init__(
        self,
        options: CompressOptions,
        files: ModelFiles,
        others: list[ModelFiles],
        *,
        device: str,
        offline: bool,
        on_step: Say,
    ) -> None:
        self._options, self._files, self._others = options, files, others
        self._device, self._offline, self._say = device, offline, on_step
        self._spec = _task_of(files)
        self._data = None if options.data is None else read_data(options, self._spec)
        is_packed = _is_packed(files)
        if options.int8 and is_packed:
            raise UsageError(f"`int8` has no effect: {files.name} is stored as int8 already")
        loaded = load_model(files, _head_of(self._spec))
        self._unused = [key for key in loaded.unused if ".pooler." not in key]
        model = loaded.model
        self._old = size_of(files, _parameters(model), model.config)
        self.compressed = Compressed(model, files, packed=options.int8 or is_packed)
        self._heads: list[RankedHeads] = []
        self._notes: list[str] = []
        self._before = self._quality(files.name)

    def change(self) -> None:
        """Make every change, in order."""
        options, made = self._options, self.compressed
        if self._others:
            average(made.model, self._files, self._others)
        if options.prune_layers is not None:
            gone = parse_layers(options.prune_layers, made.model.config.n_layers)
            made.model = without_layers(made.model, gone)
        if options.prune_heads:
            self._prune_heads()
        if options.prune_ffn is not None:
            importance = None if self._data is None else self._importance()
            remove_neurons(made.model, options.prune_ffn, importance)
        if options.prune_vocab:
            assert self._data is not None  # noqa: S101
            prompts = read_recipe(self._files.folder).prompts.values()
            made.tokenizer = remove_tokens(made.model, self._files, [*prompts, *self._data.texts()])
        if options.positions is not None:
            remove_positions(made.model, options.positions)
            made.positions = options.positions
        if made.model.config.abstention is not None:
            self._drop_abstention()

    def report(self, stage: Path, folder: Path) -> CompressionReport:
        """Measure the model that is in the folder `stage`; raise `GateError` if it is too bad."""
        model, options = self.compressed.model, self._options
        new = size_of(describe_folder(str(folder), stage), _parameters(model), model.config)
        report = CompressionReport(
            output=folder, old=self._old, new=new, heads=self._heads, notes=self._notes,
            before=self._before,
        )  # fmt: skip
        if self._data is not None:
            self._say("comparing it with the original")
            expected = self._data.values(self._original)
            engine = self._engine(str(stage))
            report.agreement, report.rows = self._data.agreement(engine, expected)
            self._check(report)
            if self._before:
                report.after = self._quality(str(stage))
        if options.seconds:
            self._say("timing both in turn")
            report.speed = compare_speed(
                str(stage), self._files.name, longest=model.config.max_position_embeddings,
                seconds=options.seconds, device=self._device, offline=self._offline,
            )  # fmt: skip
        return report

    def _prune_heads(self) -> None:
        model, (first, *_) = self.compressed.model, self._options.prune_heads
        if not self._options.ranks_heads:
            prune_heads(model, parse_heads(self._options.prune_heads))
            return
        count = None if first == AUTO else parse_count(first, model)
        importance = self._importance()
        if count is None:
            count = self._heads_that_agree(importance)
        heads = least_important(model, importance, count)
        before = [block.attention.heads for block in model.distilbert.transformer.blocks]
        self._heads = ranked_heads(importance, before, heads)
        prune_heads(model, heads)

    def _heads_that_agree(self, importance: Importance) -> int:
        """Return how many heads can go so that the model still agrees with itself."""
        assert self._data is not None  # noqa: S101
        data, made = self._data, self.compressed
        required = self._options.min_agreement
        required = MIN_AGREEMENT if required is None else required

        def written(heads: Heads) -> "Engine[Any, Any]":
            with scratch_folder() as folder:
                model = deepcopy(made.model)
                prune_heads(model, heads)
                Compressed(model, self._files, packed=False).write(Path(folder))
                return self._engine(folder)

        whole = data.values(written({}), first=_SAMPLE_ROWS)

        def agrees(count: int) -> bool:
            self._say(f"trying without {count} heads")
            engine = written(least_important(made.model, importance, count))
            return data.agreement(engine, whole)[0] >= required

        found = largest_agreeing(most_heads(made.model), agrees)
        if not found:
            self._notes.append(
                f"`prune_heads` auto removed none: without one head it agrees on less than "
                f"{required:.1%}"
            )
        return found

    def _importance(self) -> Importance:
        """Measure heads and neurons of the model as it is now."""
        assert self._data is not None  # noqa: S101
        self._say(f"measuring importance on {min(_SAMPLE_ROWS, len(self._data.rows)):,} rows")
        model = self.compressed.model
        pieces = self._data.pieces(self._original, _SAMPLE_ROWS)
        device = place(model, self._device, vocab_size=model.config.vocab_size).device
        found = measure_importance(model, pieces, device)
        model.cpu()
        return found

    @cached_property
    def _original(self) -> "Engine[Any, Any]":
        return self._engine(self._files.name)

    def _engine(self, name: str) -> "Engine[Any, Any]":
        assert self._data is not None  # noqa: S101
        return self._data.engine(name, device=self._device, offline=self._offline)

    def _quality(self, name: str) -> Mapping[str, float]:
        """Return the metrics of a model on the gold labels; none if the rows have none."""
        options, spec = self._options, self._spec
        if self._data is None or self._data.gold is None:
            return {}
        try:
            report = evaluate(
                name, options.data, task=spec.name, text_column=options.text_column,
                pair_column=options.pair_column, label_column=options.label_column,
                label_map=options.label_map, limit=options.limit, device=self._device,
                offline=self._offline, on_error="stop" if spec.name == "embed" else "skip",
            )  # fmt: skip
        except InputError as error:
            if options.label_column or options.label_map:
                raise
            self._notes.append(f"quality is not measured: {error}")
            return {}
        return {name: value for name, value in report.metrics.items() if value == value}  # noqa: PLR0124

    def _check(self, report: CompressionReport) -> None:
        required, found = self._options.min_agreement, report.agreement
        assert found is not None  # noqa: S101
        if required is not None and found < required:
            raise GateError(
                f"{report.output}: agrees with {self._files.name} on {found:.1%} of "
                f"{report.rows:,} rows, {required:.1%} required; nothing was written"
            )

    def _drop_abstention(self) -> None:
        """Remove thresholds whose error was guaranteed for another model."""
        model = self.compressed.model
        model.config = model.distilbert.config = replace(model.config, abstention=None)
        self._notes.append(
            "the thresholds of the original are left out; find new ones with `distil evaluate`"
        )


def _task_of(files: ModelFiles) -> TaskSpec:
    spec = task_of_config(read_config(files.config_path))
    if spec is None:
        raise ModelError(
            f"{files.name}: config.json names no architecture, so its head is unknown; add "
            "architectures, such as DistilBertForSequenceClassification"
        )
    return spec


def _head_of(spec: TaskSpec) -> type[TaskModel]:
    return next(kind for kind, head in HEADS.items() if head.ending == spec.head)


def _is_packed(files: ModelFiles) -> bool:
    """Return whether the weights are stored as int8."""
    if any(path.suffix == ".bin" for path in files.weight_files):
        return False
    header = read_checkpoint_header(files.weight_files)
    return any(tensor.dtype == "I8" for tensor in header.tensors.values())


def _parameters(model: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())
