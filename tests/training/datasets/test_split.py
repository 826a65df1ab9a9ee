import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import InputError
from distilcli.training.datasets.split import set_aside


@given(st.integers(2, 200), st.floats(0.001, 0.9), st.integers(0, 99))
def test_every_row_is_on_one_side_in_its_order(count: int, share: float, seed: int) -> None:
    wanted = max(1, round(share * count))
    if wanted == count:
        with pytest.raises(InputError, match="too few"):
            set_aside(range(count), share=share, seed=seed)
        return
    kept, aside = set_aside(range(count), share=share, seed=seed)
    assert sorted(kept + aside) == list(range(count))
    assert (kept, aside) == (sorted(kept), sorted(aside))
    assert len(aside) == wanted
    assert (kept, aside) == set_aside(range(count), share=share, seed=seed)
