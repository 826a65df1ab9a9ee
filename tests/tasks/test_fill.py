import dataclasses
import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilcli.errors import ModelError, RowError, UsageError
from distilcli.predictors.mask_filler import MaskFiller
from distilcli.tasks.fill import Fill, FillColumns, Filling
from distilcli.tasks.perplexity import PerplexityColumns, PerplexityTask
from distilcli.tasks.sequences import most_context
from distilcli.tasks.settings import BatchOptions, LongTexts
from distilcli.tokenizer.filled import filled_in
from distilcli.tokenizer.windows import Window
from tests.conftest import make_tiny

Make = Callable[..., Path]
MASK = "[MASK]"
TEXTS = [
    "The  film was [MASK],\tand the[MASK] plot -- Äh!",
    "[MASK]",
    "i loved the [MASK] " * 40,
    "un [MASK]\n",
    "no mask but " * 3 + MASK,
]


def filler(folder: Path, **settings: Any) -> MaskFiller:
    return MaskFiller(str(folder), device="cpu", **settings)


# Fills.


def test_every_mask_gets_its_likeliest_tokens(mlm_folder: Path) -> None:
    (found,) = filler(mlm_folder, top_k=4)(TEXTS[:1])
    assert [len(fills) for fills in found.masks] == [4, 4]
    for fills in found.masks:
        scores = [fill.score for fill in fills]
        assert scores == sorted(scores, reverse=True)
        assert scores[-1] > 0
        assert sum(scores) < 1
    assert found.score == pytest.approx(math.prod(fills[0].score for fills in found.masks))


def test_the_probabilities_of_all_tokens_sum_to_one(mlm_folder: Path, vocab: list[str]) -> None:
    (found,) = filler(mlm_folder, top_k=10_000)(["a [MASK] film"])
    (fills,) = found.masks
    assert {fill.token for fill in fills} == set(vocab)
    assert sum(fill.score for fill in fills) == pytest.approx(1)


def test_all_text_outside_masks_is_kept(mlm_folder: Path) -> None:
    for text, found in zip(TEXTS, filler(mlm_folder, whole_word=True)(TEXTS), strict=True):
        rest = text.split(MASK)
        best = [fills[0].token for fills in found.masks]
        assert len(best) == len(rest) - 1
        expected = rest[0] + "".join(map("".join, zip(best, rest[1:], strict=True)))
        assert found.filled == expected
        assert [found.filled[start:end] for start, end in found.filled.spans] == best


@given(
    parts=st.lists(st.text("ab ,\n\u00e9", max_size=5), min_size=2, max_size=5),
    tokens=st.lists(st.sampled_from(["good", "##s", "##", "é"]), min_size=4, max_size=4),
)
def test_words_stand_where_masks_stood(parts: list[str], tokens: list[str]) -> None:
    text, spans = parts[0], []
    for part in parts[1:]:
        spans.append((len(text), len(text) + len(MASK)))
        text += MASK + part
    filled = filled_in(text, spans, tokens[: len(spans)])
    ends = [0, *(end for _, end in filled.spans)]
    starts = [*(start for start, _ in filled.spans), len(filled)]
    between = [filled[end:start] for end, start in zip(ends, starts, strict=True)]
    for place, (part, found) in enumerate(zip(parts, between, strict=True)):
        piece_follows = place < len(spans) and tokens[place] == "##s"
        joined = part.rstrip(" ") if piece_follows else part
        assert found in {joined, part}
        if not piece_follows or (place > 0 or joined):
            assert found == joined
    for (start, end), token in zip(filled.spans, tokens, strict=False):
        assert filled[start:end] == ("s" if token == "##s" else token)


def test_a_piece_joins_the_word_before() -> None:
    assert filled_in("un [MASK] film", [(3, 9)], ["##like"]) == "unlike film"
    assert filled_in(" [MASK] film", [(1, 7)], ["##like"]) == " like film"
    assert filled_in("[MASK] [MASK]!", [(0, 6), (7, 13)], ["work", "##ed"]) == "worked!"


