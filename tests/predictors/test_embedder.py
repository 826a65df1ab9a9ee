import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from distilcli.errors import InputError, ModelError, RowError, UsageError
from distilcli.model.capture import forward_all
from distilcli.predictors.embedder import Embedder
from distilcli.tasks.settings import BatchOptions, LongTexts

Make = Callable[..., Path]
TEXTS = [
    "a good film",
    "dull , boring and slow",
    "",
    "i loved it !",
    "the story and the plot of the film",
]
LONG = "i loved the film but it was dull , slow and boring . the camera is great ! " * 3


def embedder(folder: Path, **options: Any) -> Embedder:
    defaults = {"device": "cpu", "batches": BatchOptions(threads=1), "keep_empty": True}
    options = {**defaults, **options}
    return Embedder(str(folder), **options)


def hidden_states(folder: Path, text: str, **options: Any) -> list[np.ndarray]:
    """The hidden states of a text after each layer, computed alone and unpadded; (T, D) each."""
    loaded = embedder(folder, **options)
    (ids,) = loaded._tokenizer.ids([text])
    special = loaded._tokenizer.special
    framed = torch.tensor([[special.cls, *ids, special.sep]])
    with torch.inference_mode():
        states = forward_all(loaded._models[0].distilbert, framed).hidden_states
    return [each[0].numpy() for each in states]


