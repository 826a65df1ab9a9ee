import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distilcli.checkpoint.sentence_transformers import SentenceRecipe, read_recipe, recipe_files
from distilcli.engine.batching import pad
from distilcli.errors import ModelError
from distilcli.predictors.embedder import Embedder
from distilcli.training.datasets.embed import TextPair
from distilcli.training.objectives.embed import (
    EmbedObjective,
    _retrieval,
    ranking_loss,
    same_texts,
    trainable_recipe,
)
from tests.conftest import WORDS
from tests.training.objectives._toy import learn, objective_of

Make = Callable[..., Path]
RECIPE = SentenceRecipe(normalizes=True)
NOUNS = ["film", "book", "camera", "battery"]


def scored(count: int, *, seed: int) -> list[TextPair]:
    """Pairs with a score of 5 if they are about the same thing, else of 0 to 1."""
    draw = random.Random(seed)
    others = [word for word in WORDS[:30] if word not in NOUNS]
    pairs = []
    for _ in range(count):
        alike = draw.random() < 0.5
        one = draw.choice(NOUNS)
        other = one if alike else draw.choice([noun for noun in NOUNS if noun != one])
        texts = [
            " ".join([*draw.choices(others, k=draw.randint(1, 5)), noun]) for noun in (one, other)
        ]
        pairs.append(TextPair(*texts, 5.0 if alike else draw.random()))
    return pairs


def matching(count: int, *, seed: int) -> list[TextPair]:
    return [TextPair(p.first, p.second) for p in scored(3 * count, seed=seed) if p.score == 5][
        :count
    ]


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_scored_pairs_are_ranked_by_the_saved_model(
    make_model: Make, tmp_path: Path, model_type: str
) -> None:
    valid = scored(80, seed=2)
    folder = make_model(head="BaseModel", model_type=model_type)
    before = cosines(folder, valid, normalize=True)
    objective = EmbedObjective(scored(400, seed=1), valid, RECIPE)
    summary = learn(folder, objective, tmp_path / "run", dropout=0.0)
    assert summary["metric"] == "spearman"
    wanted = [pair.score for pair in valid]
    assert correlation(before, wanted) < 0.3
    assert summary["best"]["spearman"] > 0.5
    found = cosines(tmp_path / "run", valid)
    assert correlation(found, wanted) == pytest.approx(summary["best"]["spearman"], abs=1e-4)


def cosines(folder: Path, pairs: list[TextPair], **settings: Any) -> np.ndarray[Any, Any]:
    """What `embed` makes of the pairs."""
    embedder = Embedder(str(folder), device="cpu", **settings)
    assert embedder.normalizes
    firsts, seconds = embedder([p.first for p in pairs]), embedder([p.second for p in pairs])
    found: np.ndarray[Any, Any] = (firsts * seconds).sum(axis=1)
    return found


def correlation(one: Any, other: Any) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)


@pytest.mark.slow
def test_partners_are_found(make_model: Make, tmp_path: Path) -> None:
    folder = make_model(head="BaseModel")
    objective = EmbedObjective(matching(200, seed=1), matching(9, seed=2), RECIPE)
    prepared, _ = objective_of(folder, objective)
    before = prepared.scores(torch.device("cpu"))
    summary = learn(folder, objective, tmp_path / "run", dropout=0.0)
    assert summary["metric"] == "accuracy"
    assert summary["best"]["accuracy"] > before["accuracy"]
    assert summary["best"]["mrr"] > 0.6


def test_the_folder_says_how_its_vectors_are_made(make_model: Make, tmp_path: Path) -> None:
    source = make_model(head="BaseModel")
    recipe = SentenceRecipe(
        pooling=("max", "cls"), prompts={"q": "a film : "}, default_prompt="q",
        pools_prompt=False, max_length=20,
    )  # fmt: skip
    for name, content in recipe_files(recipe, dim=32).items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(json.dumps(content))
    objective = EmbedObjective(scored(20, seed=1), scored(9, seed=2), trainable_recipe(source))
    learn(source, objective, tmp_path / "run", epochs=1)
    found = read_recipe(tmp_path / "run")
    # Side by side in the order that has always been theirs.
    assert found.pooling == ("cls", "max")
    assert found.prompts == {"q": "a film : "}
    assert (found.default_prompt, found.pools_prompt, found.max_length) == ("q", False, 20)
    assert not found.normalizes


def test_a_plain_model_gets_the_mean_and_unit_length(make_model: Make) -> None:
    recipe = trainable_recipe(make_model())
    assert (recipe.pooling, recipe.normalizes) == (("mean",), True)


