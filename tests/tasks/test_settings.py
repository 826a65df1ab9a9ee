import pytest

from distilcli.errors import UsageError
from distilcli.tasks.settings import (
    MIN_AGREEMENT,
    BatchOptions,
    check_reproducible,
    required_agreement,
    usable_length,
)


def test_the_token_budget_is_chosen_by_the_device_unless_given() -> None:
    assert BatchOptions().tokens_on("cpu") < BatchOptions().tokens_on("cuda")
    assert BatchOptions(tokens=7).tokens_on("cpu") == BatchOptions(tokens=7).tokens_on("mps") == 7


def test_a_sequence_is_as_long_as_usual_or_as_asked_for() -> None:
    assert usable_length(None, 64, 512) == 64
    assert usable_length(None, 1_000, 512) == usable_length(None, None, 512) == 512
    assert usable_length(4, None, 512) == 4
    assert usable_length(100, 64, 512) == 100
    assert usable_length(384, 64, 512, default=384) == 64
    assert usable_length(384, None, 128, default=384) == 128


@pytest.mark.parametrize(("asked", "positions"), [(513, 512), (384, 64)])
def test_more_than_the_model_can_read_is_refused(asked: int, positions: int) -> None:
    with pytest.raises(UsageError, match=f"{asked} is more than the {positions} tokens"):
        usable_length(asked, None, positions, default=100)


@pytest.mark.parametrize("limit", [3, 0, -1])
def test_a_limit_without_room_for_text_is_refused(limit: int) -> None:
    with pytest.raises(UsageError, match=f"`max_length` {limit} leaves no room"):
        usable_length(limit, None, 512)


@pytest.mark.parametrize(
    ("options", "setting"),
    [({"rows": 0}, "batch"), ({"tokens": -1}, "max_tokens"), ({"threads": 0}, "threads")],
)
def test_batches_hold_at_least_one(options: dict[str, int], setting: str) -> None:
    with pytest.raises(UsageError, match=f"^`{setting}` .* must be at least 1$"):
        BatchOptions(**options)


@pytest.mark.parametrize("given", [0, 0.5, 1])
def test_an_agreement_is_required_as_given(given: float) -> None:
    assert required_agreement(given, "int8") == required_agreement(given, "auto") == given
    assert required_agreement(None, "fp32") == MIN_AGREEMENT
    with pytest.raises(
        UsageError, match=r"^`min_agreement` is for int8; add `precision` int8 or auto$"
    ):
        required_agreement(given, "bf16")


def test_the_same_bytes_on_any_day_need_a_precision_by_name() -> None:
    check_reproducible("auto", deterministic=False)
    check_reproducible("int8", deterministic=True)
    with pytest.raises(UsageError, match=r"`deterministic` .* name a precision$"):
        check_reproducible("auto", deterministic=True)


@pytest.mark.parametrize("given", [-0.1, 1.5, float("nan")])
def test_an_agreement_is_a_share(given: float) -> None:
    with pytest.raises(UsageError, match=f"^`min_agreement` {given} is not between 0 and 1$"):
        required_agreement(given, "int8")
