import pytest

from distilcli.benchmark.sweep import parse_precisions, parse_share, parse_sweep
from distilcli.errors import UsageError


def test_every_pair() -> None:
    assert parse_sweep("seq=8,16 batch=1,4") == [(8, 1), (8, 4), (16, 1), (16, 4)]
    assert parse_sweep("batch=2,2  seq=8") == [(8, 2)]


def test_what_is_left_out() -> None:
    assert parse_sweep(None) == [(128, 1)]
    assert parse_sweep(None, seq=7, batch=3) == [(7, 3)]
    assert parse_sweep("seq=8", batch=3) == [(8, 3)]
    assert parse_sweep("batch=8") == [(128, 8)]


@pytest.mark.parametrize(
    "text",
    ["", " ", "seq", "seq=", "seq=a", "seq=0", "seq=-1", "seq=1.5", "seq=8,", "rows=8",
     "seq=8 seq=9", "seq= 8", "8", "seq=9999999999", "seq=²"],
)  # fmt: skip
def test_another_text(text: str) -> None:
    with pytest.raises(UsageError, match="write sizes of at least 1, such as"):
        parse_sweep(text)


def test_a_size_that_is_said_twice() -> None:
    with pytest.raises(UsageError, match="`sweep` and `batch` both say batch"):
        parse_sweep("batch=1,8", batch=4)


def test_precisions() -> None:
    assert parse_precisions("fp32, bf16,fp32") == ("fp32", "bf16")
    for text in ("", "fp32,", "fp64", "fp32 bf16"):
        with pytest.raises(UsageError, match="is none of fp32, tf32, bf16, fp16, int8"):
            parse_precisions(text)


def test_shares() -> None:
    assert parse_share("5%") == 0.05
    assert parse_share("0.1") == 0.1
    assert parse_share("0%") == 0
    for text in ("", "%", "five", "-1%", "nan", "inf"):
        with pytest.raises(UsageError, match="write a share such as 5%"):
            parse_share(text)
