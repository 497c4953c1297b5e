"""The report served to this machine: every frame, fetched when it is looked at.

Only a browser that knows the address can read anything: it listens on 127.0.0.1, every path begins
with a random token, and requests whose Host is another name are refused, so that no page of another
site can reach it. What is served is the page, and sequences and frames by number: no path of a file
ever comes from a request.
"""

from __future__ import annotations

import json
import secrets
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from vosbench.errors import UsageError, VosbenchError
from vosbench.report.content import Material, sequence_page
from vosbench.report.page import Beside, stream

_HTML, _JSON = "text/html; charset=utf-8", "application/json"
_PIXELS = {"picture": "image/webp", "maps": "application/octet-stream"}


class ReportServer(ThreadingHTTPServer):
    """Serves one report until it is shut down; `serve_forever` runs it.

    Args:
        material: remote.
        beside: published numbers and remarks.
        port: 0 for a free one.

    Raises:
        UsageError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, material: Material, beside: Beside, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(24)
        self._material = material
        self._beside = beside
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise UsageError(
                f"--port {port}: {error.strerror}", "Leave it out to take a free one."
            ) from None

    @property
    def address(self) -> str:
        """Where a browser finds the report."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    @cached_property
    def hosts(self) -> frozenset[str]:
        """Host names that a request may use for this server."""
        return frozenset(f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost"))

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Media type and content of `path` (token included), None where there is nothing."""
        _, token, *parts = path.partition("?")[0].split("/")
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        match parts:
            case [""]:
                return _HTML, self._page
            case ["sequence", number] if (place := _number(number)) is not None:
                return self._sequence(place)
            case [kind, number, frame] if kind in _PIXELS:
                return self._pixels(kind, _number(number), _number(frame))
        return None

    @cached_property
    def _page(self) -> bytes:
        return "".join(stream(self._material, self._beside)).encode()

    def _sequence(self, number: int) -> tuple[str, bytes] | None:
        names = self._material.sequences
        if number >= len(names):
            return None
        page = sequence_page(self._material, names[number])
        return _JSON, json.dumps(page, allow_nan=False).encode()

    def _pixels(self, kind: str, number: int | None, frame: int | None) -> tuple[str, bytes] | None:
        names = self._material.sequences
        if number is None or frame is None or number >= len(names):
            return None
        clip = self._material.clips.get(names[number])
        if clip is None or frame not in clip.shown:
            return None
        return _PIXELS[kind], clip.picture(frame) if kind == "picture" else clip.maps(frame)


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            self._send(HTTPStatus.FORBIDDEN, "text/plain", b"not for this host\n")
            return
        try:
            found = self.server.answer(self.path)
        except VosbenchError as error:
            self._send(HTTPStatus.CONFLICT, "text/plain; charset=utf-8", str(error).encode())
            return
        if found is None:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"there is nothing here\n")
        else:
            self._send(HTTPStatus.OK, *found)

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Do not log requests."""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else None