def test_dense_modules_are_refused(make_model: Make) -> None:
    folder = make_model()
    modules = recipe_files(RECIPE, dim=32)["modules.json"]
    modules.insert(2, {"idx": 2, "name": "2", "path": "2_Dense", "type": "x.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    for name, content in (("1_Pooling", {"pooling_mode": "mean"}), ("2_Dense", {})):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(content))
    (folder / "2_Dense" / "model.safetensors").touch()
    with pytest.raises(ModelError, match="has Dense after its pooling"):
        trainable_recipe(folder)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        (
            "sentence_bert_config.json",
            {"tokenizer_args": {"do_lower_case": False}},
            "do_lower_case",
        ),
        ("config_sentence_transformers.json", {"truncate_dim": 8}, "has truncate_dim after"),
    ],
)
def test_settings_that_training_would_lose_are_refused(
    make_model: Make, name: str, content: object, why: str
) -> None:
    folder = make_model()
    modules = [{"type": "x.Transformer", "path": ""}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / name).write_text(json.dumps(content))
    with pytest.raises(ModelError, match=why):
        trainable_recipe(folder)


def test_the_ranking_loss_is_small_only_in_the_right_order() -> None:
    scores = torch.tensor([0.0, 2.0, 2.0, 5.0])
    right = ranking_loss(torch.tensor([-0.9, 0.0, 0.1, 0.9]), scores)
    wrong = ranking_loss(torch.tensor([0.9, 0.0, 0.1, -0.9]), scores)
    assert right < 0.001
    assert wrong > 30
    # By hand: one pair of pairs, whose cosines are 0.1 apart the wrong way.
    one = ranking_loss(torch.tensor([0.3, 0.2]), torch.tensor([1.0, 4.0]))
    assert one.item() == pytest.approx(math.log(1 + math.exp(20 * 0.1)), rel=1e-5)
    assert ranking_loss(torch.tensor([0.3, 0.2]), torch.tensor([1.0, 1.0])) == 0


def test_the_loss_of_partners_is_cross_entropy_over_the_batch(make_model: Make) -> None:
    pairs = [TextPair("a film", "a movie"), TextPair("the book", "a story"), TextPair("x", "y")]
    prepared, _ = objective_of(make_model(head="BaseModel"), EmbedObjective(pairs, pairs, RECIPE))
    examples = prepared.examples([0, 1, 2], epoch=0)
    vectors = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    unit = torch.nn.functional.normalize(vectors)
    logits = 20 * unit[0::2] @ unit[1::2].T
    expected = -logits.log_softmax(dim=1).diagonal().mean()
    units = sum(map(prepared.units, examples))
    assert (prepared.loss(vectors, examples) / units).item() == pytest.approx(expected.item())


def test_hard_negatives_of_the_whole_batch_are_candidates(make_model: Make) -> None:
    pairs = [TextPair("a film", "a movie", None, "x"), TextPair("the book", "a story", None, "y")]
    prepared, _ = objective_of(make_model(head="BaseModel"), EmbedObjective(pairs, pairs, RECIPE))
    assert "loss: in-batch and hard negatives" in prepared.describe()
    examples = prepared.examples([0, 1], epoch=0)
    vectors = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    unit = torch.nn.functional.normalize(vectors)
    logits = 20 * unit[0::3] @ torch.cat([unit[1::3], unit[2::3]]).T
    expected = -logits.log_softmax(dim=1).diagonal().mean()
    units = sum(map(prepared.units, examples))
    assert (prepared.loss(vectors, examples) / units).item() == pytest.approx(expected.item())


def test_the_texts_of_a_pair_are_padded_apart(make_model: Make) -> None:
    pairs = [
        TextPair("a film", "a movie the book a story a film", None, "the"),
        TextPair("the book", "a movie the book", None, "a film"),
    ]
    folder = make_model(head="BaseModel")
    prepared, model = objective_of(folder, EmbedObjective(pairs, pairs, RECIPE))
    model.eval()
    seen: list[torch.Size] = []
    model.distilbert.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    examples = prepared.examples([0, 1], epoch=0)
    batch = pad(
        [piece for example in examples for piece in example.pieces],
        pad_token_id=0, device=torch.device("cpu"),
    )  # fmt: skip
    with torch.no_grad():
        found = prepared.outputs(model, batch, examples)
    assert [shape[1] for shape in seen] == [4, 10, 4]
    texts = [text for pair in pairs for text in pair.texts]
    wanted = Embedder(str(folder), device="cpu")(texts)
    np.testing.assert_allclose(
        torch.nn.functional.normalize(found), torch.nn.functional.normalize(torch.tensor(wanted)),
        atol=1e-5,
    )  # fmt: skip


