import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distilcli import app
from distilcli.commands._declare import options
from distilcli.commands._file_run import FileOptions, FileRun
from distilcli.commands._option_groups import TextColumnOption
from distilcli.engine.batching import Batch
from distilcli.engine.task import Encoded
from distilcli.errors import RowError, UsageError
from distilcli.evaluation.evaluation import Comparison, Evaluation, EvaluationOptions, of_predictor
from distilcli.evaluation.results.base import EVERY, Results, Rows
from distilcli.evaluation.run import evaluate
from distilcli.gold import cells
from distilcli.gold.columns import gold_column, text_column
from distilcli.model.heads import SequenceClassifier
from distilcli.predictors.base import Predictor, checked_text
from distilcli.rows.reader import RowSource
from distilcli.tasks.files import text_from
from distilcli.tasks.sequences import Framer, encode_each
from distilcli.tasks.settings import LongTexts
from distilcli.tasks.spec import TASKS, TaskSpec, refuse_without_effect, register, task_spec
from distilcli.tokenizer.tokenizer import Tokenizer
from tests.commands._parse import delimited


def test_the_eight_tasks_in_their_order() -> None:
    names = ["classify", "multilabel", "regress", "tag", "qa", "mlm", "embed", "choose"]
    assert list(TASKS) == names


def test_the_table_is_had_without_torch_numpy_and_pandas() -> None:
    program = (
        "import sys, distilcli.tasks.spec\n"
        "print(*({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == []


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(ValueError, match="a task 'tag' already"):
        register(TASKS["tag"])


def test_an_unknown_task_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"`task` ner: the tasks are classify, .*, choose"):
        task_spec("ner")


@pytest.mark.parametrize(
    ("setting", "tasks"),
    [
        ("class_weights", "classify multilabel"),
        ("label_smoothing", "classify tag"),
        ("augment", "classify multilabel regress"),
        ("label_separator", "multilabel"),
        ("label_map", "classify multilabel"),
        ("calibrate", "classify multilabel"),
        ("threshold", "multilabel qa"),
        ("threshold_search", "classify multilabel qa"),
        ("options_column", "choose"),
        ("option_columns", "choose"),
        ("window_pooling", "classify multilabel regress embed"),
        ("pair_column", "classify multilabel regress qa embed"),
        ("label_column", "classify multilabel regress tag qa embed choose"),
        ("temperature", "classify multilabel tag qa mlm choose"),
        ("text_column", "classify multilabel regress tag qa mlm embed choose"),
    ],
)
def test_a_setting_is_refused_where_it_has_no_effect(setting: str, tasks: str) -> None:
    for task in TASKS:
        if task in tasks.split():
            refuse_without_effect(task, {setting: "x"})
        else:
            message = f"^`{setting}` has no effect on the task {task}, only on "
            with pytest.raises(UsageError, match=message):
                refuse_without_effect(task, {setting: "x"})


def test_a_setting_without_effect_is_refused_by_its_name() -> None:
    message = "^`threshold` has no effect on the task tag, only on multilabel and qa$"
    with pytest.raises(UsageError, match=message):
        refuse_without_effect("tag", {"label_column": "x", "threshold": 0.0})


@pytest.mark.parametrize("value", [None, False, "", ()])
def test_what_was_not_given_is_not_refused(value: object) -> None:
    refuse_without_effect("tag", {"threshold": value})


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("room", ["predictor", "dataset", "objective", "results"])
def test_what_a_task_refers_to_is_there(name: str, room: str) -> None:
    spec = TASKS[name]
    assert callable(spec.load(getattr(spec, room)))


# A ninth task, all of it in this file: whether a text is good or bad, as the head says.

JUDGE = TaskSpec(
    name="judge",
    command="judge",
    head="ForSequenceClassification",
    gold_columns=("right",),
    predicted=("verdict",),
    signatures=(("verdict",),),
    metrics=("accuracy",),
    settings=frozenset({"label_column"}),
    predictor="tests.tasks.test_spec:Judge",
    results="tests.tasks.test_spec:JudgeResults",
)


