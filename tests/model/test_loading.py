import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.checkpoint.folder import ModelFiles, describe_folder
from distilcli.errors import ModelError, ResourceError
from distilcli.model.heads import SequenceClassifier
from distilcli.model.int8_storage import pack
from distilcli.model.keys import to_checkpoint, to_ours
from distilcli.model.loading import build_model, check_tokenizer, load_model
from distilcli.model.saving import save_model

Make = Callable[..., Path]
Weights = dict[str, Tensor]
IDS = torch.tensor([[2, 7, 8, 9, 3], [2, 11, 12, 13, 3]])


def described(folder: Path) -> ModelFiles:
    return describe_folder("m", folder)


def logits(folder: Path) -> Tensor:
    with torch.inference_mode():
        found: Tensor = load_model(described(folder), SequenceClassifier).model(IDS)
    return found


def assert_same(found: Tensor, expected: Tensor) -> None:
    # Not bit for bit: kernels may see to where in memory a file puts its weights.
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def rewrite(folder: Path, change: Callable[[Weights], Weights | None]) -> None:
    """Change the weights of a folder in place."""
    path = folder / "model.safetensors"
    weights = {key: weight.clone() for key, weight in load_file(path).items()}
    save_file(change(weights) or weights, path)


def set_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(described(folder), SequenceClassifier)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_what_is_saved_is_loaded(make_model: Make, tmp_path: Path, model_type: str) -> None:
    folder = make_model(model_type=model_type)
    loaded = load_model(described(folder), SequenceClassifier)
    assert not loaded.model.training
    assert loaded.unused == ()
    again = tmp_path / "again"
    again.mkdir()
    save_model(loaded.model, again, tokenizer_files=described(folder).tokenizer_files)
    assert load_model(described(again), SequenceClassifier).config == loaded.config
    assert_same(logits(again), logits(folder))
    assert (again / "vocab.txt").read_bytes() == (folder / "vocab.txt").read_bytes()


def test_nothing_is_drawn_for_weights_that_are_read(tiny_folder: Path) -> None:
    before = torch.get_rng_state()
    load_model(described(tiny_folder), SequenceClassifier)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_bert_is_saved_under_berts_names(make_model: Make) -> None:
    names = set(load_file(make_model(model_type="bert") / "model.safetensors"))
    assert "bert.encoder.layer.1.attention.self.query.weight" in names
    assert {"bert.pooler.dense.bias", "classifier.weight"} <= names
    assert not any(name.startswith("distilbert") for name in names)