def test_a_mask_that_takes_space_along_leaves_it_in_the_text(make_model: Make) -> None:
    folder = make_model(head="MaskedLanguageModel")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    mask = {"content": MASK, "lstrip": True, "rstrip": True}
    added = {"added_tokens_decoder": {"4": mask}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | added))
    (found,) = filler(folder, whole_word=True)(["a  [MASK] \t film"])
    assert found.filled == f"a  {found.masks[0][0].token} \t film"


# Which tokens.


@pytest.mark.slow
def test_targets_are_the_only_ones_and_keep_their_probabilities(mlm_folder: Path) -> None:
    text = ["a [MASK] film"]
    (every,) = filler(mlm_folder, top_k=10_000)(text)
    (found,) = filler(mlm_folder, targets=["bad", "Good", "good", "##s"])(text)
    scores = {fill.token: fill.score for fill in every.masks[0]}
    assert {fill.token for fill in found.masks[0]} == {"bad", "good", "##s"}
    for fill in found.masks[0]:
        assert fill.score == pytest.approx(scores[fill.token], rel=1e-5)
    (best,) = filler(mlm_folder, targets=["bad", "good", "##s"], top_k=1)(text)
    assert best.masks[0] == found.masks[0][:1]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["good", "unlikely"], "'unlikely' is not one token of the vocabulary but un ##like ##ly"),
        (["good film"], "but good film"),
        (["é€"], r"but \[UNK\]"),
        ([" "], "but nothing"),
        ([], "names no token"),
    ],
)
def test_targets_that_are_no_tokens(mlm_folder: Path, targets: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=f"^`targets`:? .*{message}"):
        filler(mlm_folder, targets=targets)


def test_whole_words_are_words(tmp_path: Path, vocab: list[str]) -> None:
    vocab = [*vocab, "[unused7]", "3rd", "été", "--"]
    make_tiny(tmp_path, vocab, head="MaskedLanguageModel")
    (found,) = filler(tmp_path, whole_word=True, top_k=10_000)(["a [MASK] film"])
    tokens = {fill.token for fill in found.masks[0]}
    out = {token for token in vocab if token.startswith(("##", "[")) or token in set(",.!?'\"--")}
    assert tokens == set(vocab) - out - {"--"}
    assert {"3rd", "été", "0"} < tokens
    with pytest.raises(UsageError, match="leave out `whole_word`"):
        filler(tmp_path, whole_word=True, targets=["good"])


def test_rows_of_the_table_without_a_token_fill_nothing(make_model: Make, vocab: list[str]) -> None:
    folder = make_model(head="MaskedLanguageModel")
    lines = (folder / "vocab.txt").read_text().splitlines()
    (folder / "vocab.txt").write_text("\n".join(lines[:-20]) + "\n")
    (found,) = filler(folder, top_k=10_000)(["a [MASK] film"])
    assert {fill.token for fill in found.masks[0]} == set(lines[:-20])


# Long texts.

LONG = "i loved the film , " * 12  # 60 tokens


def test_a_mask_is_filled_from_the_window_with_most_context(mlm_folder: Path) -> None:
    text = f"{LONG} [MASK] {LONG}"
    windows = LongTexts(long="window", max_length=34, stride=16)
    (found,) = filler(mlm_folder, long_texts=windows)([text])
    words = text.split()
    # Windows of 32 begin at 0, 16, 32, …: the mask, number 60, is nearest to the middle of 48.
    alone = " ".join(words[48:80])
    (expected,) = filler(mlm_folder)([alone])
    assert [fill.token for fill in found.masks[0]] == [fill.token for fill in expected.masks[0]]
    assert found.score == pytest.approx(expected.score, rel=1e-4)
    assert found.filled.startswith(LONG)
    assert found.filled.endswith(LONG)


