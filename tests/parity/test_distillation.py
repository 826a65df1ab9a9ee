"""A teacher and its student, both run by transformers: the loss that DistilBERT learned by."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from distilcli.checkpoint.folder import describe_folder
from distilcli.engine.batching import pad
from distilcli.model.loading import check_tokenizer, load_model
from distilcli.model.saving import save_model
from distilcli.predictors.classifier import Classifier
from distilcli.tasks.settings import BatchOptions
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.training.datasets.classify import Examples
from distilcli.training.distill.setup import DistillationPlan, add_teacher
from distilcli.training.init_model import StartingPoint, start_model
from distilcli.training.objectives.classify import ClassifyObjective
from distilcli.training.options import DistillationOptions, TrainingOptions
from tests.training._finetune import finetune

transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.parity

Make = Callable[..., Path]
LABELS = ("bad", "good")
CPU = torch.device("cpu")
# Pairs of as many tokens each: the means of torch's losses are then those of rows.
ROWS = Examples(
    ["the film was good", "i loved the book", "boring and cheap plot", "a poor dull story"],
    ["great fun", "very bright", "works slow", "it broke"],
    [1, 1, 0, 0],
    LABELS,
)


def start(teacher: Path) -> StartingPoint:
    """Half of a teacher that is a BERT."""
    return StartingPoint(files=describe_folder("t", teacher), fold=True, layers=(0, 3))


def test_the_loss_is_that_of_their_models(make_model: Make, tmp_path: Path) -> None:
    teacher = make_model(model_type="bert", labels=LABELS, n_layers=4)
    objective, files = ClassifyObjective(ROWS, ROWS), describe_folder("t", teacher)
    model = start_model(start(teacher), objective).model.eval()
    tokenizer = load_tokenizer(files)
    check_tokenizer(tokenizer, model.config, source="t")
    student = objective.prepare(model, tokenizer, max_length=64)
    plan = DistillationPlan(files=files, options=DistillationOptions(temperature=3.0))
    ours = add_teacher(plan, student, seed=0, epochs=1, device=CPU, on_pass=lambda *_: None)
    examples = ours.examples([0, 1, 2, 3], epoch=0)
    pieces = [piece for example in examples for piece in example.pieces]
    batch = pad(pieces, pad_token_id=0, device=CPU)
    found = ours.loss(ours.outputs(model, batch, examples), examples) / 4

    (tmp_path / "student").mkdir()
    save_model(model, tmp_path / "student", tokenizer_files=[])
    family = transformers.AutoModelForSequenceClassification
    settings: dict[str, Any] = {"output_hidden_states": True, "attn_implementation": "eager"}
    their_student = family.from_pretrained(tmp_path / "student", **settings)
    their_teacher = family.from_pretrained(teacher, **settings)
    assert type(their_teacher).__name__ == "BertForSequenceClassification"
    encoded = transformers.BertTokenizerFast.from_pretrained(teacher)(
        ROWS.texts, ROWS.pairs, return_tensors="pt"
    )
    assert encoded["token_type_ids"].any()
    with torch.inference_mode():
        theirs = their_teacher(**encoded)
        encoded.pop("token_type_ids")
        mine = their_student(**encoded, labels=torch.tensor(ROWS.labels))
    soft = nn.KLDivLoss(reduction="batchmean")(
        (mine.logits / 3).log_softmax(-1), (theirs.logits / 3).softmax(-1)
    )
    last = [output.hidden_states[-1].flatten(0, 1) for output in (mine, theirs)]
    cosine = nn.CosineEmbeddingLoss()(*last, torch.ones(len(last[0])))
    expected = 5 * soft * 3**2 + 2 * mine.loss + cosine
    torch.testing.assert_close(found.detach(), expected, atol=1e-5, rtol=1e-5)


def test_a_trained_student_gives_the_same_numbers_there(make_model: Make, tmp_path: Path) -> None:
    teacher, run = make_model(model_type="bert", labels=LABELS, n_layers=4), tmp_path / "run"
    finetune(
        start(teacher),
        ClassifyObjective(ROWS, ROWS),
        options=TrainingOptions(epochs=2, learning_rate=1e-3, precision="fp32"),
        teacher=DistillationPlan(files=describe_folder("t", teacher)),
        folder=run,
        device="cpu",
    )
    theirs, report = transformers.AutoModelForSequenceClassification.from_pretrained(
        run, output_loading_info=True
    )
    assert type(theirs).__name__ == "DistilBertForSequenceClassification"
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert theirs.config.id2label == {0: "bad", 1: "good"}
    tokenizer = transformers.BertTokenizerFast.from_pretrained(run)
    encoded = tokenizer(ROWS.texts, ROWS.pairs, return_tensors="pt", return_token_type_ids=False)
    with torch.inference_mode():
        expected = theirs(**encoded).logits.softmax(-1)
    assert expected.std() > 0.01
    classifier = Classifier(str(run), device="cpu", batches=BatchOptions(threads=1))
    pairs = zip(ROWS.texts, ROWS.pairs or [], strict=True)
    scores = torch.tensor([result.scores for result in classifier(pairs)])
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0)
    assert load_model(describe_folder("r", run), ClassifyObjective(ROWS, ROWS).head).unused == ()
