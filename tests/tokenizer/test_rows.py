import itertools

import pytest

from distilcli.errors import InputError, RowError
from distilcli.rows import Row, open_rows
from distilcli.rows.outcome import Outcome
from distilcli.stats import RunStats
from distilcli.tokenizer.fast import FastTokenizer
from distilcli.tokenizer.options import TokenizerOptions
from distilcli.tokenizer.rows import Lengths, TokenizeRows, work_ahead
from tests.tokenizer._texts import VOCABULARY


def upper(rows):
    outcomes = [Outcome(row, error=row.error) for row in rows]
    for outcome in outcomes:
        text = outcome.item.cells[0]
        if text == "bad":
            outcome.error = f"line {outcome.item.line}: bad"
        else:
            outcome.value = text.upper()
    return outcomes


def source_of(path, texts):
    path.write_text("".join(f"{text}\n" for text in texts))
    return open_rows([str(path)])


def test_rows_come_in_order_and_are_counted(tmp_path):
    texts = [f"t{number}" for number in range(5000)]
    stats = RunStats()
    with source_of(tmp_path / "a.txt", texts) as source:
        blocks = list(work_ahead(source, upper, on_error="keep", stats=stats))
    values = [outcome.value for outcome in itertools.chain.from_iterable(blocks)]
    assert values == [text.upper() for text in texts]
    assert len(blocks) > 1
    assert stats.rows == 5000
    assert stats.finished_at is not None


def test_stop_finishes_the_statistics_and_notes_the_error(tmp_path):
    stats = RunStats()
    with source_of(tmp_path / "a.txt", ["a", "bad", "c"]) as source:
        blocks = work_ahead(source, upper, on_error="stop", stats=stats)
        assert [outcome.value for outcome in next(blocks)] == ["A"]
        with pytest.raises(RowError, match="line 2: bad"):
            next(blocks)
    assert stats.first_error == "line 2: bad"
    assert stats.finished_at is not None


def test_the_first_error_of_kept_rows_is_noted(tmp_path):
    stats = RunStats()
    with source_of(tmp_path / "a.txt", ["a", "bad", "bad"]) as source:
        list(work_ahead(source, upper, on_error="keep", stats=stats))
    assert (stats.failed, stats.first_error) == (2, "line 2: bad")


def test_an_error_of_the_source_finishes_the_statistics(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"good\n\xff\n")
    stats = RunStats()
    blocks = work_ahead(open_rows([str(tmp_path / "a.txt")]), upper, on_error="keep", stats=stats)
    with pytest.raises(InputError, match="line 2"):
        list(blocks)
    assert stats.rows == 1
    assert stats.finished_at is not None


def test_leaving_early_finishes_the_statistics(tmp_path):
    stats = RunStats()
    with source_of(tmp_path / "a.txt", ["a"] * 10_000) as source:
        blocks = work_ahead(source, upper, on_error="keep", stats=stats)
        next(blocks)
        blocks.close()
    assert stats.finished_at is not None


@pytest.mark.parametrize("offsets", [True, False])
@pytest.mark.parametrize("side", ["right", "left"])
def test_long_texts_are_cut_as_whole_ones(monkeypatch, offsets, side):
    tokenizer = FastTokenizer(VOCABULARY, TokenizerOptions(truncation_side=side), source="test")
    text = "the fun of New York, naive " * 40
    rows = [Row(("text",), [each], "test", 1) for each in (text, "the fun")]
    lengths = Lengths(max_length=9)
    work = TokenizeRows(tokenizer, text_column="text", lengths=lengths, offsets=offsets)
    ids = tokenizer.encode([text])[0].ids
    kept = ids[:7] if side == "right" else ids[-7:]
    monkeypatch.setattr("distilcli.tokenizer.tokenizer._CHARACTERS", 1)
    long, short = work(rows)
    assert long.value.windows[0].input_ids[1:-1] == kept
    assert (long.truncated, short.truncated) == (True, False)


def test_a_text_that_cannot_be_tokenized_is_an_error_of_its_row():
    tokenizer = FastTokenizer(VOCABULARY, TokenizerOptions(), source="test")
    accents = "a" + "\u0301" * 300_000 + "b"
    rows = [Row(("text",), [each], "test", 1) for each in ("the", accents, "fun")]
    done = TokenizeRows(tokenizer, text_column="text")(rows)
    assert [outcome.error is None for outcome in done] == [True, False, True]
    assert done[1].error == (
        "test: line 1: 300,002 characters without a space are too many to tokenize; split the text"
    )
