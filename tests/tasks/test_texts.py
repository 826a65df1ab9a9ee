import pytest

from distilcli.errors import RowError
from distilcli.rows.row import Row, is_blank
from distilcli.tasks.texts import refusing_empty, text_at


@pytest.mark.parametrize("text", ["", " \t\n", "\u00a0", "\u200b", "\ufeff\u200d", "\x00"])
def test_texts_of_which_nothing_can_be_seen(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}.")


def test_the_parts_of_content_that_may_not_be_empty() -> None:
    read = refusing_empty(lambda item: item, ("the question", "the context"))
    assert read(("a", "b")) == ("a", "b")
    for item, part in ((("", "b"), "the question"), (("a", "\u200b"), "the context")):
        with pytest.raises(RowError, match=f"^empty text: {part}$"):
            read(item)
    words = refusing_empty(lambda item: item, ("",))
    assert (words([]), words(["a", ""])) == ([], ["a", ""])
    with pytest.raises(RowError, match=r"^empty text$"):
        words(["", "\u200b"])


def test_the_text_of_a_cell_that_is_null() -> None:
    row = Row(("a", "b"), [None, "x"], "data.jsonl", 3)
    assert [text_at(row, column) for column in ("a", "b", "missing")] == ["", "x", ""]
    row.error = "broken"
    with pytest.raises(RowError, match="broken"):
        text_at(row, "b")