def test_every_file_of_the_tokenizer_goes_along(make_model: Make) -> None:
    folder = make_model()
    (folder / "special_tokens_map.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    assert {path.name for path in described(folder).tokenizer_files} == {
        "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    }  # fmt: skip


def test_a_saved_folder_says_nothing_of_how_its_source_was_stored(
    make_model: Make, tmp_path: Path
) -> None:
    folder = make_model()
    set_config(folder, torch_dtype="float16", dtype="float16", shared_weights="x", kept=1)
    (tmp_path / "out").mkdir()
    save_model(
        load_model(described(folder), SequenceClassifier).model,
        tmp_path / "out",
        tokenizer_files=[],
    )
    raw = json.loads((tmp_path / "out" / "config.json").read_text())
    assert raw["kept"] == 1
    assert raw["architectures"] == ["DistilBertForSequenceClassification"]
    assert raw["dtype"] == "float32"
    assert not {"torch_dtype", "shared_weights"} & raw.keys()


def test_a_folder_that_cannot_be_written_is_named(make_model: Make, tmp_path: Path) -> None:
    model = load_model(described(make_model()), SequenceClassifier).model
    with pytest.raises(ResourceError, match="could not be saved"):
        save_model(model, tmp_path / "missing", tokenizer_files=[])


def test_shards_are_put_together(make_model: Make) -> None:
    folder = make_model()
    expected = logits(folder)
    weights = load_file(folder / "model.safetensors")
    shards: dict[str, Weights] = {"a.safetensors": {}, "b.safetensors": {}}
    for place, (key, weight) in enumerate(weights.items()):
        shards[sorted(shards)[place % 2]][key] = weight.clone()
    (folder / "model.safetensors").unlink()
    for name, shard in shards.items():
        save_file(shard, folder / name)
    index = {"weight_map": {key: name for name, shard in shards.items() for key in shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert_same(logits(folder), expected)


def test_a_weight_in_two_shards_is_refused(make_model: Make) -> None:
    folder = make_model()
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "a.safetensors")
    save_file({"classifier.bias": torch.zeros(2)}, folder / "b.safetensors")
    shards = dict.fromkeys(weights, "a.safetensors") | {"classifier.bias": "b.safetensors"}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    message = refusal(folder)
    assert "b.safetensors: has weights that another file of m has too" in message
    assert "(classifier.bias)" in message


def test_a_weight_under_two_names_is_refused(make_model: Make) -> None:
    folder = make_model()
    name = "embeddings.LayerNorm.weight"
    rewrite(folder, lambda w: w | {f"bert.{name}": torch.zeros(32)})
    message = refusal(folder)
    assert f"{name} twice, under two names" in message


def as_pickle(folder: Path, content: object) -> None:
    (folder / "model.safetensors").unlink(missing_ok=True)
    torch.save(content, folder / "pytorch_model.bin")


def broken_pickles(good: bytes) -> dict[str, bytes]:
    """Return pickles that fail in other ways than by being refused."""
    laughs = b"".join(b"(h%ch%clq%c" % (at, at, at + 1) for at in range(60))
    return {
        "an empty stack": b"\x80\x02" + b"]" * 100 + b"tttt.",
        "text that is not UTF-8": good.replace(b"classifier.weight", b"classifier.\xaaeight"),
        "a deep list": b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b".",
        "a billion laughs": b"\x80\x02]q\x00" + laughs + b".",
        "a number of 2 GB": b"\x80\x02\x8b\xff\xff\xff\x7f1.",
        "a memo of 4 billion": b"\x80\x02}r\xff\xff\xff\xff.",
    }


@pytest.mark.parametrize("kind", broken_pickles(b""))
def test_a_damaged_pickle_is_refused_in_one_line(make_model: Make, kind: str) -> None:
    folder = make_model()
    as_pickle(folder, load_file(folder / "model.safetensors"))
    path = folder / "pytorch_model.bin"
    path.write_bytes(broken_pickles(path.read_bytes())[kind])
    assert "pytorch_model.bin" in refusal(folder)


@pytest.mark.parametrize("size", [10**13, 10**17])
def test_a_tensor_larger_than_its_file_is_refused(make_model: Make, size: int) -> None:
    folder = make_model()
    path = folder / "pytorch_model.bin"
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.zeros(4)}, path, _use_new_zipfile_serialization=False)
    before, place, after = path.read_bytes().rpartition(b"cpu")
    number = pickle.dumps(size, protocol=2)[2:-1]
    path.write_bytes(before + place + after.replace(b"K\x04", number, 1))
    assert f"it names a tensor of {4 * size:,} bytes, more than it has" in refusal(folder)


