from collections import Counter

import pytest

from distilcli.tokenizer.options import TokenizerOptions
from distilcli.tokenizer.rows import Tokens
from distilcli.tokenizer.statistics import Bin, LengthReport, LengthStatistics
from distilcli.tokenizer.windows import Window
from distilcli.tokenizer.wordpiece import WordPieceTokenizer
from tests.tokenizer._texts import VOCABULARY


def report(texts: list[str], limit: int | None = None) -> LengthReport:
    options = TokenizerOptions(model_max_length=limit)
    tokenizer = WordPieceTokenizer(VOCABULARY, options, source="test")
    statistics = LengthStatistics(tokenizer)
    for text, ids in zip(texts, tokenizer.ids(texts), strict=True):
        framed = [tokenizer.special.cls, *ids, tokenizer.special.sep]
        statistics.add(Tokens((text, None), [Window(framed, [], [], [])], truncated=False))
    return statistics.report()


def of_lengths(lengths: list[int], limit: int | None = None) -> LengthReport:
    return report([" ".join(["a"] * (length - 2)) for length in lengths], limit)


def test_lengths_count_special_tokens() -> None:
    found = of_lengths([3, 5, 10])
    assert (found.rows, found.tokens, found.shortest, found.longest) == (3, 18, 3, 10)
    assert found.mean == 6


def test_percentiles_are_lengths_that_some_row_has() -> None:
    found = of_lengths(list(range(2, 102)))
    assert found.percentiles == {50: 51, 90: 91, 95: 96, 99: 100}
    assert found.keep_whole == {95: 96, 99: 100}


def test_rows_over_the_limit() -> None:
    found = of_lengths([4, 8, 9, 20], limit=8)
    assert (found.limit, found.rows_over_limit, found.share_over_limit) == (8, 2, 0.5)
    assert of_lengths([4, 513]).rows_over_limit == 1


def test_unknown_words() -> None:
    found = report(["a Жук and Щит", "Жук a"])
    assert found.unknown_words == [("Жук", 2), ("Щит", 1)]
    assert found.unknown_tokens == 3
    assert found.unknown_share == pytest.approx(3 / (found.tokens - 4))


def test_padding() -> None:
    lengths = [2, 10] * 8
    padding = {found.rows: found for found in of_lengths(lengths).padding}
    assert padding[8].in_order == pytest.approx(1 - 6 / 10)
    assert padding[8].sorted == 0
    assert padding[32].in_order == padding[32].sorted == pytest.approx(1 - 6 / 10)


def test_padding_is_that_of_truncated_rows() -> None:
    padding = of_lengths([8] * 7 + [800], limit=8).padding
    assert padding[0].in_order == 0


def test_the_histogram_holds_every_row_once() -> None:
    lengths = [9, 12, 13, 40, 40, 300]
    bins = of_lengths(lengths).histogram
    assert bins[0] == Bin(9, 12, 2)
    assert bins[-1].first <= 300 <= bins[-1].last
    for found in bins:
        assert found.rows == sum(found.first <= length <= found.last for length in lengths)
    assert sum(found.rows for found in bins) == len(lengths)


def test_no_rows() -> None:
    found = report([])
    assert (found.rows, found.mean, found.longest, found.histogram) == (0, 0, 0, [])
    assert found.share_over_limit == found.unknown_share == 0


def test_records_say_what_the_dictionary_says() -> None:
    found = of_lengths([3, 5, 10])
    records = Counter({str(row["name"]): row["value"] for row in found.records()})
    assert records["rows"] == found.as_dict()["rows"] == 3
    assert records["p95"] == 10
    assert records["rows_9_12"] == 1
