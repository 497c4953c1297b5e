"""Downloads from a server on this machine: resumed, checked, refused."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.datasets import fetch as fetching
from vosbench.datasets import folder
from vosbench.datasets.base import Archive, DatasetSpec
from vosbench.datasets.fetch import download, fetch
from vosbench.datasets.reading import encode_labels
from vosbench.errors import DatasetError

from .conftest import blob


class Server:
    """Serves `data` under any path and behaves as told."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.tag = '"one"'
        self.ranges = True
        self.break_after: list[int] = []  # bytes after which the next connections break
        self.status = 200
        self.served: list[tuple[int, int]] = []  # (status, first byte) of each answer
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/data.zip"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        first, status = 0, self.status
        wanted = request.headers.get("Range")
        if wanted and self.ranges and request.headers.get("If-Range") in (None, self.tag):
            first, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
            if first >= len(self.data):
                status = 416
        self.served.append((status, first))
        request.send_response(status)
        if status == 416:
            request.send_header("Content-Range", f"bytes */{len(self.data)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        body = self.data[first:]
        if status == 206:
            whole = len(self.data)
            request.send_header("Content-Range", f"bytes {first}-{whole - 1}/{whole}")
        request.send_header("ETag", self.tag)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if self.break_after:
            body = body[: self.break_after.pop(0)]
        request.wfile.write(body)
        request.close_connection = True

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def dataset_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("a", "b"):
            for i in range(3):
                jpeg = io.BytesIO()
                noise = np.random.default_rng(i).integers(0, 255, (240, 320, 3), np.uint8)
                Image.fromarray(noise).save(jpeg, "JPEG")
                archive.writestr(f"DATA/JPEGImages/480p/{name}/{i:05d}.jpg", jpeg.getvalue())
                archive.writestr(
                    f"DATA/Annotations/480p/{name}/{i:05d}.png",
                    encode_labels(blob(1, size=(240, 320))),
                )
    return stream.getvalue()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetching.time, "sleep", lambda _: None)
    started = Server(dataset_zip())
    yield started
    started.close()


def spec_for(url: str, *, count: int = 2, sha256: str = "", strip: str = "DATA") -> DatasetSpec:
    def locate(root: Path) -> Path | None:
        return root / "mine" if (root / "mine/JPEGImages").is_dir() else None

    return DatasetSpec(
        name="mine",
        summary="",
        load=folder.load,
        locate=locate,
        protocol="davis2017",
        count=count,
        archives=(Archive(url=url, into="mine", strip=strip, sha256=sha256),),
    )


def silent(what: str, done: int, total: int) -> None:
    pass


def test_fetch(tmp_path: Path, server: Server) -> None:
    seen: list[tuple[str, int, int]] = []
    digest = hashlib.sha256(server.data).hexdigest()
    home = fetch(spec_for(server.url, sha256=digest), tmp_path, lambda *step: seen.append(step))
    assert home == tmp_path / "mine"
    assert len(folder.load(home).sequences) == 2
    assert ("downloading data.zip", len(server.data), len(server.data)) in seen
    assert list((tmp_path / ".downloads").iterdir()) == []


def test_broken_connection_is_resumed(tmp_path: Path, server: Server) -> None:
    server.break_after = [100_000, 70_000]
    fetch(spec_for(server.url), tmp_path, silent)
    first, second, third = server.served
    assert first == (200, 0)
    assert second == (206, 1 << 16)
    assert third == (206, 2 << 16)


def test_interrupted_program_is_resumed(tmp_path: Path, server: Server) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(spec_for(server.url), tmp_path, interrupt)
    fetch(spec_for(server.url), tmp_path, silent)
    assert server.served[1][0] in (206, 416)
    assert len(folder.load(tmp_path / "mine").sequences) == 2


def test_connection_that_keeps_breaking(tmp_path: Path, server: Server) -> None:
    server.break_after = [70_000] * 4
    with pytest.raises(DatasetError, match="broke off") as error:
        fetch(spec_for(server.url), tmp_path, silent)
    assert "same command again to resume" in error.value.hint
    fetch(spec_for(server.url), tmp_path, silent)
    assert server.served[-1] == (206, 4 << 16)


def test_server_without_ranges(tmp_path: Path, server: Server) -> None:
    server.ranges = False
    server.break_after = [100_000]
    fetch(spec_for(server.url), tmp_path, silent)
    assert server.served == [(200, 0), (200, 0)]


def test_file_that_changed_meanwhile(tmp_path: Path, server: Server) -> None:
    server.break_after = [100_000] * 4
    server.ranges = False
    with pytest.raises(DatasetError):
        fetch(spec_for(server.url), tmp_path, silent)
    server.ranges, server.tag = True, '"two"'
    fetch(spec_for(server.url), tmp_path, silent)
    assert server.served[-1] == (200, 0)


def test_wrong_digest(tmp_path: Path, server: Server) -> None:
    with pytest.raises(DatasetError, match="SHA-256"):
        fetch(spec_for(server.url, sha256="0" * 64), tmp_path, silent)
    assert not (tmp_path / "mine").exists()
    assert list((tmp_path / ".downloads").iterdir()) == []


def test_not_found(tmp_path: Path, server: Server) -> None:
    server.status = 404
    with pytest.raises(DatasetError, match="404"):
        fetch(spec_for(server.url), tmp_path, silent)
    assert len(server.served) == 1, "an answer that says no is not asked again"


def test_no_server(tmp_path: Path, server: Server) -> None:
    server.close()
    with pytest.raises(DatasetError, match="broke off"):
        download(Archive(url=server.url, into="x"), tmp_path, silent)


def test_wrong_number_of_sequences(tmp_path: Path, server: Server) -> None:
    with pytest.raises(DatasetError, match="holds 2 sequences of mine, not 3"):
        fetch(spec_for(server.url, count=3), tmp_path, silent)


def test_archive_of_something_else(tmp_path: Path, server: Server) -> None:
    with pytest.raises(DatasetError, match="is no mine"):
        fetch(spec_for(server.url, strip=""), tmp_path, silent)


def test_what_is_there_is_not_overwritten(tmp_path: Path, server: Server) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/precious.txt").write_text("keep")
    with pytest.raises(DatasetError, match="is there already"):
        fetch(spec_for(server.url), tmp_path, silent)
    assert (tmp_path / "mine/precious.txt").read_text() == "keep"
    assert server.served == []


def test_full_disk(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "vosbench.datasets.archives.shutil.disk_usage", lambda _: type("U", (), {"free": 10})
    )
    with pytest.raises(DatasetError, match="free"):
        fetch(spec_for(server.url), tmp_path, silent)


def test_two_fetches_into_one_root_both_succeed(server: Server, tmp_path: Path) -> None:
    spec = spec_for(server.url)
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: fetch(spec, tmp_path, lambda *_: None), range(2)))
    assert folders == [tmp_path / "mine"] * 2
    assert list((tmp_path / ".downloads").iterdir()) == []
