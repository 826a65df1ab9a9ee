import pytest

from distilcli.wording import bytes_of, count, digits, duration, listing, mebibytes, percent


def test_counts_have_their_plural() -> None:
    assert count(0, "row") == "0 rows"
    assert count(1, "row") == "1 row"
    assert count(1_503, "row") == "1,503 rows"
    assert count(1, "answer is", "answers are") == "1 answer is"
    assert count(2, "answer is", "answers are") == "2 answers are"


def test_long_lists_are_cut_short() -> None:
    assert listing(["a"]) == "a"
    assert listing("abc", most=2) == "a, b, c"
    assert listing("abcd", most=2) == "a, b and 2 more"
    assert listing(map(str, range(75))).endswith("7 and 67 more")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0401, "40 ms"),
        (1, "1.0 s"),
        (59.5, "59.5 s"),
        (61, "1 min 01 s"),
        (3_599.9, "1 h 00 min"),
        (7_260, "2 h 01 min"),
        (172_740, "47 h 59 min"),
        (172_800, "2 d 00 h"),
        (1_040_000, "12 d 00 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_sizes_and_shares() -> None:
    assert mebibytes(3 << 20) == "3 MiB"
    assert [percent(share) for share in (0, 0.0011, 0.52)] == ["0%", "<1%", "52%"]
    sizes = (0, 1023, 1024, (1 << 30) - 1, 3 << 39)
    assert [bytes_of(size) for size in sizes] == [
        "0 bytes", "1023 bytes", "1.00 KiB", "1,024 MiB", "1.50 TiB",
    ]  # fmt: skip
    assert [digits(value) for value in (1234.5, 99.96, 1.234, 0.1234)] == [
        "1,234", "100.0", "1.23", "0.123",
    ]  # fmt: skip
