import json
from pathlib import Path

import pytest

from distilcli.errors import InputError
from distilcli.gold.cells import UnlabelledError
from distilcli.gold.entities import entity_column, tags_of_entities, words_of_text
from distilcli.rows.reader import open_rows
from distilcli.rows.row import Row

TEXT = "Anna Lee's boat, in 東京!"


def row(entities: object, text: str = TEXT) -> Row:
    return Row(("text", "entities"), (text, entities), "a.jsonl", 7)


def span(start: object, end: object, label: object = "PER", **more: object) -> dict[str, object]:
    return {"label": label, "start": start, "end": end, **more}


def tags(*entities: object) -> list[str]:
    return tags_of_entities(row(list(entities)), "text", "entities")


def test_words_are_those_of_the_tokenizer() -> None:
    found = ["Anna", "Lee", "'", "s", "boat", ",", "in", "東", "京", "!"]
    assert words_of_text(row([]), "text") == found


def test_entities_are_tags_of_their_words() -> None:
    assert tags(
        span("17", "20", "X"), span("20", "22", "LOC", text="東京", score="0.9"), span(0, 8)
    ) == [
        *("B-PER", "I-PER", "O", "O", "O", "O", "B-X", "B-LOC", "I-LOC", "O"),
    ]


def test_a_part_of_a_word_counts_as_the_word() -> None:
    assert tags(span(2, 4))[:2] == ["B-PER", "O"]


def test_no_entities_and_no_value_differ() -> None:
    assert set(tags()) == {"O"}
    for missing in (None, "", " "):
        with pytest.raises(UnlabelledError, match="no value"):
            tags_of_entities(row(missing), "text", "entities")


def test_a_cell_may_be_json() -> None:
    cell = json.dumps([span(0, 4)])
    assert tags_of_entities(row(cell), "text", "entities")[:2] == ["B-PER", "O"]


@pytest.mark.parametrize(
    ("entity", "told"),
    [
        (span(0, 99), "characters 0 to 99 are not in the text, which has 23"),
        (span(4, 4), "characters 4 to 4 are not in the text"),
        (span(0, 4, text="Lee"), "characters 0 to 4 are 'Anna' and not 'Lee'"),
        (span(None, 4), "not a list of entities"),
        (span(0, 4, ""), "not a list of entities"),
        ({"start": 0, "end": 4}, "not a list of entities"),
        ("O", "not a list of entities"),
    ],
)
def test_what_is_no_entity_of_the_text_is_refused(entity: object, told: str) -> None:
    with pytest.raises(InputError, match=f"line 7, column 'entities': {told}"):
        tags(entity)


def test_entities_that_share_a_word_are_refused() -> None:
    with pytest.raises(InputError, match="two entities share the word 'Lee'"):
        tags(span(0, 8), span(5, 10, "X"))


@pytest.mark.parametrize(
    ("line", "label", "column"),
    [
        ({"text": "a", "entities": []}, None, "entities"),
        ({"text": "a", "entities": [], "gold_entities": []}, "gold_entities", "gold_entities"),
        ({"text": "a", "entities": []}, "tags", None),
        ({"tokens": ["a"], "entities": ["O"]}, "entities", None),
        ({"text": "a", "tags": ["O"]}, None, None),
    ],
)
def test_the_column_of_entities(
    tmp_path: Path, line: dict[str, object], label: str | None, column: str | None
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(line) + "\n")
    assert entity_column(open_rows([str(path)]), label) == column
