from typing import Any

import pytest

from distilcli.compression.options import CompressOptions
from distilcli.errors import UsageError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "nothing to do"),
        ({"data": "a.csv"}, "nothing to do"),
        ({"prune_ffn": 1.5}, "from 0 to 1"),
        ({"prune_ffn": -0.1}, "from 0 to 1"),
        ({"prune_ffn": 0}, "keeps every neuron"),
        ({"prune_ffn": 1}, "keeps no neuron"),
        ({"int8": True, "data": "a.csv", "min_agreement": 2}, "from 0 to 1"),
        ({"prune_heads": ("3",)}, "add `data`"),
        ({"prune_heads": ("auto",)}, "add `data`"),
        ({"prune_heads": ("3", "0:1"), "data": "a.csv"}, "one number, auto, or"),
        ({"prune_vocab": True}, "add `data`"),
        ({"int8": True, "min_agreement": 0.9}, "`min_agreement` has no effect"),
        ({"int8": True, "text_column": "t"}, "`text_column` has no effect"),
        ({"int8": True, "limit": 3}, "`limit` has no effect"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CompressOptions(**settings)


def test_heads_that_are_named_need_no_rows() -> None:
    assert not CompressOptions(prune_heads=("0:1", "1:2,3")).ranks_heads
    assert CompressOptions(prune_heads=("2",), data="a.csv").ranks_heads