def test_a_compressed_archive_is_refused_unpacked(make_model: Make) -> None:
    folder = make_model()
    as_pickle(folder, load_file(folder / "model.safetensors"))
    path = folder / "pytorch_model.bin"
    stored = {entry.filename: content for entry, content in _archived(path)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in stored.items():
            archive.writestr(name, content)
    assert "refused, because it is compressed" in refusal(folder)


def _archived(path: Path) -> list[tuple[zipfile.ZipInfo, bytes]]:
    with zipfile.ZipFile(path) as archive:
        return [(entry, archive.read(entry)) for entry in archive.infolist()]


@pytest.mark.parametrize(
    "change",
    [
        lambda weight: weight[:1, :1].expand(10**6, 10**6),
        lambda weight: weight.to_sparse(),
        lambda weight: weight.to(torch.complex64),
        lambda weight: weight.to("meta"),
    ],
    ids=["expanded", "sparse", "complex", "meta"],
)
def test_a_tensor_that_is_no_plain_array_is_refused(
    make_model: Make, change: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    folder = make_model()
    weights = load_file(folder / "model.safetensors")
    as_pickle(folder, weights | {"classifier.weight": change(weights["classifier.weight"])})
    assert "classifier.weight is not stored as plain numbers" in refusal(folder)


def test_pickled_weights_are_read(make_model: Make) -> None:
    folder = make_model()
    expected = logits(folder)
    as_pickle(folder, load_file(folder / "model.safetensors"))
    assert_same(logits(folder), expected)


class Attack:
    """Creates a file when it is unpickled by a loader that runs what it finds."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.target), "w"))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_and_not_run(
    make_model: Make, tmp_path: Path, zipped: bool
) -> None:
    folder = make_model()
    target = tmp_path / "owned"
    content = {**load_file(folder / "model.safetensors"), "x": Attack(target)}
    as_pickle(folder, content)
    if not zipped:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Attack(target), protocol=2))
    message = refusal(folder)
    assert not target.exists()
    assert "pytorch_model.bin" in message
    assert "could run code" in message
    # The attack is a real one: an unguarded loader falls for it.
    pickle.loads(pickle.dumps(Attack(target))).close()
    assert target.exists()


@pytest.mark.parametrize(
    "content", [b"version https://git-lfs.github.com/spec/v1\n", b"<!DOCTYPE html>\n<html>"]
)
def test_what_was_saved_in_place_of_weights_is_not_called_an_attack(
    make_model: Make, content: bytes
) -> None:
    folder = make_model()
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(content)
    message = refusal(folder)
    assert "pytorch_model.bin: not a PyTorch file" in message
    assert "download it again" in message


@pytest.mark.parametrize(
    "content", [["a"], {"a": 1}, {1: torch.ones(1)}, {"state_dict": {"a": torch.ones(1)}}]
)
def test_a_pickle_of_something_else_is_refused(make_model: Make, content: object) -> None:
    folder = make_model()
    as_pickle(folder, content)
    assert "not a state dict" in refusal(folder)


@pytest.mark.parametrize("size", [0, 10, 5_000])
def test_a_pickle_cut_short_is_refused(make_model: Make, size: int) -> None:
    folder = make_model()
    as_pickle(folder, load_file(folder / "model.safetensors"))
    path = folder / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:size])
    assert "pytorch_model.bin" in refusal(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[:-100], "is cut short"),
        (lambda raw: raw[:6], "inside the header's length"),
        (lambda raw: b"", "is empty"),
        (lambda raw: (1 << 40).to_bytes(8, "little") + raw[8:], "asks for a header of"),
        (lambda raw: b"version https://git-lfs.github.com/spec/v1\n", "git-lfs"),
    ],
)
def test_damaged_safetensors_are_refused(
    make_model: Make, damage: Callable[[bytes], bytes], message: str
) -> None:
    folder = make_model()
    path = folder / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    assert message in refusal(folder)


LIN1 = "distilbert.transformer.layer.1.ffn.lin1.weight"


def test_missing_misshapen_and_foreign_weights_are_listed_by_name(make_model: Make) -> None:
    def change(weights: Weights) -> None:
        del weights["distilbert.embeddings.LayerNorm.bias"]
        weights[LIN1] = weights[LIN1][:10].clone()
        weights["distilbert.transformer.layer.2.ffn.lin1.weight"] = torch.ones(2, 2)

    folder = make_model()
    rewrite(folder, change)
    message = refusal(folder)
    assert "missing: distilbert.embeddings.LayerNorm.bias" in message
    assert f"of another shape: {LIN1} (10, 32) instead of (64, 32)" in message
    assert "not in this architecture: distilbert.transformer.layer.2.ffn.lin1.weight" in message


def test_the_weights_of_a_bert_are_listed_by_berts_names(make_model: Make) -> None:
    def change(weights: Weights) -> None:
        del weights["bert.encoder.layer.0.intermediate.dense.bias"]
        weights["bert.encoder.layer.0.crossattention.self.query.weight"] = torch.ones(2, 2)

    folder = make_model(model_type="bert")
    rewrite(folder, change)
    message = refusal(folder)
    assert "missing: bert.encoder.layer.0.intermediate.dense.bias" in message
    assert "not in this architecture: bert.encoder.layer.0.crossattention.self.query" in message


def test_a_long_list_of_weights_is_cut(make_model: Make) -> None:
    folder = make_model()
    rewrite(
        folder, lambda w: {key: w[key] for key in w if "layer.1.ffn" in key or "layer.1" not in key}
    )
    assert "and 6 more" in refusal(folder)


def test_weights_of_another_head_are_unused_and_told(make_model: Make) -> None:
    folder = make_model()
    rewrite(folder, lambda w: w | {"qa_outputs.weight": torch.ones(2, 32)})
    assert load_model(described(folder), SequenceClassifier).unused == ("qa_outputs.weight",)


def test_a_head_that_was_never_trained_is_refused(make_model: Make) -> None:
    folder = make_model()
    rewrite(folder, lambda w: {key: w[key] for key in w if key.startswith("distilbert.")})
    assert "has no trained classification head" in refusal(folder)


def test_half_a_head_is_refused(make_model: Make) -> None:
    folder = make_model()
    rewrite(folder, lambda w: {key: w[key] for key in w if not key.startswith("pre_")})
    assert "missing: pre_classifier.bias, pre_classifier.weight" in refusal(folder)


@pytest.mark.parametrize(
    ("architecture", "command"),
    [("DistilBertForMultipleChoice", "choose"), ("BertForTokenClassification", "tag")],
)
def test_a_head_for_something_else_is_refused(
    make_model: Make, architecture: str, command: str
) -> None:
    folder = make_model()
    set_config(folder, architectures=[architecture])
    assert refusal(folder) == f"m is for: distil {command}"


def test_architectures_that_are_no_list_say_nothing(make_model: Make) -> None:
    folder = make_model()
    set_config(folder, architectures=5)
    assert load_model(described(folder), SequenceClassifier).config.extra["architectures"] == 5


@pytest.mark.parametrize("key", ["vocab_size", "max_position_embeddings", "n_layers", "hidden_dim"])
def test_sizes_beyond_those_of_the_weights_are_refused_unbuilt(make_model: Make, key: str) -> None:
    folder = make_model()
    set_config(folder, **{key: 10**9})
    message = refusal(folder)
    assert message.startswith(f"m: the weights do not fit config.json; its {key} is 1,000,000,000")


def test_a_bert_names_its_own_key(make_model: Make) -> None:
    folder = make_model(model_type="bert")
    set_config(folder, num_hidden_layers=10**9)
    assert "its num_hidden_layers is 1,000,000,000, but the weights have 2;" in refusal(folder)


def test_a_pickle_is_checked_too(make_model: Make) -> None:
    folder = make_model()
    as_pickle(folder, load_file(folder / "model.safetensors"))
    set_config(folder, n_layers=10**9)
    assert "its n_layers is 1,000,000,000, but the weights have 2;" in refusal(folder)


def test_labels_left_out_are_counted_from_the_classifier(make_model: Make) -> None:
    folder = make_model(labels=("a", "b", "c"))
    set_config(folder, id2label=None, label2id=None)
    assert load_model(described(folder), SequenceClassifier).config.labels == (
        "LABEL_0",
        "LABEL_1",
        "LABEL_2",
    )


def test_labels_that_do_not_fit_the_classifier_are_refused(make_model: Make) -> None:
    folder = make_model(labels=("a", "b", "c"))
    set_config(folder, id2label={"0": "a", "1": "b"})
    assert "config.json names 2 labels, the classifier has 3 outputs" in refusal(folder)


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_an_encoder_without_its_prefix_is_read(make_model: Make, model_type: str) -> None:
    folder = make_model(model_type=model_type)
    expected = logits(folder)
    rewrite(folder, lambda w: {key.removeprefix(f"{model_type}."): w[key] for key in w})
    assert_same(logits(folder), expected)


def test_names_of_a_tensorflow_checkpoint_and_position_ids_are_read(make_model: Make) -> None:
    def change(weights: Weights) -> Weights:
        old = {
            key.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): weight
            for key, weight in weights.items()
        }
        assert old.keys() != weights.keys()
        return old | {"bert.embeddings.position_ids": torch.arange(64)[None]}

    folder = make_model(model_type="bert")
    expected = logits(folder)
    rewrite(folder, change)
    assert_same(logits(folder), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_floating_type_is_read_as_fp32(make_model: Make, dtype: torch.dtype) -> None:
    folder = make_model()
    expected = logits(folder)
    rewrite(folder, lambda w: {key: w[key].to(dtype) for key in w})
    model = load_model(described(folder), SequenceClassifier).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    torch.testing.assert_close(logits(folder), expected, atol=0.1, rtol=0)


def test_whole_numbers_that_are_not_packed_are_refused(make_model: Make) -> None:
    folder = make_model()
    rewrite(folder, lambda w: w | {LIN1: w[LIN1].to(torch.int8)})
    assert f"has integer weights without scales ({LIN1})" in refusal(folder)


@pytest.mark.parametrize("shape", [(), (64, 1), (63,)])
def test_scales_of_another_kind_are_refused(make_model: Make, shape: tuple[int, ...]) -> None:
    folder = make_model()
    rewrite(
        folder, lambda w: w | {LIN1: w[LIN1].to(torch.int8), f"{LIN1}_scale": torch.ones(shape)}
    )
    assert f"the weight {LIN1} is int8 (64, 32) with scales" in refusal(folder)


def test_a_packed_model_is_read_with_the_embeddings_that_it_shares(
    make_model: Make, tmp_path: Path
) -> None:
    folder = make_model()
    expected = logits(folder)
    packed = pack(load_file(folder / "model.safetensors"))
    table = "distilbert.embeddings.word_embeddings.weight"
    shared = {key: packed.pop(key) for key in (table, f"{table}_scale")}
    save_file(packed, folder / "model.safetensors")
    save_file(shared, tmp_path / "embeddings.safetensors")
    alone = described(folder)
    assert f"missing: {table}" in refusal(folder)
    files = replace(alone, weight_files=(*alone.weight_files, tmp_path / "embeddings.safetensors"))
    with torch.inference_mode():
        found = load_model(files, SequenceClassifier).model(IDS)
    torch.testing.assert_close(found, expected, atol=0.1, rtol=0)
    assert not torch.equal(found, expected)


def test_a_tokenizer_of_another_model_is_refused(tiny_folder: Path) -> None:
    from distilcli.tokenizer.loading import load_vocabulary

    tokenizer = load_vocabulary(tiny_folder / "vocab.txt")
    fitting = ModelConfig(vocab_size=tokenizer.vocab_size)
    check_tokenizer(tokenizer, fitting, source="m")
    with pytest.raises(ModelError, match=r"^m: the tokenizer has \d+ tokens"):
        check_tokenizer(tokenizer, replace(fitting, vocab_size=50), source="m")


def test_the_largest_id_of_a_tokenizer_counts_not_their_number(
    make_model: Make, vocab: list[str]
) -> None:
    from distilcli.tokenizer.loading import load_tokenizer

    folder = make_model()
    numbers = {token: number for number, token in enumerate(vocab)} | {"z": 9_000}
    model = {"type": "WordPiece", "unk_token": "[UNK]", "vocab": numbers}
    raw = {"model": model, "normalizer": {"type": "BertNormalizer"},
           "pre_tokenizer": {"type": "BertPreTokenizer"}}  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    files = described(folder)
    config = load_model(files, SequenceClassifier).config
    with pytest.raises(ModelError, match="use the tokenizer that belongs to the model"):
        check_tokenizer(load_tokenizer(files), config, source="m")


@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_names_are_translated_back_and_forth(make_model: Make, model_type: Any) -> None:
    names = load_file(make_model(model_type=model_type) / "model.safetensors").keys()
    for name in names:
        ours = to_ours(name)
        assert ours is not None
        assert to_checkpoint(ours, model_type) == name


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
@pytest.mark.parametrize("model_type", ["distilbert", "bert"])
def test_weights_under_a_wrapper_are_read_and_told(
    make_model: Make, model_type: str, wrapper: str
) -> None:
    folder = make_model(model_type=model_type)
    expected = logits(folder)
    rewrite(folder, lambda w: {wrapper + key: w[key] for key in w})
    loaded = load_model(described(folder), SequenceClassifier)
    assert loaded.wrapper == wrapper
    assert_same(logits(folder), expected)


def test_sharded_pickles_are_put_together_as_weights_only(make_model: Make, tmp_path: Path) -> None:
    folder = make_model()
    expected = logits(folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    shards: dict[str, Weights] = {"pytorch_model-1.bin": {}, "pytorch_model-2.bin": {}}
    for index, (key, weight) in enumerate(weights.items()):
        shards[sorted(shards)[index % 2]][key] = weight
    for name, shard in shards.items():
        torch.save(shard, folder / name)
    names = {key: name for name, shard in shards.items() for key in shard}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": names}))
    assert_same(logits(folder), expected)
    torch.save({**shards["pytorch_model-2.bin"], "x": Attack(tmp_path / "owned")},
               folder / "pytorch_model-2.bin")  # fmt: skip
    assert "could run code" in refusal(folder)
    assert not (tmp_path / "owned").exists()


def test_the_way_out_of_labels_that_do_not_fit_is_named(make_model: Make) -> None:
    folder = make_model(labels=("a", "b", "c", "d", "e"))
    set_config(folder, id2label={"0": "LABEL_0", "1": "LABEL_1"})
    assert refusal(folder) == (
        "m: config.json names 2 labels, the classifier has 5 outputs; write a name for each into "
        "its id2label"
    )


def test_only_the_tokens_of_every_sequence_need_embeddings_to_run(tiny_folder: Path) -> None:
    from distilcli.tokenizer.loading import load_vocabulary

    tokenizer = load_vocabulary(tiny_folder / "vocab.txt")
    check_tokenizer(tokenizer, ModelConfig(vocab_size=50), source="m", framing_only=True)
    with pytest.raises(ModelError, match=r"^m: the tokenizer has"):
        check_tokenizer(tokenizer, ModelConfig(vocab_size=3), source="m", framing_only=True)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "tokenizer.json"])
def test_a_git_lfs_pointer_is_called_one(make_model: Make, name: str) -> None:
    from distilcli.predictors.classifier import Classifier

    folder = make_model()
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ModelError, match=rf"{name}: is a git-lfs pointer, .*'git lfs pull'"):
        Classifier(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("error", "expected"), [(MemoryError(), ResourceError), (RuntimeError("odd"), ModelError)]
)
def test_memory_that_runs_out_is_not_the_model_s_fault(
    error: Exception, expected: type[Exception]
) -> None:
    def build(_config: ModelConfig) -> NoReturn:
        raise error

    with pytest.raises(expected, match=r"^m: .* fit in memory"):
        build_model(build, ModelConfig(), source="m")  # type: ignore[type-var,arg-type]