def test_the_same_text_is_no_negative_of_itself() -> None:
    def of(*numbers: tuple[int, int]) -> list[list[bool]]:
        found: list[list[bool]] = same_texts(torch.tensor(numbers)).tolist()
        return found

    apart = [[False, False], [False, False]]
    assert of((0, 1), (2, 3)) == apart
    assert of((0, 1), (2, 1)) == [[False, True], [True, False]]
    assert of((0, 1), (0, 3)) == [[False, True], [True, False]]
    # A first text that is the second one of another pair is not told that it is far from itself.
    assert of((0, 1), (1, 2)) == [[False, False], [True, False]]
    assert of((0, 1), (2, 0)) == [[False, True], [False, False]]
    assert of((0, 0), (0, 0)) == [[False, True], [True, False]]


def test_a_hard_negative_counts_unless_it_is_the_right_text_of_the_row() -> None:
    found = same_texts(torch.tensor([(0, 1, 2), (3, 2, 1), (4, 5, 0)])).tolist()
    assert found == [
        [False, False, False, False, True, True],  # 1 is its own text, 0 the first one itself
        [False, False, False, True, False, False],
        [False, False, False, False, False, False],
    ]


def test_texts_are_the_same_if_they_are_to_the_model(make_model: Make) -> None:
    pairs = [TextPair("A film", "Good"), TextPair("the book", "good")]
    prepared, _ = objective_of(make_model(head="BaseModel"), EmbedObjective(pairs, pairs, RECIPE))
    one, other = prepared.examples([0, 1], epoch=0)
    assert one.ids[1] == other.ids[1]
    assert one.ids[0] != other.ids[0]


def test_finding_counts_a_tie_against_the_right_one() -> None:
    same = np.ones((3, 2), dtype=np.float32)
    assert _retrieval(["a", "b", "c"], same, same) == {"accuracy": 0, "mrr": pytest.approx(1 / 3)}
    # Texts that are the same are no rivals.
    assert _retrieval(["a", "a", "a"], same, same) == {"accuracy": 1, "mrr": 1}
    units = np.eye(3, dtype=np.float32)
    assert _retrieval(["a", "b", "c"], units, units)["accuracy"] == 1
    assert _retrieval(["a", "b", "c"], units, units[[1, 0, 2]])["accuracy"] == pytest.approx(1 / 3)


def test_vectors_that_are_all_one_rank_nothing(
    make_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = EmbedObjective(scored(9, seed=1), scored(9, seed=2), RECIPE)
    prepared, model = objective_of(make_model(head="BaseModel"), objective)
    with torch.no_grad():
        model.distilbert.transformer.layer[-1].output_layer_norm.weight.zero_()
        model.distilbert.transformer.layer[-1].output_layer_norm.bias.fill_(0.5)
    assert prepared.scores(torch.device("cpu")) == {"spearman": 0.0, "pearson": 0.0}


@pytest.mark.slow
def test_the_command_from_pairs_to_vectors(
    make_model: Make, distil: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = make_model(head="BaseModel")
    lines = [f"{p.score},{p.first},{p.second}\n" for p in scored(60, seed=1)]
    Path("pairs.csv").write_text("score,one,other\n" + "".join(lines))
    columns = ("--text-column", "one", "--pair-column", "other")
    run = ("finetune", "pairs.csv", "-m", folder, "--task", "embed", *columns, "--epochs", 1)
    code, _, err = distil(*run, "-o", "scored", "--device", "cpu")
    assert code == 0, err
    assert "on 54 pairs, validated on 6; loss: CoSENT; vectors: mean, normalized" in err
    assert "distil embed FILE -m scored" in err
    unscored = [line.partition(",")[2] for line in lines]
    Path("pairs.csv").write_text("one,other\n" + "".join(unscored))
    code, _, err = distil(*run, "-o", "partners", "--device", "cpu")
    assert code == 0, err
    assert "loss: in-batch negatives" in err
    code, out, _ = distil("embed", "-m", "partners", "--text", "a film", "--device", "cpu")
    assert code == 0
    assert out
    # Another run in the same folder leaves nothing of this one.
    Path("rows.csv").write_text("text,label\n" + "good,x\nbad,y\n" * 12)
    code, _, err = distil(
        "finetune", "rows.csv", "-m", folder, "-o", "scored", "--force", "--epochs", 1
    )
    assert code == 0, err
    assert not Path("scored/modules.json").exists()
