import shlex
from dataclasses import replace
from typing import Any

import pytest
from huggingface_hub import ModelCard

from distilcli import __all__ as python_face
from distilcli.model.hardware import Machine
from distilcli.scores.precision_recall import PrecisionRecall
from distilcli.training.report.distillation import TeachingRecord
from distilcli.training.report.model_card import DataRecord, RunRecord, model_card

TASKS = ["classify", "multilabel", "regress", "tag", "qa", "mlm", "embed", "choose"]
RECORD = RunRecord(
    name="/home/someone/runs/my-model",
    task="classify",
    base_model="/home/someone/models/mini",
    model_type="distilbert",
    parameters=22_713_218,
    max_length=128,
    command=["distil", "finetune", "data/train.csv", "-o", "my-model", "--epochs", "3"],
    train=DataRecord(files=["data/train.csv"], rows=9_000, labels={"no": 4_000, "yes": 5_000}),
    valid=DataRecord(files=["/home/someone/valid.csv"], rows=800, labels={"no": 800}),
    steps=1_200,
    epochs=3,
    best_step=900,
    metrics={"accuracy": 0.91236, "macro_f1": 0.9},
    label_scores={"no": PrecisionRecall(precision=0.7, recall=0.8, f1=0.746667, support=800)},
    machine=Machine(
        cpu="A CPU", cores=1, device="cpu", torch="2.9.0", distil="0.1.0", python="3.11.7"
    ),
    precision="bf16",
    date="2026-01-31",
    seconds=3_725.4,
)


def card(**changes: Any) -> str:
    return model_card(replace(RECORD, **changes))


def front_matter(text: str) -> dict[str, Any]:
    return ModelCard(text).data.to_dict()


def test_the_hub_reads_the_head() -> None:
    read = ModelCard(card(base_model_id="org/mini"))
    assert front_matter(card(base_model_id="org/mini")) == {
        "base_model": "org/mini",
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["distilbert", "distil", "classify"],
        "model-index": read.data.to_dict()["model-index"],
    }
    assert read.data.model_name == "my-model"
    assert [(found.metric_type, found.metric_value) for found in read.data.eval_results] == [
        ("accuracy", 0.91236),
        ("f1", 0.9),
    ]
    assert {found.dataset_name for found in read.data.eval_results} == {"valid.csv"}
    assert {found.dataset_type for found in read.data.eval_results} == {"validation rows"}


def test_what_is_not_known_is_left_out_of_the_head() -> None:
    found = front_matter(card(metrics={"loss": float("nan")}))
    assert not {"base_model", "license", "language", "model-index"} & found.keys()


@pytest.mark.parametrize("task", TASKS)
def test_each_task_says_how_its_model_is_used(task: str) -> None:
    text = card(task=task)
    assert front_matter(text)["pipeline_tag"]
    used = text.partition("`distilcli.")[2].partition("(")[0]
    assert used in python_face
    assert " -m DIR\n```" in text


def test_a_person_reads_what_it_is_and_how_good() -> None:
    text = card()
    for line in (
        "# my-model",
        "| accuracy | 0.9124 |",
        "| macro-F1 | 0.9000 |",
        "| training | train.csv | 9,000 |",
        "| label | training rows | validation rows | precision | recall | F1 |",
        "| no | 4,000 | 800 | 0.7000 | 0.8000 | 0.7467 |",
        "| yes | 5,000 | 0 |  |  |  |",
        "| processor | A CPU, 1 core |",
        "| duration | 1 h 2 min |",
        "| versions | distil 0.1.0, torch 2.9.0, Python 3.11.7 |",
    ):
        assert f"\n{line}\n" in text
    assert "A DistilBERT model that classifies texts. It has 22,713,218 parameters" in text
    assert "fine-tuned from mini." in text
    assert "fine-tuned from mini and distilled from org/big." in card(teacher="org/big")
    assert "## Labels" not in card(task="qa", train=replace(RECORD.train, labels={}))
    assert "| label | training rows | validation rows |\n" in card(label_scores={})


def test_nothing_of_the_machine_is_told() -> None:
    command = ["distil", "finetune", "/home/someone/a b.csv", "--model=/home/someone/mini"]
    text = card(command=[*command, "--valid", "C:\\Users\\someone\\v.csv"], teacher="/home/x/y")
    assert "home" not in text
    assert "Users" not in text
    assert "distil finetune 'a b.csv' --model=mini --valid v.csv" in text


def test_a_long_command_is_broken_before_options_and_stays_the_same() -> None:
    command = [
        "distil",
        "finetune",
        "it's.csv",
        *(w for n in range(20) for w in (f"--option-{n}", f"{n}")),
    ]
    block = card(command=command).rpartition("```sh\n")[2].partition("\n```")[0]
    assert max(map(len, block.splitlines())) < 100
    assert all(line.startswith("    ") for line in block.splitlines()[1:])
    assert shlex.split(block.replace("\\\n", "")) == command


def test_labels_are_shown_as_they_are() -> None:
    labels = {"a|b": 1, "<i>*x*": 2, "two\nlines": 3, "/n/a": 4}
    text = card(train=replace(RECORD.train, labels=labels), label_scores={})
    for shown in (r"| a\|b | 1 |", r"| \<i\>\*x\* | 2 |", "| two lines | 3 |", "| /n/a | 4 |"):
        assert shown in text


@pytest.mark.parametrize(
    ("seconds", "words"), [(59.4, "59 s"), (59.6, "1 min 0 s"), (3_600, "1 h 0 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert f"| duration | {words} |" in card(seconds=seconds)


def test_a_student_is_compared_with_its_teacher() -> None:
    teaching = TeachingRecord(
        metrics={"accuracy": 0.95},
        size=0.25,
        speed=3.96,
        rows=800,
        agreement=0.8765,
        label_f1={"no": (0.9, 0.85), "y|s": (0.5, 0.75)},
    )
    text = card(teacher="/home/someone/big", teaching=teaching)
    part = text.partition("## Distillation\n\n")[2].partition("\n\n## Data")[0]
    assert part.splitlines() == [
        (
            "Both give the same label to 87.6% of 800 validation rows. This model has 25% of the "
            "parameters of its teacher, and reads the validation rows at 4.0 times its speed."
        ),
        "",
        "| metric | teacher | this model |",
        "| --- | --- | --- |",
        "| accuracy | 0.9500 | 0.9124 |",
        "",
        "| label | F1 of the teacher | F1 | gain |",
        "| --- | --- | --- | --- |",
        "| no | 0.9000 | 0.8500 | -0.0500 |",
        "| y\\|s | 0.5000 | 0.7500 | +0.2500 |",
    ]
    assert "## Distillation" not in card()
    assert "## Distillation" not in card(teaching=TeachingRecord())
