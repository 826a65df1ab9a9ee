"""Seeded tiny models for every test: nothing is downloaded."""

import gc
import json
import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path

import hypothesis
import pytest

# Before torch is loaded: tiny models gain nothing from a second thread, and lose much to waiting
# for it where the cores are taken.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
# glibc's own default: finetune sees a setting and leaves the allocator of all other tests alone.
os.environ.setdefault("MALLOC_MMAP_MAX_", "65536")

import torch

# How long an example takes says nothing where the cores are shared.
hypothesis.settings.register_profile(
    "distil", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("distil")

# What a caller's shell says of colours, widths, proxies and signals is not tested.
for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES", "DISTIL_DEBUG"):
    os.environ.pop(name, None)
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]
signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("SIGHUP", "SIGTERM"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_DFL)

_COUNT = count()
WORDS = (
    "the a film movie book camera battery is was very not good bad great poor dull bright loved "
    "hated it i and but story plot acting sound picture cheap price works broke fun boring slow "
    "fast , . ! ? ' \" ##s ##ed ##ing ##ly ##y un ##like w ##x z 1 2 3 0"
).split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count comparisons with other implementations as slow."""
    for item in items:
        if item.get_closest_marker("parity"):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Leave out of all garbage collections what lives as long as the tests: modules, test items."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_findings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a cache of its own, empty and not yet there."""
    folder = tmp_path_factory.getbasetemp() / f"cache-{next(_COUNT)}"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))


@pytest.fixture(scope="session")
def vocab() -> list[str]:
    """A vocabulary of everyday words and single letters, whole and as continuations."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    singles = [*letters, *(f"##{letter}" for letter in letters)]
    return list(dict.fromkeys([*specials, *WORDS, *singles]))


@pytest.fixture(scope="session")
def tiny_folder(vocab: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DistilBERT classifier of two labels with random weights, in a folder."""
    folder = tmp_path_factory.mktemp("tiny")
    make_tiny(folder, vocab)
    return folder


@pytest.fixture(scope="session")
def qa_folder(vocab: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DistilBERT question answerer with random weights, in a folder."""
    folder = tmp_path_factory.mktemp("qa")
    make_tiny(folder, vocab, head="QuestionAnswerer")
    return folder


@pytest.fixture(scope="session")
def hand_tagger(vocab: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token classifier that labels words as `tests._hand_tagger` says, in a folder."""
    from tests._hand_tagger import write_hand_tagger

    folder = tmp_path_factory.mktemp("tagger")
    write_hand_tagger(folder, vocab)
    return folder


@pytest.fixture(scope="session")
def mlm_folder(vocab: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DistilBERT masked language model with random weights, in a folder."""
    folder = tmp_path_factory.mktemp("mlm")
    make_tiny(folder, vocab, head="MaskedLanguageModel")
    return folder


@pytest.fixture(scope="session")
def choice_folder(vocab: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DistilBERT multiple-choice model with random weights, in a folder."""
    folder = tmp_path_factory.mktemp("choice")
    make_tiny(folder, vocab, head="MultipleChoice")
    return folder


def make_tiny(
    folder: Path,
    vocab: list[str],
    *,
    head: str = "SequenceClassifier",
    model_type: str = "distilbert",
    labels: tuple[str, ...] = ("negative", "positive"),
    problem_type: str | None = "single_label_classification",
    n_layers: int = 2,
    seed: int = 0,
    **settings: object,
) -> None:
    """Write a tiny model with a head of `distilcli.model.heads`, and its tokenizer, to `folder`."""
    from distilcli.checkpoint.config import ModelConfig
    from distilcli.model import heads
    from distilcli.model.saving import save_model

    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "model_max_length": 64})
    )
    torch.manual_seed(seed)
    config = ModelConfig(
        model_type=model_type,  # type: ignore[arg-type]
        vocab_size=len(vocab),
        max_position_embeddings=64,
        dim=32,
        n_layers=n_layers,
        n_heads=4,
        hidden_dim=64,
        type_vocab_size=2 if model_type == "bert" else 0,
        initializer_range=0.2,  # large enough for the rows to differ in their scores
        labels=labels,
        problem_type=problem_type,
        **settings,  # type: ignore[arg-type]
    )
    save_model(getattr(heads, head)(config), folder, tokenizer_files=[])


@pytest.fixture
def make_model(vocab: list[str], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes one more tiny model and returns its folder."""

    def make(name: str = "model", **settings: object) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        make_tiny(folder, vocab, **settings)  # type: ignore[arg-type]
        return folder

    return make


@pytest.fixture
def distil(
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs `distil` in this process: exit code, stdout, stderr.

    Whatever the command says must name its own options only.
    """
    from distilcli.app import COMMANDS, main
    from tests.contracts._settings import foreign_options

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        if arguments[0] in COMMANDS and "No such option" not in err:
            assert foreign_options(str(arguments[0]), err) == [], err
        return code, out, err

    return run
