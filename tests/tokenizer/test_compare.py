from distilcli.rows import Row
from distilcli.tokenizer.compare import Compared, CompareRows, Difference, DifferenceCounts
from distilcli.tokenizer.fast import FastTokenizer
from distilcli.tokenizer.options import TokenizerOptions
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.tokenizer.wordpiece import WordPieceTokenizer
from tests.tokenizer._texts import VOCABULARY

UNCASED = WordPieceTokenizer(VOCABULARY, TokenizerOptions(), source="test")
CASED = FastTokenizer(VOCABULARY, TokenizerOptions(do_lower_case=False), source="test")


def compared(here: Tokenizer, there: Tokenizer, text: str) -> Compared:
    (done,) = CompareRows(here, there, text_column="text")([Row(("text",), [text], "test", 1)])
    assert done.value is not None
    return done.value


def test_where_they_differ() -> None:
    found = compared(UNCASED, CASED, "the New fun, naïve")
    assert found.differences == [
        Difference(4, 7, "New", ("n", "##e", "##w"), ("New",)),
        Difference(13, 18, "naïve", ("naive",), ("naïve",)),
    ]
    assert (found.n_tokens, found.n_tokens_other) == (7, 5)


def test_one_has_tokens_where_the_other_has_none() -> None:
    empty = dict(VOCABULARY)
    keep = WordPieceTokenizer(empty, TokenizerOptions(do_basic_tokenize=False), source="test")
    found = compared(keep, UNCASED, "the \u200b")
    assert found.differences == [Difference(4, 5, "\u200b", ("[UNK]",), ())]


def test_no_difference() -> None:
    assert compared(UNCASED, UNCASED, "the token").differences == []


def test_a_row_without_text() -> None:
    row = Row(("other",), ["x"], "test", 3)
    (done,) = CompareRows(UNCASED, CASED, text_column="text")([row])
    assert done.error == "test: line 3: no value at 'text'"


def test_counts() -> None:
    rows = [Row(("text",), [text], "test", 1) for text in ("New", "the", "New")]
    counts = DifferenceCounts()
    work = CompareRows(UNCASED, CASED, text_column="text")
    (block,) = counts.differing([work(rows)])
    assert len(block) == 2
    assert (counts.rows, counts.rows_that_differ, counts.differences) == (3, 2, 2)
    assert counts.frequent == [
        {"text": "New", "here": ["n", "##e", "##w"], "there": ["New"], "count": 2}
    ]
