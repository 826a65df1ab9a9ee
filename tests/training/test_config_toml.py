import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.training.config_toml import config_toml

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="Python 3.10 reads no TOML")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
LISTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner, max_size=3)
).map(lambda value: [value])
TABLES = st.recursive(
    st.dictionaries(TEXTS, SCALARS | LISTS, max_size=5),
    lambda inner: st.dictionaries(TEXTS, SCALARS | LISTS | inner, max_size=5),
)


@pytest.mark.slow
@given(TABLES)
def test_what_is_written_is_read_back(settings: dict[str, Any]) -> None:
    assert tomllib.loads(config_toml(settings)) == settings


def test_the_whole_as_it_looks() -> None:
    text = config_toml(
        {
            "task": "classify",
            "training": {"learning_rate": 5e-5, "early_stopping": None, "seed": 0},
            "data": {"train": ["a b.csv"], "columns": {"the text": 'say "hi"'}},
            "fold": False,
        },
        command=["distil", "finetune", "a b.csv", "-o", "run"],
    )
    assert text == (
        "# distil finetune 'a b.csv' -o run\n"
        "\n"
        'task = "classify"\n'
        "fold = false\n"
        "\n"
        "[training]\n"
        "learning_rate = 5e-05\n"
        "# early_stopping is not set\n"
        "seed = 0\n"
        "\n"
        "[data]\n"
        'train = ["a b.csv"]\n'
        "\n"
        "[data.columns]\n"
        '"the text" = "say \\"hi\\""\n'
    )


@given(st.lists(st.text()))
def test_any_command_is_one_comment(command: list[str]) -> None:
    assert tomllib.loads(config_toml({"a": 1}, command=command)) == {"a": 1}


def test_numbers_keep_their_type() -> None:
    found = tomllib.loads(config_toml({"a": 1.0, "b": 1, "c": True, "d": 1e22, "e": -0.0}))
    assert [(type(value), str(value)) for value in found.values()] == [
        (float, "1.0"), (int, "1"), (bool, "True"), (float, "1e+22"), (float, "-0.0"),
    ]  # fmt: skip
    assert str(tomllib.loads(config_toml({"a": float("nan")}))["a"]) == "nan"


def test_half_a_character_is_replaced() -> None:
    assert tomllib.loads(config_toml({"a": "x\udc80"})) == {"a": "x\ufffd"}
    config_toml({}, command=["\udc80"]).encode("utf-8")


@pytest.mark.parametrize("value", [Path("x"), [None], {"a": {1, 2}}])
def test_what_toml_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="TOML has no"):
        config_toml({"key": value})