def test_a_mask_beyond_the_cut_is_an_error(mlm_folder: Path) -> None:
    cut = filler(mlm_folder, long_texts=LongTexts(long="truncate", max_length=16))
    with pytest.raises(RowError, match=r"1 of 2 \[MASK\] beyond the 16 tokens .*`long` window"):
        cut([f"[MASK] {LONG} [MASK]"])
    (found,) = cut([f"[MASK] {LONG}"])
    assert found.filled.endswith(LONG)
    with pytest.raises(RowError, match=r"limit is 16; use `long` truncate or window"):
        filler(mlm_folder, long_texts=LongTexts(long="error", max_length=16))([f"[MASK] {LONG}"])


def test_the_stride_has_an_effect_and_is_never_too_large(mlm_folder: Path) -> None:
    text = [f"{LONG} [MASK] {LONG}"]

    def score(stride: int) -> float:
        settings = LongTexts(long="window", max_length=32, stride=stride)
        return filler(mlm_folder, long_texts=settings)(text)[0].score

    assert score(0) != pytest.approx(score(14), rel=1e-3)
    assert score(15) == score(1000)
    with pytest.raises(UsageError, match="`stride` -1 must be at least 0"):
        score(-1)


@given(length=st.integers(1, 60), room=st.integers(2, 20), data=st.data())
def test_best_windows_ascend_with_the_tokens(length: int, room: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(0, room // 2))
    windows = [
        Window([0] * (min(room, length - start) + 2), [], [], [], start)
        for start in range(0, max(length - stride, 1), room - stride)
    ]
    best = most_context(windows)
    assert len(best) == length
    assert all(one[0] <= other[0] for one, other in pairwise(best))


# What a run may vary without a change.


def test_results_do_not_depend_on_batches_and_threads(mlm_folder: Path) -> None:
    texts = TEXTS * 3
    together = filler(mlm_folder, batches=BatchOptions(threads=2))(texts)
    one_by_one = filler(mlm_folder, batches=BatchOptions(rows=1, threads=1))(texts)
    for one, other in zip(together, one_by_one, strict=True):
        assert one.filled == other.filled
        assert one.score == pytest.approx(other.score, rel=1e-4)
        assert [len(fills) for fills in one.masks] == [len(fills) for fills in other.masks]


def test_pseudo_perplexity_does_not_depend_on_batches_and_threads(mlm_folder: Path) -> None:
    texts = ["the film", LONG * 2, "a very dull plot ."] * 2
    together = filler(mlm_folder, batches=BatchOptions(threads=2)).pseudo_perplexity(texts)
    alone = filler(mlm_folder, batches=BatchOptions(rows=1, threads=1)).pseudo_perplexity(texts)
    for one, other in zip(together, alone, strict=True):
        assert one.pseudo_perplexity == pytest.approx(other.pseudo_perplexity, rel=1e-4)
        assert one.n_tokens == other.n_tokens
    assert together[:3] != together[1:4]


# Pseudo-perplexity.


def test_pseudo_perplexity_is_made_of_the_fills_of_each_token(mlm_folder: Path) -> None:
    """Independent of `PerplexityTask`: mask each word by hand, and look its probability up."""
    ours = filler(mlm_folder, top_k=10_000)
    words = "the film was good but slow".split()
    surprise = 0.0
    for place, word in enumerate(words):
        (found,) = ours([" ".join([*words[:place], MASK, *words[place + 1 :]])])
        surprise -= math.log({fill.token: fill.score for fill in found.masks[0]}[word])
    (result,) = ours.pseudo_perplexity([" ".join(words)])
    assert result.pseudo_perplexity == pytest.approx(math.exp(surprise / len(words)), rel=1e-4)
    assert result.n_tokens == len(words)


def test_long_texts_are_scored_in_windows_or_cut(mlm_folder: Path) -> None:
    window = LongTexts(long="window", max_length=16, stride=7)
    cut = LongTexts(long="truncate", max_length=16)
    (windowed,) = filler(mlm_folder, long_texts=window).pseudo_perplexity([LONG])
    (truncated,) = filler(mlm_folder, long_texts=cut).pseudo_perplexity([LONG])
    (first,) = filler(mlm_folder).pseudo_perplexity([" ".join(LONG.split()[:14])])
    assert (windowed.n_tokens, truncated.n_tokens) == (60, 14)
    assert truncated.pseudo_perplexity == pytest.approx(first.pseudo_perplexity, rel=1e-4)
    with pytest.raises(RowError, match="limit is 16"):
        filler(mlm_folder, long_texts=LongTexts(long="error", max_length=16)).pseudo_perplexity(
            [LONG]
        )


@pytest.mark.parametrize(
    ("text", "message"), [("", "empty text"), (" \t", "empty text"), (MASK, "has a")]
)
def test_texts_that_have_no_pseudo_perplexity(mlm_folder: Path, text: str, message: str) -> None:
    with pytest.raises(RowError, match=message):
        filler(mlm_folder).pseudo_perplexity([text])


def test_the_tokens_of_a_window_share_one_list(mlm_folder: Path) -> None:
    """So the memory of a row of T tokens grows with T, not with T times the window."""
    engine = filler(
        mlm_folder, long_texts=LongTexts(long="window", max_length=16, stride=0)
    ).perplexity_engine(lambda text: text)
    assert isinstance(engine.task, PerplexityTask)
    (encoded,) = engine.task.encode([LONG])
    assert not isinstance(encoded, RowError)
    assert len(encoded.pieces) == 60
    assert len({id(piece.input_ids) for piece in encoded.pieces}) == math.ceil(60 / 14)
    # A window of the engine holds as much work as one of any other task.
    assert engine.task.size("a" * 20) == 20 * 6
    assert engine.task.size("a" * 1000) == 1000 * 16


# What cannot be.


def test_a_text_without_a_mask(mlm_folder: Path) -> None:
    with pytest.raises(RowError, match=r"has no \[MASK\]"):
        filler(mlm_folder)(["a film"])


def test_a_vocabulary_without_a_mask(make_model: Make) -> None:
    folder = make_model(head="MaskedLanguageModel")
    text = (folder / "vocab.txt").read_text()
    (folder / "vocab.txt").write_text(text.replace("[MASK]\n", "[HOLE]\n"))
    with pytest.raises(ModelError, match=r"has no \[MASK\].*name another mask_token"):
        filler(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"mask_token": "[HOLE]"}))
    ours = filler(folder)
    assert ours.mask_token == "[HOLE]"
    assert len(ours(["a [HOLE] film"])[0].masks) == 1


