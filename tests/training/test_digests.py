from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from distilcli.training.digests import rows_digest

rows = st.lists(st.tuples(st.text(max_size=3), st.integers(0, 2)), max_size=4)


@given(st.lists(rows, max_size=3), st.lists(rows, max_size=3))
def test_rows_are_told_by_what_they_hold(first: list[object], second: list[object]) -> None:
    assert (rows_digest(*first) == rows_digest(*second)) is (first == second)  # type: ignore[arg-type]


def test_rows_of_half_a_character_have_a_digest() -> None:
    assert rows_digest(["\ud800"]) != rows_digest(["\ud801"])


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    parts: tuple[str | None, ...]
    place: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RenamedRow:
    content: str
    pieces: tuple[str | None, ...]


def test_names_of_classes_and_fields_do_not_count() -> None:
    assert rows_digest([Row("a", ("b", None))]) == rows_digest([RenamedRow("a", ("b", None))])
    assert rows_digest([Row("a", ("b", None))]) == rows_digest([["a", ["b", None]]])


def test_only_what_is_compared_counts() -> None:
    assert rows_digest([Row("a", (), place=1)]) == rows_digest([Row("a", (), place=2)])
    assert rows_digest([Row("a", ("b",))]) != rows_digest([Row("a", ("c",))])


def test_a_digest_is_the_same_in_every_version() -> None:
    """Interrupted runs and kept teacher answers are found by it."""
    rows = [Row("caf\u00e9", ("b", None)), ("text", 1, 0.5, None, float("nan"))]
    assert rows_digest(["negative"], rows) == PINNED


PINNED = "5c041e4b4d6679f689bbeb3781835e7d0b2ee46fe5d77eab981777640b4cf488"
