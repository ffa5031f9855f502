"""Pulling models from a local server, which behaves as badly as servers do."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from rtsep.errors import CheckpointError, DownloadError, ModelError, UsageError
from rtsep.zoo import ARCHIVES, Archive, convert, find, load_network, pull, read_config, read_folder
from rtsep.zoo.pull import ABANDONED_S


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


class Server(ThreadingHTTPServer):
    """Gives out what is in `answers`, and notes what it was asked for."""

    answers: dict[str, Answer]
    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def offer(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> None:
        headers = {"Content-Length": str(len(body))} | {k.replace("_", "-"): v for k, v in headers.items()}
        self.answers[path] = Answer(status, body, {k: v for k, v in headers.items() if v})


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answer = self.server.answers.get(self.path, Answer(404, b"", {"Content-Length": "0"}))
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.answers, server.asked = {}, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def pack(folder: Path, *evil: str) -> bytes:
    """A golden folder as an archive like the published ones: without a configuration."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in ("checkpoint", "model.index", "model.data-00000-of-00001"):
            tar.add(folder / name, arcname=name)
        for name in evil:
            tar.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


@pytest.fixture
def body(golden: Path) -> bytes:
    return pack(golden / "2stems")


def table(golden: Path, body: bytes) -> dict[str, Archive]:
    """The published table, with the golden folder in place of the real thing."""
    config = read_config(golden / "2stems" / "config.json")
    sha256 = hashlib.sha256(body).hexdigest()
    wide = config.model_copy(update={"F": 1536})
    return {
        "2stems": Archive("2stems.tar.gz", sha256, config),
        "2stems-16kHz": Archive("2stems.tar.gz", sha256, wide),
    }


@pytest.fixture
def archives(golden: Path, body: bytes) -> dict[str, Archive]:
    return table(golden, body)


def nothing_in(store: Path) -> bool:
    return not store.exists() or not any(store.iterdir())


def test_the_published_table() -> None:
    assert list(ARCHIVES) == ["2stems", "4stems", "5stems", "2stems-16kHz", "4stems-16kHz", "5stems-16kHz"]
    for name, archive in ARCHIVES.items():
        assert archive.file == name.removesuffix("-16kHz") + ".tar.gz"
        assert len(bytes.fromhex(archive.sha256)) == 32
        assert archive.sha256 == ARCHIVES[name.removesuffix("-16kHz")].sha256
    assert ARCHIVES["2stems"].sha256.startswith("f3a90b39")
    assert ARCHIVES["4stems"].sha256.startswith("3adb4a50")
    assert ARCHIVES["5stems"].sha256.startswith("25a1e87e")


def test_pulled_through_a_redirect(
    server: Server, store: Path, golden: Path, body: bytes, archives: dict[str, Archive], tmp_path: Path
) -> None:
    server.offer("/2stems.tar.gz", status=302, Location=f"{server.url}/assets/1")
    server.offer("/assets/1", body, Content_Encoding="gzip")  # as some servers label such files
    seen: list[tuple[int, int | None]] = []
    made = pull(
        "spleeter:2stems",
        base_url=server.url,
        archives=archives,
        progress=lambda *amounts: seen.append(amounts),
    )
    assert made.path == store / "2stems"
    assert made == read_folder(made.path) == find("2stems")
    assert made.card.sha256 == convert(golden / "2stems", tmp_path / "out").card.sha256
    assert archives["2stems"].sha256 in made.card.source
    assert made.card.licence.startswith("MIT")
    assert [p.name for p in store.iterdir()] == ["2stems"]
    assert seen[-1] == (len(body), len(body))
    assert [n for n, _ in seen] == sorted(n for n, _ in seen)
    load_network(made)


def test_what_is_there_is_not_pulled_again_unless_damaged(
    server: Server, store: Path, body: bytes, archives: dict[str, Archive]
) -> None:
    server.offer("/2stems.tar.gz", body, Content_Length="")  # a server that does not tell the size
    seen: list[int | None] = []
    made = pull(
        "2stems", base_url=server.url, archives=archives, progress=lambda _, total: seen.append(total)
    )
    assert set(seen) == {None}
    assert pull("2stems", base_url=server.url, archives=archives) == made
    assert len(server.asked) == 1
    made.weights.write_bytes(b"")
    assert pull("2stems", base_url=server.url, archives=archives) == made
    assert len(server.asked) == 2
    load_network(made)
    assert [p.name for p in store.iterdir()] == ["2stems"]


@pytest.mark.parametrize(("first", "second"), [("2stems", "2stems-16kHz"), ("2stems-16kHz", "2stems")])
def test_the_same_weights_are_not_downloaded_twice(
    server: Server, body: bytes, archives: dict[str, Archive], first: str, second: str
) -> None:
    server.offer("/2stems.tar.gz", body)
    one = pull(first, base_url=server.url, archives=archives)
    other = pull(second, base_url=server.url, archives=archives)
    assert len(server.asked) == 1
    assert one.card.sha256 == other.card.sha256
    assert {first: one.card.n_bins, second: other.card.n_bins} == {"2stems": 1024, "2stems-16kHz": 1536}
    one.weights.unlink()
    load_network(other)  # it stands by itself