def write_recipe(
    folder: Path,
    *,
    pooling: object = "mean",
    normalizes: bool = False,
    include_prompt: bool = True,
    dense: tuple[int, int] | None = None,
    prompts: dict[str, str] | None = None,
    default: str | None = None,
    lengths: dict[str, object] | None = None,
) -> Path:
    """Make a sentence-transformers folder of a model folder."""
    kinds = ["Transformer", "Pooling", *(["Dense"] if dense else []), *(["Normalize"] * normalizes)]
    modules = [
        {"type": f"x.{kind}", "path": "" if kind == "Transformer" else f"1_{kind}"}
        for kind in kinds
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    for kind in ("Pooling", "Dense"):
        (folder / f"1_{kind}").mkdir(exist_ok=True)
    config = {"pooling_mode": pooling, "include_prompt": include_prompt}
    (folder / "1_Pooling/config.json").write_text(json.dumps(config))
    (folder / "1_Dense/config.json").write_text("{}")
    if dense:
        weight = torch.randn(dense[1], dense[0], generator=torch.Generator().manual_seed(1))
        save_file(
            {"linear.weight": weight / 8, "linear.bias": torch.ones(dense[1])},
            folder / "1_Dense/model.safetensors",
        )
    settings = {"prompts": prompts or {}, "default_prompt_name": default}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    (folder / "sentence_bert_config.json").write_text(json.dumps(lengths or {}))
    return folder


def close(one: Any, other: Any) -> bool:
    return bool(np.allclose(one, other, atol=1e-5))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_layers(make_model: Make, model_type: str) -> None:
    folder = make_model(model_type=model_type)
    states = [hidden_states(folder, text) for text in TEXTS]
    for layer in (0, 1, 2, -1, -3):
        expected = [each[layer].mean(axis=0) for each in states]
        assert close(embedder(folder, layer=layer)(TEXTS), expected)
    assert close(embedder(folder)(TEXTS), [each[-1].mean(axis=0) for each in states])
    both = [(each[-1] + each[-2]).mean(axis=0) / 2 for each in states]
    assert close(embedder(folder, pooling="last-2")(TEXTS), both)


@pytest.mark.parametrize("pooling", ["cls", "max", "mean-sqrt", "weighted", "last-token"])
def test_pooling_of_another_layer(tiny_folder: Path, pooling: str) -> None:
    last = embedder(tiny_folder, pooling=pooling)(TEXTS)
    assert close(last, embedder(tiny_folder, pooling=pooling, layer=2)(TEXTS))
    assert not close(last, embedder(tiny_folder, pooling=pooling, layer=1)(TEXTS))


def test_the_first_dimensions(make_model: Make) -> None:
    folder = make_model()
    whole = embedder(folder)(TEXTS)
    assert np.array_equal(embedder(folder, dims=5)(TEXTS), whole[:, :5])
    write_recipe(folder, normalizes=True)
    assert close(embedder(folder)(TEXTS), unit(whole))
    assert close(embedder(folder, dims=5)(TEXTS), unit(whole[:, :5]))
    assert close(embedder(folder, dims=5, normalize=False)(TEXTS), whole[:, :5])


def test_number_formats(tiny_folder: Path) -> None:
    whole = embedder(tiny_folder)(TEXTS)
    for dtype, stored, columns in [
        ("float16", np.float16, 32),
        ("int8", np.int8, 32),
        ("binary", np.uint8, 4),
    ]:
        loaded = embedder(tiny_folder, dtype=dtype)
        found = loaded(TEXTS)
        assert (found.dtype, found.shape) == (stored, (len(TEXTS), columns))
        assert loaded.blank().shape == (columns,)
        assert loaded.blank().dtype == found.dtype
    assert np.array_equal(found, np.packbits(whole > 0, axis=1))
    eight = unit(embedder(tiny_folder, dtype="int8")(TEXTS).astype(np.float32))
    assert np.abs(eight @ eight.T - unit(whole) @ unit(whole).T).max() < 0.01


def test_no_texts(tiny_folder: Path) -> None:
    assert embedder(tiny_folder)([]).shape == (0, 32)
    assert embedder(tiny_folder, dims=12, dtype="binary")(iter([])).shape == (0, 2)
    assert embedder(tiny_folder).tokens([]) == []


def test_dense_layers(make_model: Make) -> None:
    folder = make_model()
    pooled = embedder(folder)(TEXTS)
    write_recipe(folder, dense=(32, 6))
    weights = load_file(folder / "1_Dense/model.safetensors")
    expected = np.tanh(pooled @ weights["linear.weight"].numpy().T + 1)
    assert close(embedder(folder)(TEXTS), expected)
    assert embedder(folder).width == 6
    # Another pooling than the one that the layer was trained with leaves it out.
    assert embedder(folder, pooling="mean").width == 32


def test_dense_layers_that_do_not_fit(make_model: Make) -> None:
    folder = write_recipe(make_model(), dense=(31, 6))
    with pytest.raises(ModelError, match="does not take vectors of 32 dimensions"):
        embedder(folder)
    save_file({"other": torch.ones(1)}, folder / "1_Dense/model.safetensors")
    with pytest.raises(ModelError, match=r"no linear\.weight"):
        embedder(folder)


def test_prompts(make_model: Make) -> None:
    folder = make_model()
    plain = embedder(folder)([f"good film : {text}" for text in TEXTS])
    assert close(embedder(folder, prompt="good film : ")(TEXTS), plain)
    write_recipe(folder, prompts={"query": "good film : ", "none": ""}, default="query")
    assert close(embedder(folder)(TEXTS), plain)
    assert close(embedder(folder, prompt_name="query")(TEXTS), plain)
    without = embedder(folder, prompt_name="none")
    assert close(without(TEXTS), embedder(folder, prompt="")(TEXTS))
    assert not close(without(TEXTS), plain)
    assert without.prompts == {"query": "good film : ", "none": ""}


def test_prompts_that_are_not_pooled(make_model: Make) -> None:
    prompt = "good film : "
    folder = write_recipe(make_model(), include_prompt=False)
    states = [hidden_states(folder, prompt + text)[-1] for text in TEXTS]
    tokens = embedder(folder).tokens([prompt])[0].tokens
    expected = [each[1 + len(tokens) :].mean(axis=0) for each in states]
    assert close(embedder(folder, prompt=prompt)(TEXTS), expected)


def test_a_prompt_that_is_not_pooled_stands_in_the_first_window_only(make_model: Make) -> None:
    folder = write_recipe(make_model(), include_prompt=False)
    prompt = "good film : "
    long_texts = LongTexts(long="window", max_length=20, stride=4)
    found = embedder(folder, prompt=prompt, long_texts=long_texts)([LONG, "a"])
    loaded = embedder(folder)
    (ids,) = loaded._tokenizer.ids([prompt + LONG])
    unpooled = 1 + len(loaded._tokenizer.ids([prompt])[0])
    assert close(found[0], windowed(loaded, ids, 18, 4, unpooled=unpooled))
    assert close(found[1], embedder(folder, prompt=prompt)(["a"])[0])


def test_a_text_cut_within_its_prompt_keeps_a_token(make_model: Make) -> None:
    folder = write_recipe(make_model(), include_prompt=False)
    prompt = "a good film of the camera : "
    short = embedder(folder, prompt=prompt, long_texts=LongTexts(max_length=6))
    (ids,) = short._tokenizer.ids([prompt])
    framed = torch.tensor([[short._tokenizer.special.cls, *ids[:4], short._tokenizer.special.sep]])
    with torch.inference_mode():
        last = short._models[0].distilbert(framed)[0, -1].numpy()
    assert close(short(["x"])[0], last)


def windowed(
    loaded: Embedder, ids: list[int], size: int, stride: int, *, unpooled: int = 0
) -> np.ndarray:
    """The mean over windows of means over tokens, windows weighed by their tokens."""
    special = loaded._tokenizer.special
    rows, weights = [], []
    for start in range(0, len(ids) - stride, size - stride):
        framed = [special.cls, *ids[start : start + size], special.sep]
        with torch.inference_mode():
            states = loaded._models[0].distilbert(torch.tensor([framed]))[0]
        rows.append(states[0 if start else unpooled :].mean(dim=0).numpy())
        weights.append(len(framed))
    return np.average(rows, axis=0, weights=weights)


@pytest.mark.parametrize("stride", [0, 4, 16])
def test_windows(tiny_folder: Path, stride: int) -> None:
    long_texts = LongTexts(long="window", max_length=20, stride=stride)
    loaded = embedder(tiny_folder, long_texts=long_texts)
    (ids,) = loaded._tokenizer.ids([LONG])
    assert len(ids) > 40
    assert close(loaded([LONG])[0], windowed(loaded, list(ids), 18, stride))
    assert not close(loaded([LONG]), embedder(tiny_folder)([LONG]))


def test_the_length_of_the_recipe(make_model: Make) -> None:
    folder = make_model()
    short = embedder(folder, long_texts=LongTexts(max_length=10))([LONG])
    longer = embedder(folder, long_texts=LongTexts(max_length=20))([LONG])
    write_recipe(folder, lengths={"max_seq_length": 10})
    assert close(embedder(folder)([LONG]), short)
    given = embedder(folder, long_texts=LongTexts(max_length=20))
    assert close(given([LONG]), longer)


def test_lowercase_of_the_recipe(make_model: Make) -> None:
    folder = make_model()
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    upper, lower = "GOOD FILM", "good film"
    cased = embedder(folder, prompt="THE ")
    assert not close(cased([upper]), cased([lower]))
    write_recipe(folder, lengths={"do_lower_case": True})
    found = embedder(folder, prompt="THE ")([upper])
    assert close(found, embedder(folder, prompt="the ")([lower]))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"pooling": "cls"}, {"normalize": True}])
