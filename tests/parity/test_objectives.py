"""The same losses as transformers' own models, for the same weights and labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.checkpoint.folder import describe_folder
from distilcli.model.loading import load_model
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.training.datasets.choose import SolvedProblem
from distilcli.training.datasets.classify import Examples
from distilcli.training.datasets.mlm import PlainTexts
from distilcli.training.datasets.qa import Question
from distilcli.training.datasets.tag import TaggedSentences
from distilcli.training.objectives import AnyObjective
from distilcli.training.objectives.choose import ChooseObjective
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.objectives.mlm import MlmObjective
from distilcli.training.objectives.multilabel import MultilabelObjective
from distilcli.training.objectives.qa import QaObjective
from distilcli.training.objectives.regress import RegressObjective
from distilcli.training.objectives.tag import TagObjective
from tests.training.objectives._toy import batch_of, learn

transformers = pytest.importorskip("transformers")

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.parametrize("model_type", ["distilbert", "bert"]),
]

Make = Callable[..., Path]
TEXTS = ["a good film", "it was bad", "a great book and i loved it", "dull"]
IGNORED = -100


def ready(folder: Path, objective: AnyObjective) -> tuple[Any, Any]:
    """An objective prepared for the model of a folder, and all of its examples."""
    files = describe_folder("m", folder)
    model = load_model(files, objective.head).model
    prepared = objective.prepare(model, load_tokenizer(files), max_length=64)
    with torch.no_grad():
        examples = prepared.examples(range(len(prepared.sizes)), epoch=0)
        outputs = prepared.outputs(model, batch_of(examples), examples)
        loss = prepared.loss(outputs, examples) / sum(map(prepared.units, examples))
    return loss, examples


def theirs(kind: str, folder: Path, examples: list[Any], **labels: Any) -> torch.Tensor:
    """The loss of the model of transformers."""
    model = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(folder).eval()
    batch = batch_of(examples)
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    if batch.token_type_ids is not None and model.config.model_type == "bert":
        inputs["token_type_ids"] = batch.token_type_ids
    if kind == "MultipleChoice":
        count = len(examples[0].pieces)
        inputs = {key: value.view(len(examples), count, -1) for key, value in inputs.items()}
    with torch.no_grad():
        loss: torch.Tensor = model(**inputs, **labels).loss
    return loss


def test_classify(make_model: Make, model_type: str) -> None:
    folder = make_model(model_type=model_type)
    rows = Examples(TEXTS, None, [1, 0, 1, 0], ("negative", "positive"))
    loss, examples = ready(folder, ClassifyObjective(rows, rows))
    expected = theirs("SequenceClassification", folder, examples, labels=torch.tensor([1, 0, 1, 0]))
    torch.testing.assert_close(loss, expected)


def test_multilabel(make_model: Make, model_type: str) -> None:
    folder = make_model(model_type=model_type, problem_type="multi_label_classification")
    rows = Examples(TEXTS, None, [(0, 1), (), (1,), (0,)], ("negative", "positive"))
    loss, examples = ready(folder, MultilabelObjective(rows, rows))
    labels = torch.tensor([[1.0, 1], [0, 0], [0, 1], [1, 0]])
    expected = theirs("SequenceClassification", folder, examples, labels=labels)
    torch.testing.assert_close(loss, expected)


def test_regress(make_model: Make, model_type: str, tmp_path: Path) -> None:
    rows = Examples(TEXTS, None, [1.0, 3.0, 5.0, 7.0], ())
    objective = RegressObjective(rows, rows)
    # Trained first, so that what is saved has given up its units.
    learn(
        make_model(head="BaseModel", model_type=model_type), objective, tmp_path / "run", epochs=1
    )
    loss, examples = ready(tmp_path / "run", objective)
    labels = torch.tensor(rows.labels)
    expected = theirs("SequenceClassification", tmp_path / "run", examples, labels=labels)
    torch.testing.assert_close(loss, expected / 5)  # their variance


def test_tag(make_model: Make, model_type: str) -> None:
    folder = make_model(head="TokenClassifier", model_type=model_type, labels=("O", "B-X"))
    words = [["unliked", "film"], ["it", "works", "!"]]
    rows = TaggedSentences(words, [[0, 1], [1, 0, 0]], ("O", "B-X"))
    loss, examples = ready(folder, TagObjective(rows, rows))
    labels = torch.full_like(batch_of(examples).input_ids, IGNORED)
    for row, example in enumerate(examples):
        for (_, place), label in zip(example.places, example.labels, strict=True):
            labels[row, place] = label
    expected = theirs("TokenClassification", folder, examples, labels=labels)
    torch.testing.assert_close(loss, expected)


def test_qa_where_every_place_can_be_an_answer(make_model: Make, model_type: str) -> None:
    """Theirs lets answers stand in the question and in padding: here those places are nothing."""
    folder = make_model(head="QuestionAnswerer", model_type=model_type)
    rows = [Question("x", "a b c", ("b",), 2), Question("y", "c d a", ("c d",), 0)]
    objective = QaObjective(rows, rows)
    _, examples = ready(folder, objective)
    files = describe_folder("m", folder)
    model = load_model(files, objective.head).model
    prepared = objective.prepare(model, load_tokenizer(files), max_length=64)
    batch = batch_of(examples)
    with torch.no_grad():
        logits = model(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    everywhere = logits.transpose(1, 2).reshape(-1, logits.shape[1])
    loss = prepared.loss(everywhere, examples) / 4
    places = {
        "start_positions": torch.tensor([example.start for example in examples]),
        "end_positions": torch.tensor([example.end for example in examples]),
    }
    torch.testing.assert_close(loss, theirs("QuestionAnswering", folder, examples, **places))


def test_mlm(make_model: Make, model_type: str) -> None:
    folder = make_model(head="MaskedLanguageModel", model_type=model_type)
    loss, examples = ready(folder, MlmObjective(PlainTexts(TEXTS), PlainTexts(TEXTS)))
    labels = torch.full_like(batch_of(examples).input_ids, IGNORED)
    for row, example in enumerate(examples):
        labels[row, example.pieces[0].places] = torch.tensor(example.hidden)
    torch.testing.assert_close(loss, theirs("MaskedLM", folder, examples, labels=labels))


def test_choose(make_model: Make, model_type: str) -> None:
    folder = make_model(head="MultipleChoice", model_type=model_type)
    rows = [SolvedProblem("the film", ("good", "bad"), 1), SolvedProblem("x", ("a", "b c"), 0)]
    loss, examples = ready(folder, ChooseObjective(rows, rows))
    expected = theirs("MultipleChoice", folder, examples, labels=torch.tensor([1, 0]))
    torch.testing.assert_close(loss, expected)