def test_an_archive_fetched_by_hand(
    server: Server, store: Path, body: bytes, archives: dict[str, Archive], tmp_path: Path
) -> None:
    file = tmp_path / "downloads.tgz"
    file.write_bytes(body)
    made = pull("2stems", from_file=file, base_url=server.url, archives=archives)
    assert made == find("2stems")
    assert pull("2stems", from_file=file, base_url=server.url, archives=archives) == made
    assert server.asked == []
    assert file.read_bytes() == body
    file.write_bytes(body[:-1])
    with pytest.raises(DownloadError, match=r"downloads\.tgz is not the published archive.*models convert"):
        pull("2stems-16kHz", from_file=file, archives=archives)
    with pytest.raises(UsageError, match=r"nowhere cannot be read.*Give 2stems\.tar\.gz"):
        pull("2stems", from_file=tmp_path / "nowhere", archives=archives)
    assert [p.name for p in store.iterdir()] == ["2stems"]


def test_downloads_that_fail_say_what_to_do_and_leave_nothing(
    server: Server, store: Path, body: bytes, archives: dict[str, Archive]
) -> None:
    def refused(match: str) -> None:
        with pytest.raises(DownloadError, match=match):
            pull("2stems", base_url=server.url, archives=archives)
        assert nothing_in(store)

    refused(r"answers 404.*by hand and give it with --from 2stems\.tar\.gz")
    server.offer("/2stems.tar.gz", b"down", status=503)
    refused("answers 503")
    server.offer("/2stems.tar.gz", body[:-100], Content_Length=str(len(body)))
    refused(r"did not arrive whole.*--from")
    server.offer("/2stems.tar.gz", body[:-100], Content_Length="")
    refused("is not the published archive: its sha256 is")
    server.offer("/2stems.tar.gz", body[:-1] + bytes([body[-1] ^ 1]))
    refused(r"2stems\.tar\.gz is not the published archive.*Nothing was kept")
    server.offer("/2stems.tar.gz", status=302, Location="/2stems.tar.gz")
    refused("did not arrive whole .*redirects")


def test_offline(store: Path, archives: dict[str, Archive], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadError, match=r"cannot be reached.*--from 2stems\.tar\.gz"):
            pull("2stems", base_url=f"http://127.0.0.1:{taken.getsockname()[1]}", archives=archives)
    with pytest.raises(DownloadError, match="did not arrive"):
        pull("2stems", base_url="nonsense://x", archives=archives)
    assert nothing_in(store)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupted(
    server: Server, store: Path, body: bytes, archives: dict[str, Archive], error: type[BaseException]
) -> None:
    server.offer("/2stems.tar.gz", body)

    def interrupt(received_bytes: int, total_bytes: int | None) -> None:
        raise error

    with pytest.raises(error):
        pull("2stems", base_url=server.url, archives=archives, progress=interrupt)
    assert nothing_in(store)


def test_what_killed_downloads_left_is_cleared_away(
    store: Path, body: bytes, archives: dict[str, Archive], tmp_path: Path
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(body)
    for name, age_s in (("killed", 2 * ABANDONED_S), ("running", 0.0)):
        left = store / f".pull-{name}.part"
        left.mkdir(parents=True)
        (left / "a.part").write_text("half")
        for path in (left / "a.part", left):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age_s))
    old = (store / ".pull-running.part").stat()
    os.utime(store / ".pull-running.part", (old.st_atime, old.st_mtime - 2 * ABANDONED_S))
    pull("2stems", from_file=tmp_path / "a.tar.gz", archives=archives)
    assert {path.name for path in store.iterdir()} == {".pull-running.part", "2stems"}


def test_an_archive_of_path_traversal(server: Server, store: Path, golden: Path, tmp_path: Path) -> None:
    evil = pack(golden / "2stems", "../../evil.index")
    server.offer("/2stems.tar.gz", evil)
    with pytest.raises(DownloadError, match=r"leads out of its folder \('\.\./\.\./evil\.index'\)"):
        pull("2stems", base_url=server.url, archives=table(golden, evil))
    assert nothing_in(store)
    assert not any(tmp_path.rglob("evil*"))


def test_an_archive_of_another_network(server: Server, store: Path, golden: Path) -> None:
    other = pack(golden / "4stems")
    server.offer("/2stems.tar.gz", other)
    with pytest.raises(CheckpointError, match="does not explain"):
        pull("2stems", base_url=server.url, archives=table(golden, other))
    assert nothing_in(store)


def test_a_store_that_cannot_be(
    store: Path, body: bytes, archives: dict[str, Archive], tmp_path: Path
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(body)
    store.write_text("a file")
    with pytest.raises(ModelError, match=r"store .* cannot be written.*RTSEP_MODELS"):
        pull("2stems", from_file=tmp_path / "a.tar.gz", archives=archives)


def test_somebody_elses_folder_is_left_alone(
    server: Server, store: Path, body: bytes, archives: dict[str, Archive]
) -> None:
    server.offer("/2stems.tar.gz", body)
    (store / "2stems").mkdir(parents=True)
    (store / "2stems" / "vocals.wav").write_text("music")
    with pytest.raises(ModelError, match=r"did not write \(vocals\.wav\)"):
        pull("2stems", base_url=server.url, archives=archives)
    assert (store / "2stems" / "vocals.wav").read_text() == "music"
    assert server.asked == []


def test_what_is_not_published() -> None:
    with pytest.raises(UsageError, match="'3stems' is not among the published models: 2stems, 4stems"):
        pull("3stems")