def test_results_do_not_depend_on_batches(tiny_folder: Path, options: dict[str, Any]) -> None:
    texts = [*TEXTS, LONG, *(" ".join(["good film"] * n) for n in range(9))]
    alone = np.concatenate([embedder(tiny_folder, **options)([text]) for text in texts])
    for batches in (
        BatchOptions(threads=1, rows=1),
        BatchOptions(threads=1, tokens=2000),
        BatchOptions(threads=3, rows=2),
    ):
        assert close(embedder(tiny_folder, batches=batches, **options)(texts), alone)


def test_unpooled_prompts_do_not_depend_on_batches(make_model: Make) -> None:
    folder = write_recipe(make_model(), include_prompt=False)
    options = {
        "prompt": "a good film of the camera : ",
        "long_texts": LongTexts(long="window", max_length=24, stride=2),
    }
    texts = [LONG, *TEXTS, LONG[:70]]
    alone = np.concatenate([embedder(folder, **options)([text]) for text in texts])
    batches = BatchOptions(threads=1, tokens=4000)
    assert close(embedder(folder, batches=batches, **options)(texts), alone)


def test_tokens_lie_in_the_text(tiny_folder: Path) -> None:
    text = "Loved  the CAMERA, unlike\tit!"
    (found,) = embedder(tiny_folder).tokens([text])
    assert len(found.tokens) == len(found.offsets) == len(found.vectors)
    for token, (start, end) in zip(found.tokens, found.offsets, strict=True):
        assert text[start:end].lower() == token.removeprefix("##")
    assert close(found.vectors, hidden_states(tiny_folder, text)[-1][1:-1])


@pytest.mark.parametrize(
    ("options", "of"),
    [
        ({"layer": 1}, lambda states: states[1]),
        ({"pooling": "last-2"}, lambda states: (states[1] + states[2]) / 2),
        ({"pooling": "cls"}, lambda states: states[2]),
        ({"normalize": True, "dims": 7}, lambda states: unit(states[2][:, :7])),
    ],
)
def test_tokens_as_the_options_say(tiny_folder: Path, options: dict[str, Any], of: Any) -> None:
    (found,) = embedder(tiny_folder, **options).tokens(["a good film"])
    assert close(found.vectors, of(hidden_states(tiny_folder, "a good film"))[1:-1])


