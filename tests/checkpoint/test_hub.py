"""The hub, against a cache laid out by hand and a server of our own on the loopback."""

import errno
import json
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from huggingface_hub import constants

from distilcli import downloads
from distilcli.checkpoint.hub import snapshot
from distilcli.errors import ModelError
from tests.checkpoint._files import write_model, write_safetensors

SHA = "0123456789abcdef0123456789abcdef01234567"
TENSORS = {"a": ("F32", (2,))}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    # Nothing answers at the discard port: a test that forgets its server fails at once.
    _serve_from(monkeypatch, "http://127.0.0.1:9")
    return folder


def _serve_from(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def _cached(cache: Path, revision: str = "main") -> Path:
    repo = cache / "models--org--x"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / revision).write_text(SHA)
    return write_model(repo / "snapshots" / SHA, TENSORS)


@pytest.mark.parametrize("offline", [True, False])
def test_the_cache_is_enough(cache: Path, offline: bool) -> None:
    folder = _cached(cache)
    assert snapshot("org/x", None, offline=offline) == folder
    assert snapshot("org/x", "main", offline=offline) == folder
    assert snapshot("org/x", SHA, offline=offline) == folder


def test_another_revision_is_not_taken_for_it(cache: Path) -> None:
    _cached(cache)
    with pytest.raises(ModelError, match="'org/x@v2' is not in the local cache"):
        snapshot("org/x", "v2", offline=True)


@pytest.mark.parametrize("how", ["option", "environment"])
def test_without_the_network(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", how == "environment")
    with pytest.raises(
        ModelError, match="'org/x' is not in the local cache and the network is off"
    ):
        snapshot("org/x", None, offline=how == "option")


def test_a_half_cached_model_does_not_count(cache: Path) -> None:
    (_cached(cache) / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="the network is off"):
        snapshot("org/x", None, offline=True)


def test_a_hub_that_does_not_answer() -> None:
    with pytest.raises(
        ModelError, match=r"not a folder here, .+ \(.+\); check its name or the network"
    ) as caught:
        snapshot("org/x", None, offline=False)
    assert "\n" not in str(caught.value)


def test_a_name_that_the_hub_forbids() -> None:
    with pytest.raises(ModelError, match="not a valid hub id"):
        snapshot("org/x--y", None, offline=False)


def test_a_full_disk_is_not_the_fault_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", full)
    with pytest.raises(OSError, match="No space left"):
        snapshot("org/x", None, offline=False)


class _Hub(BaseHTTPRequestHandler):
    """As much of the hub as a download needs: the model's description, its tree, its files."""

    root: ClassVar[Path]
    refusal: ClassVar[tuple[int, str] | None]
    fetched: ClassVar[list[str]]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        files = (file for file in self.root.rglob("*") if file.is_file())
        names = sorted(file.relative_to(self.root).as_posix() for file in files)
        if self.refusal is not None:
            self._answer(self.refusal[0], b"{}", {"X-Error-Code": self.refusal[1]})
        elif "/resolve/" in path:
            name = path.partition("/resolve/")[2].partition("/")[2]
            if self.command == "GET":
                self.fetched.append(name)
            self._answer(200, (self.root / name).read_bytes(), {"ETag": f'"{name}-1"'})
        elif "/tree/" in path:
            tree = [
                {
                    "type": "file",
                    "path": name,
                    "size": (self.root / name).stat().st_size,
                    "oid": name,
                }
                for name in names
            ]
            self._answer(200, json.dumps(tree).encode(), {})
        else:
            info = {"id": "org/x", "sha": SHA, "siblings": [{"rfilename": name} for name in names]}
            self._answer(200, json.dumps(info).encode(), {})

    do_HEAD = do_GET  # noqa: N815 - the name the server calls

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "X-Repo-Commit": SHA, "Content-Length": len(body)}.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hub]]:
    _Hub.root, _Hub.refusal, _Hub.fetched = tmp_path / "hub", None, []
    write_model(_Hub.root, TENSORS)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        _serve_from(monkeypatch, f"http://127.0.0.1:{server.server_port}")
        yield _Hub
        server.shutdown()
        thread.join()


def test_only_what_a_model_needs_is_fetched_and_only_once(hub: type[_Hub]) -> None:
    for name in ("vocab.txt", "pytorch_model.bin", "tf_model.h5", "README.md"):
        (hub.root / name).write_text(name)
    folder = snapshot("org/x", None, offline=False)
    assert sorted(hub.fetched) == ["config.json", "model.safetensors", "vocab.txt"]
    assert (folder / "vocab.txt").read_text() == "vocab.txt"
    assert snapshot("org/x", None, offline=True) == folder


