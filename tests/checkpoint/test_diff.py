from pathlib import Path

from distilcli.checkpoint.diff import compare
from distilcli.checkpoint.safetensors_header import read_header
from tests.checkpoint._files import write_safetensors


def test_kinds_of_difference(tmp_path: Path) -> None:
    here = {
        "same": ("F32", (2,)),
        "typed": ("F32", (2,)),
        "shaped": ("F32", (2,)),
        "both": ("F32", (2,)),
        "ours": ("F32", (2,)),
    }
    there = {
        "same": ("F32", (2,)),
        "typed": ("F16", (2,)),
        "shaped": ("F32", (3,)),
        "both": ("I8", (3,)),
        "theirs": ("F32", (2,)),
    }
    found = compare(
        read_header(write_safetensors(tmp_path / "1.safetensors", here)),
        read_header(write_safetensors(tmp_path / "2.safetensors", there)),
    )
    assert {difference.name: difference.kind for difference in found} == {
        "both": "shape and dtype",
        "ours": "only here",
        "shaped": "shape",
        "theirs": "only there",
        "typed": "dtype",
    }
    assert found[0].record() == {
        "name": "both",
        "difference": "shape and dtype",
        "here": "F32 [2]",
        "there": "I8 [3]",
    }


def test_the_prefix_of_the_model_makes_no_difference(tmp_path: Path) -> None:
    bare = {"embeddings.word_embeddings.weight": ("F32", (2, 2))}
    headed = {f"distilbert.{name}": value for name, value in bare.items()}
    one = read_header(write_safetensors(tmp_path / "1.safetensors", bare))
    two = read_header(write_safetensors(tmp_path / "2.safetensors", headed))
    assert compare(one, two) == ()