def test_tokens_of_any_recipe(make_model: Make) -> None:
    """What is done to pooled vectors, side by side and through dense layers, is not for tokens."""
    folder = make_model()
    expected = embedder(folder).tokens(TEXTS)
    write_recipe(folder, pooling=["cls", "mean"], dense=(64, 48))
    loaded = embedder(folder)
    assert (loaded.width, loaded.token_width) == (48, 32)
    for one, other in zip(expected, loaded.tokens(TEXTS), strict=True):
        assert close(one.vectors, other.vectors)
    assert loaded.blank(of_tokens=True).shape == (32,)
    assert loaded.about(of_tokens=True)["dims"] == 32
    with pytest.raises(UsageError, match=r"`dims` 40: the tokens of .* have 32"):
        embedder(folder, dims=40).tokens(TEXTS)


def test_tokens_leave_the_prompt_out(tiny_folder: Path) -> None:
    text, prompt = "a good film", "the camera : "
    (found,) = embedder(tiny_folder, prompt=prompt).tokens([text])
    assert found.tokens == ["a", "good", "film"]
    assert [text[start:end] for start, end in found.offsets] == found.tokens
    assert close(found.vectors, hidden_states(tiny_folder, prompt + text)[-1][-4:-1])


def test_tokens_of_windows_are_taken_where_most_is_around(tiny_folder: Path) -> None:
    long_texts = LongTexts(long="window", max_length=20, stride=8)
    loaded = embedder(tiny_folder, long_texts=long_texts)
    (found,) = loaded.tokens([LONG])
    (ids,) = loaded._tokenizer.ids([LONG])
    assert found.tokens == [loaded._tokenizer.tokens[token] for token in ids]
    special, states = loaded._tokenizer.special, []
    with torch.inference_mode():
        for start in range(0, len(ids) - 8, 10):
            framed = torch.tensor([[special.cls, *ids[start : start + 18], special.sep]])
            states.append(loaded._models[0].distilbert(framed)[0, 1:-1].numpy())
    # Of tokens 10 to 17, which are in both, the first four are nearer the middle of the first.
    for token in range(28):
        number = 0 if token < 14 else 1 if token < 24 else 2
        assert close(found.vectors[token], states[number][token - 10 * number])


def test_tokens_of_nothing(tiny_folder: Path) -> None:
    (found,) = embedder(tiny_folder, dtype="int8").tokens([""])
    assert (found.tokens, found.vectors.shape, found.vectors.dtype) == ([], (0, 32), np.int8)


