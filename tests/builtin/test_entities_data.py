from pathlib import Path

import entities_data
import pytest


def conll(*sentences: str) -> str:
    blocks = (
        "".join(f"{word.replace('/', chr(9))}\n" for word in each.split()) for each in sentences
    )
    return "\n".join(blocks)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    times = {"conll2003": 1.0, "ner_tweets": 2.0, "ner_world_news": 1.0, "wnut17": 0.5}
    monkeypatch.setattr(entities_data, "_TIMES", times)
    monkeypatch.setattr(entities_data, "_SWAPPED", 1.0)
    monkeypatch.setattr(entities_data, "_HELD_OUT", 0.5)
    files = {
        "conll2003/train.txt": "U.N. B-ORG 0\nofficial O 0\n\nBonn B-LOC 0\n",
        "conll2003/valid.txt": "Oslo B-LOC 0\n",
        "ner_tweets/train.conll": conll("at/O New/B-LOC York/I-LOC", "by/O Ann/B-PER"),
        "ner_world_news/train.conll": conll(
            "https://one/O", "Mali/B-Location", "in/O May/B-Date", "https://two/O", "Togo/B-NORP"
        ),
        "wnut17/train.conll": conll("a/B-group", "b/B-product", "c/O", "d/O"),
    }
    for name, content in files.items():
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return tmp_path / "sources"


def blocks(path: Path) -> list[str]:
    return [
        " ".join(line.replace("\t", "/") for line in block.splitlines())
        for block in path.read_text(encoding="utf-8").split("\n\n")
    ]


def test_sources_become_sentences_with_four_types(sources: Path, tmp_path: Path) -> None:
    entities_data.main(sources, tmp_path / "out")
    found = sorted(blocks(tmp_path / "out" / "train.conll"))
    (sampled,) = {"a/B-ORG", "b/B-MISC"} & set(found)
    assert found == sorted(
        [
            # A word splits at punctuation; its first part begins the name.
            "U/B-ORG ./I-ORG N/I-ORG ./I-ORG official/O",
            "Bonn/B-LOC",
            # The second time with another name of the same type; there is one.
            *["at/O New/B-LOC York/I-LOC"] * 2,
            "Mali/B-LOC",
            "in/O May/O",
            sampled,
        ]
    )


def test_what_is_set_aside_is_whole(sources: Path, tmp_path: Path) -> None:
    entities_data.main(sources, tmp_path / "out")
    assert blocks(tmp_path / "out" / "dev-conll2003.conll") == ["Oslo/B-LOC"]
    assert blocks(tmp_path / "out" / "dev-ner_tweets.conll") == ["by/O Ann/B-PER"]
    assert blocks(tmp_path / "out" / "dev-ner_world_news.conll") == ["Togo/B-MISC"]
    assert blocks(tmp_path / "out" / "valid.conll") == [
        "Oslo/B-LOC", "by/O Ann/B-PER", "Togo/B-MISC", "c/O", "d/O"
    ]  # fmt: skip


def test_another_name_comes_from_the_same_source_and_type(sources: Path, tmp_path: Path) -> None:
    (sources / "ner_tweets" / "train.conll").write_text(
        conll("at/O Rome/B-LOC", "Rome/B-LOC for/O Bob/B-PER", "x/O", "y/O"), encoding="utf-8"
    )
    entities_data.main(sources, tmp_path / "out")
    found = blocks(tmp_path / "out" / "train.conll")
    assert found.count("Rome/B-LOC for/O Bob/B-PER") == 2
    assert found.count("at/O Rome/B-LOC") == 2


def test_the_files_are_the_same_every_time(sources: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        entities_data.main(sources, tmp_path / name)
    for name in ("train.conll", "valid.conll"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