def test_shards_are_fetched_as_their_index_names_them(hub: type[_Hub]) -> None:
    (hub.root / "model.safetensors").rename(hub.root / "model-1-of-1.safetensors")
    write_safetensors(hub.root / "model-9-of-9.safetensors", TENSORS)
    index = {"weight_map": {"a": "model-1-of-1.safetensors"}}
    (hub.root / "model.safetensors.index.json").write_text(json.dumps(index))
    folder = snapshot("org/x", None, offline=False)
    assert (folder / "model-1-of-1.safetensors").is_file()
    assert "model-9-of-9.safetensors" not in hub.fetched


def test_a_download_prints_nothing_and_tells_its_bytes(
    hub: type[_Hub], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled

    told: list[tuple[str, int, int]] = []

    @contextmanager
    def listen(name: str) -> Iterator[downloads.Progress]:
        warnings.warn("of the hub", stacklevel=1)
        logging.getLogger("huggingface_hub.file_download").warning("of the hub")
        yield lambda done, total: told.append((name, done, total))

    monkeypatch.setenv("TQDM_POSITION", "-1")  # else the hub draws nothing here anyway
    monkeypatch.setattr(downloads, "show", listen)
    weights = (hub.root / "model.safetensors").stat().st_size
    config = (hub.root / "config.json").stat().st_size
    snapshot("org/x", None, offline=False)
    assert capfd.readouterr() == ("", "")
    assert told[-1] == ("org/x", weights + config, weights + config)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert not are_progress_bars_disabled()


def test_a_download_without_a_listener_prints_nothing(
    hub: type[_Hub], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TQDM_POSITION", "-1")
    monkeypatch.setattr(downloads, "show", downloads.unseen)
    snapshot("org/x", None, offline=False)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_repository_that_is_no_model(hub: type[_Hub], missing: str) -> None:
    (hub.root / missing).unlink()
    with pytest.raises(ModelError, match=rf"has no .*{missing}.* on the hub"):
        snapshot("org/x", None, offline=False)
    assert hub.fetched == []


@pytest.mark.parametrize(
    ("status", "code", "wording"),
    [
        (401, "RepoNotFound", "is not on the hub or is private"),
        (404, "RepoNotFound", "is not on the hub or is private"),
        (404, "RevisionNotFound", "has no revision 'v2'"),
        (403, "GatedRepo", "is gated; accept its terms"),
        (503, "", r"\(HTTP 503\); try later"),
    ],
)
def test_refusals_of_the_hub(hub: type[_Hub], status: int, code: str, wording: str) -> None:
    hub.refusal = (status, code)
    with pytest.raises(ModelError, match=wording):
        snapshot("org/x", "v2", offline=False)


@pytest.mark.parametrize("refs", ["none", "newline"])
def test_a_cache_that_was_copied_without_its_exact_refs(cache: Path, refs: str) -> None:
    folder = _cached(cache)
    reference = cache / "models--org--x" / "refs" / "main"
    if refs == "none":
        reference.unlink()
    else:
        reference.write_text(f"{SHA}\n")
    assert snapshot("org/x", None, offline=True) == folder


def test_of_several_snapshots_without_refs_none_is_guessed(cache: Path) -> None:
    _cached(cache)
    other = SHA[::-1]
    write_model(cache / "models--org--x" / "snapshots" / other, TENSORS)
    (cache / "models--org--x" / "refs" / "main").unlink()
    with pytest.raises(ModelError, match=f"give org/x@{SHA}, org/x@{other}, which is there"):
        snapshot("org/x", None, offline=True)
    assert snapshot("org/x", other, offline=True).name == other


def test_a_revision_that_is_not_cached_names_what_is(cache: Path) -> None:
    _cached(cache)
    with pytest.raises(ModelError, match=f"'org/x@v2' is not .* give org/x@{SHA}"):
        snapshot("org/x", "v2", offline=True)


def test_the_old_layout_of_sentence_transformers_is_fetched(hub: type[_Hub]) -> None:
    write_model(hub.root / "0_Transformer", TENSORS)
    for name in ("config.json", "model.safetensors"):
        (hub.root / name).unlink()
    for name in ("modules.json", "0_Transformer/vocab.txt", "0_Transformer/tf_model.h5"):
        (hub.root / name).write_text('[{"type": "m.Transformer", "path": "0_Transformer"}]')
    folder = snapshot("org/x", None, offline=False)
    assert (folder / "0_Transformer" / "model.safetensors").is_file()
    assert not (folder / "0_Transformer" / "tf_model.h5").exists()
    assert snapshot("org/x", None, offline=True) == folder