def test_a_head_that_was_never_trained(tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match="masked language model"):
        filler(tiny_folder)


@pytest.mark.slow
def test_a_model_that_gives_no_number(make_model: Make) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_model(head="MaskedLanguageModel")
    weights = load_file(folder / "model.safetensors")
    weights["vocab_projector.bias"][3] = math.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RowError, match="gave no number"):
        filler(folder)(["a [MASK]"])
    with pytest.raises(RowError, match="gave no number"):
        filler(folder).pseudo_perplexity(["a film"])


@pytest.mark.parametrize("texts", [5, [5], [("a", "b")]])
def test_what_is_no_list_of_texts(mlm_folder: Path, texts: Any) -> None:
    with pytest.raises(TypeError):
        filler(mlm_folder)(texts)
    with pytest.raises(TypeError):
        filler(mlm_folder).pseudo_perplexity(texts)


def test_at_least_one_fill(mlm_folder: Path) -> None:
    with pytest.raises(UsageError, match="`top_k` 0 must be at least 1"):
        filler(mlm_folder, top_k=0)(["a [MASK]"])


# Columns.


def test_columns_have_one_type_whatever_the_options() -> None:
    columns = FillColumns()
    filled = filled_in("a [MASK]", [(2, 8)], ["film"])
    fills = (Fill("film", 0.5), Fill("plot", 0.25))
    filling = Filling(filled, (fills,))
    expected = [[{"token": "film", "score": 0.5}, {"token": "plot", "score": 0.25}]]
    assert columns.values(filling) == ["a film", 0.5, expected]
    one = dataclasses.replace(filling, masks=(fills[:1],))
    assert columns.values(one)[2] == [expected[0][:1]]
    assert len(columns.names) == 3
    assert PerplexityColumns.names == ("pseudo_perplexity", "n_tokens")