def test_about(make_model: Make) -> None:
    folder = write_recipe(make_model(), pooling=["cls", "mean"], normalizes=True)
    loaded = embedder(folder, dims=40, dtype="float16", prompt="q: ")
    assert loaded.about() == {
        "model": str(folder),
        "pooling": "cls+mean",
        "layer": None,
        "normalized": True,
        "dims": 40,
        "dtype": "float16",
        "prompt": "q: ",
    }
    assert loaded.described().endswith("vectors: 40 x float16, cls+mean, normalized")
    plain = embedder(folder, pooling="max", layer=1, normalize=False)
    assert plain.described().endswith("vectors: 32 x float32, max of layer 1")
    assert embedder(folder, pooling="last-2").pooling == "last-2"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"dims": 33}, "`dims` 33: the vectors of .* have 32 dimensions"),
        ({"dims": 0}, "`dims` 0"),
        ({"layer": 3}, "`layer` 3"),
        ({"layer": -4}, "`layer` -4"),
        ({"layer": 1, "pooling": "last-2"}, "both choose layers"),
        ({"pooling": "last-3"}, "has 2 layers"),
        ({"pooling": "median"}, "unknown `pooling` 'median'"),
        ({"prompt": "a", "prompt_name": "b"}, "give one"),
        ({"prompt_name": "b"}, "`prompt_name` 'b': the prompts of .* are: none"),
    ],
)
def test_options_that_make_no_sense(tiny_folder: Path, options: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        embedder(tiny_folder, **options)
    assert "\n" not in str(caught.value)


def test_a_text_that_is_too_long(tiny_folder: Path) -> None:
    loaded = embedder(tiny_folder, long_texts=LongTexts(long="error", max_length=10))
    with pytest.raises(RowError, match="the limit is 10"):
        loaded([*TEXTS, LONG])
    with pytest.raises(RowError, match="the limit is 10"):
        loaded.tokens([LONG])


def test_what_is_no_number(make_model: Make) -> None:
    folder = make_model()
    weights = load_file(folder / "model.safetensors")
    weights["distilbert.embeddings.LayerNorm.bias"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RowError, match="distil params --check"):
        embedder(folder)(["a"])
    with pytest.raises(RowError, match="distil params --check"):
        embedder(folder).tokens(["a"])


@pytest.mark.parametrize("texts", [5, [1], [("a", "b")], [b"a"]])
def test_what_is_no_text(tiny_folder: Path, texts: Any) -> None:
    with pytest.raises(TypeError):
        embedder(tiny_folder)(texts)
    with pytest.raises(TypeError):
        embedder(tiny_folder).tokens(texts)


def test_texts_may_come_one_by_one(tiny_folder: Path) -> None:
    def texts() -> Iterator[str]:
        yield from TEXTS

    assert close(embedder(tiny_folder)(texts()), embedder(tiny_folder)(TEXTS))


def test_similarity_is_the_cosine(tiny_folder: Path) -> None:
    loaded = embedder(tiny_folder)
    expected = unit(loaded(TEXTS)) @ unit(loaded(TEXTS[:2])).T
    assert close(loaded.similarity(TEXTS, TEXTS[:2]), expected)
    assert close(loaded.similarity(TEXTS, loaded(TEXTS[:2])), expected)
    assert close(loaded.similarity(TEXTS, TEXTS[0]), expected[:, 0])
    assert close(loaded.similarity(TEXTS[0], TEXTS), unit(loaded(TEXTS)) @ unit(loaded(TEXTS[0])))
    number = loaded.similarity(TEXTS[0], TEXTS[1])
    assert isinstance(number, float)
    assert number == pytest.approx(expected[0, 1], abs=1e-5)
    assert loaded.similarity("good", "good") == 1
    assert loaded.similarity(TEXTS, []).shape == (len(TEXTS), 0)


@pytest.mark.parametrize("dtype", ["int8", "binary", "float16"])
def test_similarity_of_other_number_formats(tiny_folder: Path, dtype: str) -> None:
    loaded, whole = embedder(tiny_folder, dtype=dtype, dims=27), embedder(tiny_folder, dims=27)
    assert close(loaded.similarity(TEXTS, TEXTS), whole.similarity(TEXTS, TEXTS))
    stored = loaded(TEXTS)
    if dtype == "binary":
        signs = np.sign(whole(TEXTS))
        assert close(loaded.similarity(stored, stored), unit(signs) @ unit(signs).T)
    else:
        coarse = unit(stored.astype(np.float32))
        assert close(loaded.similarity(stored, stored[0]), coarse @ coarse[0])


def test_search_in_an_array(tiny_folder: Path) -> None:
    loaded = embedder(tiny_folder)
    vectors = loaded(TEXTS)
    hits = loaded.search(TEXTS[3], vectors, k=2)
    assert hits[0].index == 3
    assert (len(hits), hits[0].score, hits[0].row) == (2, 1, {})
    assert loaded.search([TEXTS[3], TEXTS[0]], vectors, 2)[0] == hits
    assert len(loaded.search(TEXTS[0], vectors.astype(np.float64))) == len(TEXTS)
    binary = embedder(tiny_folder, dtype="binary", dims=27)
    assert binary.search(TEXTS[1], binary(TEXTS), k=1)[0].index == 1
    assert loaded.search([], vectors) == []


def test_search_in_a_file(tiny_folder: Path, tmp_path: Path) -> None:
    from distilcli.app import main

    (tmp_path / "a.txt").write_text("\n".join(filter(None, TEXTS)) + "\n")
    file = tmp_path / "a.npy"
    assert main(["embed", str(tmp_path / "a.txt"), "-m", str(tiny_folder), "-o", str(file)]) == 0
    loaded = embedder(tiny_folder)
    (hit,) = loaded.search("i loved it !", file, k=1)
    assert (hit.index, hit.score, hit.row) == (2, 1, {"id": 3, "text": "i loved it !"})
    assert loaded.search("i loved it !", str(file), k=1) == [hit]
    other = shutil.copytree(tiny_folder, tmp_path / "other")
    with pytest.warns(UserWarning, match=r"a\.npy was made with the model .*tiny"):
        embedder(other).search("good", file)
    with pytest.raises(InputError, match="have 32 dimensions, those of the query 5"):
        embedder(tiny_folder, dims=5).search("good", file)


def test_what_cannot_be_searched(tiny_folder: Path, tmp_path: Path) -> None:
    loaded = embedder(tiny_folder)
    with pytest.raises(UsageError, match="`k` 0 must be at least 1"):
        loaded.search("good", loaded(TEXTS), k=0)
    with pytest.raises(InputError, match=r"the array: holds float32 of shape \(32,\)"):
        loaded.search("good", loaded("good"))
    with pytest.raises(InputError, match="no such file"):
        loaded.search("good", tmp_path / "a.npy")
    with pytest.raises(UsageError, match="`dtype` 'float64' is unknown"):
        embedder(tiny_folder, dtype="float64")
