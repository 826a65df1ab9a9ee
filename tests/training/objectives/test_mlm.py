import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from distilcli.checkpoint.folder import describe_folder
from distilcli.engine.batching import Piece
from distilcli.errors import InputError
from distilcli.predictors.mask_filler import MaskFiller
from distilcli.tokenizer.loading import load_tokenizer
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.datasets.mlm import PlainTexts
from distilcli.training.objectives.mlm import Masking, MlmObjective
from distilcli.training.options import ObjectiveOptions
from tests.training.objectives._toy import assert_exact_resume, batch_of, learn, objective_of

Make = Callable[..., Path]


def texts(count: int, *, seed: int) -> PlainTexts:
    """Sentences in which the last word follows from the first."""
    draw = random.Random(seed)
    ends = {"film": "dull", "book": "bright", "camera": "cheap"}
    nouns = draw.choices(list(ends), k=count)
    lines = [f"the {noun} was {draw.choice(['very', 'not'])} {ends[noun]} ." for noun in nouns]
    return PlainTexts(lines)


@pytest.fixture
def tokenizer(tiny_folder: Path) -> Tokenizer:
    return load_tokenizer(describe_folder("m", tiny_folder))


@pytest.mark.slow
def test_the_saved_model_fills_in(make_model: Make, tmp_path: Path) -> None:
    objective = MlmObjective(texts(200, seed=1), texts(40, seed=2))
    folder = make_model(head="BaseModel")
    prepared, _ = objective_of(folder, objective)
    before = prepared.scores(torch.device("cpu"))["perplexity"]
    summary = learn(folder, objective, tmp_path / "run", dropout=0.0, learning_rate=5e-3)
    assert summary["metric"] == "perplexity"
    assert summary["best"]["perplexity"] < min(20, before / 3)
    fill = MaskFiller(str(tmp_path / "run"), device="cpu")
    assert fill(["the [MASK] was very dull ."])[0].masks[0][0].token == "film"


def test_an_interrupted_run_ends_as_an_unbroken_one(make_model: Make, tmp_path: Path) -> None:
    objective = MlmObjective(texts(60, seed=1), texts(9, seed=2))
    assert_exact_resume(make_model(head="BaseModel"), objective, tmp_path)


def test_words_are_hidden_whole_and_in_the_right_shares(tokenizer: Tokenizer) -> None:
    masking, mask = Masking(tokenizer), tokenizer.mask
    # Words of two pieces and of one, in turn.
    ids = tokenizer.ids(["works loved " * 20])[0]
    pieces = [tokenizer.tokens[number] for number in ids]
    special = tokenizer.special
    piece = Piece([special.cls, *ids, special.sep])
    outcomes: Counter[str] = Counter()
    for seed in range(400):
        example = masking.hide(piece, random.Random(seed))
        assert example is not None
        (window,) = example.pieces
        assert len(window) == len(piece)
        places = window.places
        assert 0.1 <= len(places) / len(ids) <= 0.15 + 1 / len(ids)
        assert window.hidden == [piece.input_ids[place] for place in places]
        for place in range(len(piece)):
            if place not in places:
                assert window.input_ids[place] == piece.input_ids[place]
        for place in places:
            if place < len(ids) and pieces[place].startswith("##"):  # the piece after it
                assert place + 1 in places
            found = window.input_ids[place]
            assert found == mask or found not in tokenizer.special_numbers
            kind = "kept" if found == piece.input_ids[place] else "other"
            outcomes["mask" if found == mask else kind] += 1
    total = outcomes.total()
    assert outcomes["mask"] / total == pytest.approx(0.8, abs=0.03)
    assert outcomes["kept"] / total == pytest.approx(0.1, abs=0.03)


def test_a_short_text_has_one_word_hidden_and_an_empty_one_none(tokenizer: Tokenizer) -> None:
    special = tokenizer.special
    ids = list(tokenizer.ids(["film"])[0])
    example = Masking(tokenizer).hide(Piece([special.cls, *ids, special.sep]), random.Random(0))
    assert example is not None
    assert example.pieces[0].hidden == ids
    unknown = Piece([special.cls, special.unk, special.sep])
    assert Masking(tokenizer).hide(unknown, random.Random(0)) is None


def test_what_is_hidden_is_drawn_from_seed_epoch_and_row(make_model: Make) -> None:
    folder, lines = make_model(head="BaseModel"), ["the film was good and the plot was dull"] * 3

    def hidden(*, seed: int = 0, epoch: int = 0) -> list[list[int]]:
        prepared, _ = objective_of(
            folder, MlmObjective(PlainTexts(lines), PlainTexts(lines), ObjectiveOptions(seed=seed))
        )
        examples = prepared.examples([0, 1, 2], epoch=epoch)
        return [example.pieces[0].input_ids for example in examples]

    assert hidden() == hidden()
    assert hidden() != hidden(seed=1)
    assert hidden() != hidden(epoch=1)
    assert len({tuple(ids) for ids in hidden() + hidden(epoch=1) + hidden(epoch=2)}) > 3


def test_long_texts_are_learned_in_windows(make_model: Make) -> None:
    objective = MlmObjective(PlainTexts(["good " * 100, "bad", ""]), PlainTexts(["good"]))
    prepared, _ = objective_of(make_model(head="BaseModel"), objective, max_length=32)
    assert prepared.sizes == [32, 32, 32, 12, 3]


def test_perplexity_is_exp_of_the_loss(make_model: Make) -> None:
    lines = texts(7, seed=1)
    prepared, model = objective_of(make_model(head="BaseModel"), MlmObjective(lines, lines))
    examples = prepared._masked_valid
    with torch.no_grad():
        outputs = prepared.outputs(model, batch_of(examples), examples)
    units = sum(map(prepared.units, examples))
    assert outputs.shape == (units, model.config.vocab_size)
    expected = (prepared.loss(outputs, examples) / units).exp().item()
    found = prepared.scores(torch.device("cpu"))["perplexity"]
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_fresh_head_is_tied_to_the_embeddings(make_model: Make, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    objective = MlmObjective(texts(20, seed=1), texts(5, seed=2))
    learn(make_model(head="BaseModel"), objective, tmp_path / "run", epochs=1)
    weights = load_file(tmp_path / "run" / "model.safetensors")
    assert "vocab_projector.bias" in weights
    assert "vocab_projector.weight" not in weights


def test_texts_without_words_cannot_validate(make_model: Make) -> None:
    objective = MlmObjective(PlainTexts(["good"]), PlainTexts(["\u4e00"]))
    with pytest.raises(InputError, match="the validation texts have no words"):
        objective_of(make_model(head="BaseModel"), objective)


@pytest.mark.slow
def test_the_command_reads_plain_lines(
    make_model: Make, distil: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lines.txt").write_text("\n".join(texts(30, seed=1).texts) + "\n\n")
    run = ("finetune", "lines.txt", "-m", make_model(head="BaseModel"), "--task", "mlm")
    code, _, err = distil(*run, "-o", "m", "--epochs", 1, "--device", "cpu")
    assert code == 0, err
    assert "on 27 texts, validated on 3" in err
    assert "try: distil fill FILE -m m" in err
    code, out, _ = distil("fill", "-m", "m", "--text", "the [MASK] was dull", "--device", "cpu")
    assert code == 0
    assert out