class JudgeTask:
    """Rows to tokens, and logits to plain values."""

    def __init__(
        self,
        model: SequenceClassifier,
        tokenizer: Tokenizer,
        text_of: Callable[[Any], str],
        long_texts: LongTexts,
    ) -> None:
        self.model, self.tokenizer, self.text_of = model, tokenizer, text_of
        self.framer = Framer(tokenizer, model.config, long_texts)

    def size(self, item: Any) -> int:
        return len(self.text_of(item))

    def encode(self, items: Sequence[Any]) -> list[Encoded | RowError]:
        return encode_each(items, self.text_of, self._encode)

    def _encode(self, texts: Sequence[str]) -> list[Encoded | RowError]:
        return [self.framer.frame(ids) for ids in self.tokenizer.ids(texts)]

    def forward(self, batch: Batch) -> list[int]:
        logits = self.model(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        found: list[int] = logits.argmax(dim=-1).tolist()
        return found

    def decode(self, item: Any, encoded: Encoded, outputs: Sequence[int]) -> str:
        return "good" if outputs[0] else "bad"

    def agreement(self, first: str, second: str) -> float:
        return float(first == second)


class Judge(Predictor[SequenceClassifier, str, str, str]):
    _head = SequenceClassifier
    _content = staticmethod(checked_text)

    def _task(self, model: SequenceClassifier, content_of: Callable[[Any], str]) -> JudgeTask:
        return JudgeTask(model, self._tokenizer, content_of, self._long_texts)

    def __call__(self, texts: list[str]) -> Any:
        return self._results(texts)


class JudgeColumns:
    names = ("verdict",)

    def values(self, verdict: str) -> list[object]:
        return [verdict]

    def counted(self, verdict: str) -> list[str]:
        return [verdict]


@options(model="sentiment")
def judge(common: FileOptions, text_column: TextColumnOption = None) -> int:
    """Judge texts."""
    source = common.open_rows(text_column)
    predictor = Judge(common.compute.model, **common.predictor_settings())
    text_of = text_from(source.text_column)
    return FileRun(
        options=common,
        source=source,
        predictor=predictor,
        engine=predictor.engine(text_of, on_error=common.rows.on_error),
        columns=JudgeColumns(),
        text_columns=[source.text_column],
    ).run()


@dataclass(frozen=True)
class JudgeResults(Results):
    gold: list[str]
    predicted: list[str]

    @classmethod
    def of_model(cls, model: str, source: RowSource, options: EvaluationOptions) -> Evaluation:
        text = text_column(source, JUDGE, options.columns)
        column = gold_column(source, JUDGE, options.columns, taken=[text])
        predictor = Judge(model, **options.predictor)
        return of_predictor(
            "judge", predictor, source, predictor.engine(text_from(text), on_error="stop"),
            gold_of=cells.label_of(column), measure=cls, text_columns=[text],
        )  # fmt: skip

    @classmethod
    def comparison(cls, source: RowSource, column: str, options: EvaluationOptions) -> Comparison:
        gold_of = cells.label_of(column)
        return gold_of, lambda gold, found: cls(gold, [prediction.value for prediction in found])

    def __len__(self) -> int:
        return len(self.gold)

    def metrics(self, rows: Rows = EVERY) -> dict[str, float]:
        right = np.array(self.gold)[rows] == np.array(self.predicted)[rows]
        return {"accuracy": float(right.mean())}

    def error_row(self, row: int) -> tuple[object, ...]:
        return self.predicted[row], self.gold[row], None


@pytest.fixture
def toy_task() -> Iterator[None]:
    """Register the task and its command while a test runs."""
    register(JUDGE)
    app.register("judge", "Judge texts.", "tests.tasks.test_spec")
    yield
    del TASKS["judge"], app.COMMANDS["judge"]
    app.app.registered_commands[:] = [
        command for command in app.app.registered_commands if command.name != "judge"
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("toy_task")
def test_a_task_in_one_file_runs_by_command_over_a_file_and_is_evaluated(
    distil: Callable[..., Any], tiny_folder: Path, tmp_path: Path
) -> None:
    data, judged = tmp_path / "rows.csv", tmp_path / "judged.csv"
    data.write_text("text,right\nthe film was good,good\na dull plot,bad\ni loved it,good\n")
    assert "judge" in distil("--help")[1]
    code, _, err = distil("judge", data, "-m", tiny_folder, "-o", judged, "--device", "cpu")
    assert code == 0, err
    rows = delimited(judged.read_text())
    assert list(rows[0]) == ["text", "right", "verdict"]
    texts = [row["text"] for row in rows]
    assert Judge(str(tiny_folder), device="cpu")(texts) == [row["verdict"] for row in rows]
    share = sum(row["verdict"] == row["right"] for row in rows) / 3
    # By the columns of its predictions, and by its model.
    code, out, err = distil("evaluate", judged, "--min", "accuracy=0")
    assert code == 0, err
    assert "task judge" in err
    assert delimited(out, "\t")[0] == {"metric": "accuracy", "value": f"{share:.4f}"}
    report = evaluate(str(tiny_folder), str(data), task="judge", device="cpu")
    assert report.metrics == {"accuracy": pytest.approx(share)}


@pytest.mark.usefixtures("toy_task")
def test_a_task_without_an_objective_cannot_be_learned() -> None:
    spec = task_spec("judge")
    with pytest.raises(UsageError, match="the task judge cannot be learned, only run and eval"):
        spec.load(spec.objective)
    refuse_without_effect("judge", {"label_column": "x"})
    with pytest.raises(UsageError, match="`pair_column` has no effect on the task judge"):
        refuse_without_effect("judge", {"pair_column": "x"})
