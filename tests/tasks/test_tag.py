from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distilcli.engine.batching import pad
from distilcli.engine.task import Encoded
from distilcli.errors import RowError
from distilcli.predictors.tagger import Tagger
from distilcli.tasks.sequences import most_context_of_words
from distilcli.tasks.settings import LongTexts
from distilcli.tasks.tag import Entity, TagColumns, Tagging
from distilcli.tokenizer.windows import Window, cut

TAGGING = Tagging("a film", (Entity("film", "ART", 2, 6, 0.5),), ((0, 1), (2, 6)), ("O", "B-ART"))


def windows_of(length: int, size: int, stride: int) -> list[Window]:
    cuts = cut(length, None, max_length=size + 2, long="window", stride=stride)
    return [
        Window([0] * (part.stop - part.start + 2), [], [], [], start=part.start)
        for part in cuts.first
    ]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.integers(2, 9), st.integers(0, 8))
def test_a_word_is_taken_whole_from_where_it_has_most_context(
    lengths: list[int], size: int, stride: int
) -> None:
    stride = min(stride, size - 1)
    firsts = [sum(lengths[:n]) for n in range(len(lengths))]
    windows = windows_of(sum(lengths), size, stride)
    places = most_context_of_words(windows, firsts)
    assert len(places) == sum(lengths)
    for first, length in zip(firsts, lengths, strict=True):
        contexts = {}
        for number, window in enumerate(windows):
            stop = window.start + len(window.input_ids) - 2
            if window.start <= first and first + length <= stop:
                contexts[number] = min(first - window.start, stop - first - length)
        taken = places[first : first + length]
        for token, (number, place) in enumerate(taken, start=first):
            assert windows[number].start + place - 1 == token
        if contexts:
            best = max(contexts, key=lambda number: (contexts[number], -number))
            assert {number for number, _ in taken} == {best}


def test_columns() -> None:
    entity = {"text": "film", "label": "ART", "start": 2, "end": 6, "score": 0.5}
    columns = TagColumns("words", "tags", "entities")
    assert columns.names == ("words", "tags", "entities")
    assert columns.values(TAGGING) == [["a", "film"], ["O", "B-ART"], [entity]]
    assert columns.counted(TAGGING) == ["ART"]
    assert TagColumns("entities").values(TAGGING) == [[entity]]


def encoded(tagger: Tagger, content: str | list[str]) -> Encoded:
    (row,) = tagger.engine(lambda item: item).task.encode([content])
    assert isinstance(row, Encoded)
    return row


def test_a_text_without_tokens_costs_nothing(hand_tagger: Path) -> None:
    tagger = Tagger(str(hand_tagger), device="cpu", keep_empty=True)
    task = tagger.engine(lambda item: item).task
    for content in ("", " \n", [], ["\u200b"]):
        row = encoded(tagger, content)
        assert row.pieces == []
        assert task.decode(content, row, []).entities == ()


def test_the_pieces_of_long_texts_fit(hand_tagger: Path) -> None:
    tagger = Tagger(
        str(hand_tagger), device="cpu", long_texts=LongTexts(long="window", max_length=16, stride=4)
    )
    row = encoded(tagger, "good film " * 20)
    assert {len(piece) for piece in row.pieces[:-1]} == {16}
    assert not row.truncated


def test_a_score_that_is_no_number_fails_its_row(hand_tagger: Path) -> None:
    tagger = Tagger(str(hand_tagger), device="cpu")
    task = tagger.engine(lambda item: item).task
    row = encoded(tagger, "a film")
    batch = pad(row.pieces, pad_token_id=0, device=torch.device("cpu"))
    with torch.inference_mode():
        (scores,) = task.forward(batch)
    assert scores.shape == (4, 5)
    assert scores.sum(axis=1) == pytest.approx([1] * 4, abs=1e-6)
    broken = scores.copy()
    broken[1, 0] = float("nan")
    with pytest.raises(RowError, match="the model gave no number for this row"):
        task.decode("a film", row, [broken])
