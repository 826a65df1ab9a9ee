import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.predictors.tagger import Tagger
from distilcli.training.datasets.tag import TaggedSentences
from distilcli.training.objectives.tag import TagObjective
from distilcli.training.options import ObjectiveOptions
from tests.training.objectives._toy import batch_of, learn, objective_of, weights_of

Make = Callable[..., Path]
NAMES = ("O", "B-THING", "I-THING")


def sentences(count: int, *, seed: int) -> TaggedSentences:
    """Sentences of everyday words; `film` and `book` are things, alone or together."""
    draw = random.Random(seed)
    words, labels = [], []
    for _ in range(count):
        sentence, tags = [], []
        for _ in range(draw.randint(1, 4)):
            sentence += draw.choices(["the", "was", "very", "unliked", "works"], k=2)
            tags += [0, 0]
            thing = draw.choice([["film"], ["book"], ["book", "film"]])
            sentence += thing
            tags += [1, 2][: len(thing)]
        words.append(sentence)
        labels.append(tags)
    return TaggedSentences(words, labels, NAMES)


@pytest.mark.slow
def test_the_saved_model_tags(make_model: Make, tmp_path: Path) -> None:
    objective = TagObjective(sentences(80, seed=1), sentences(20, seed=2))
    folder = make_model(head="BaseModel")
    summary = learn(folder, objective, tmp_path / "run", dropout=0.0, epochs=16, token_budget=128)
    assert summary["metric"] == "f1"
    assert summary["best"]["f1"] > 0.8
    tagger = Tagger(str(tmp_path / "run"), device="cpu")
    found = tagger.tag_words(objective.valid.words)
    pairs = [
        (name, NAMES[label])
        for names, labels in zip(found, objective.valid.labels, strict=True)
        for name, label in zip(names, labels, strict=True)
    ]
    share = sum(one == other for one, other in pairs) / len(pairs)
    assert share == pytest.approx(summary["best"]["accuracy"], abs=1e-5)


def test_a_word_is_learned_at_its_first_token(make_model: Make) -> None:
    # `unliked` is three pieces; the tokenizer drops a zero-width sign, which has no token.
    words = [["unliked", "film", "\u200b", "works"]]
    rows = TaggedSentences(words, [[0, 1, 2, 0]], NAMES)
    prepared, _ = objective_of(make_model(head="BaseModel"), TagObjective(rows, rows))
    (example,) = prepared.examples([0], epoch=0)
    # [CLS] un ##like ##d film works [SEP]
    assert example.positions == [(0, 1), (0, 4), (0, 5)]
    assert example.labels == [0, 1, 0]
    assert prepared.units(example) == 3


def test_a_long_sentence_is_learned_in_windows_each_word_once(make_model: Make) -> None:
    words = ["film", "book", "the"] * 20
    rows = TaggedSentences([words], [[number % 3 for number in range(60)]], NAMES)
    prepared, model = objective_of(
        make_model(head="BaseModel"), TagObjective(rows, rows), max_length=16
    )
    (example,) = prepared.examples([0], epoch=0)
    assert len(example.pieces) > 4
    assert prepared.sizes == [16 * len(example.pieces)]
    assert example.labels == rows.labels[0]
    read = [example.pieces[window].input_ids[place] for window, place in example.positions]
    film, book, the = read[:3]
    assert read == [film, book, the] * 20
    with torch.no_grad():
        outputs = prepared.outputs(model, batch_of([example, example]), [example, example])
    assert outputs.shape == (120, 3)
    torch.testing.assert_close(outputs[:60], outputs[60:])


def test_smoothing_changes_what_is_learned(make_model: Make, tmp_path: Path) -> None:
    rows, folder = sentences(9, seed=1), make_model(head="BaseModel")
    learn(folder, TagObjective(rows, rows), tmp_path / "plain", epochs=1)
    objective = TagObjective(rows, rows, ObjectiveOptions(label_smoothing=0.2))
    learn(folder, objective, tmp_path / "smooth", epochs=1)
    assert weights_of(tmp_path / "plain") != weights_of(tmp_path / "smooth")


@pytest.mark.slow
def test_the_command(
    make_model: Make, distil: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = sentences(20, seed=1)
    blocks = [
        "".join(f"{word}\t{NAMES[tag]}\n" for word, tag in zip(words, tags, strict=True))
        for words, tags in zip(rows.words, rows.labels, strict=True)
    ]
    Path("train.conll").write_text("\n".join(blocks))
    Path("train.txt").write_text("\n".join(blocks))
    run = ("-m", make_model(head="BaseModel"), "--task", "tag", "--epochs", 1, "--device", "cpu")
    code, _, err = distil("finetune", "train.conll", *run, "-o", "m")
    assert code == 0, err
    assert "on 18 sentences, validated on 2; labels: O, B-THING, I-THING" in err
    assert "try: distil tag FILE -m m" in err
    code, out, _ = distil("tag", "-m", "m", "--text", "the book", "--device", "cpu")
    assert (code, bool(out)) == (0, True)
    code, _, err = distil("finetune", "train.txt", *run, "-o", "n")
    assert code == 3
    assert err.splitlines()[-1].endswith("give --input-format conll")
    assert distil("finetune", "train.txt", *run, "-o", "n", "--input-format", "conll")[0] == 0
