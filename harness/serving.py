"""
A folder of runs on loopback, for a browser: an index, and the files that runs leave. Nothing can be changed.

Other web sites that are open in the same browser must learn nothing. A request must name this server as its host, which
defeats DNS rebinding. No other site may embed what is sent, and a report runs in an origin of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from harness_reports import index
from harness_reports.shelf import FILES, PAGES, Library, opened

from harness.errors import UsageError

LOOPBACK = "127.0.0.1"

TYPES: Mapping[str, str] = {".html": "text/html; charset=utf-8", ".json": "application/json"}
TEXT = "text/plain; charset=utf-8"
"""For everything else, XML too: what came from outside is shown and never interpreted."""

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SANDBOX = "sandbox allow-scripts; frame-ancestors 'none'"
_INDEX = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_PATIENCE = 10
"""Seconds. A client that says nothing for so long is left."""


class Server(ThreadingHTTPServer):
    """
    The server of one folder, on loopback. Raises UsageError if there is no such folder, or if the port is taken. Port 0
    is any port that is free.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder")
        self.library = Library(folder.resolve())
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(f"port {port} of {LOOPBACK} cannot be had: {error}") from error

    @property
    def address(self) -> str:
        """
        Where the index is.
        """
        return f"http://{LOOPBACK}:{self.server_port}/"

    @property
    def hosts(self) -> frozenset[str]:
        """
        The hosts by which this server is called.
        """
        return frozenset(f"{host}:{self.server_port}" for host in (LOOPBACK, "localhost"))

    def server_bind(self) -> None:
        """
        Take the port. Not as the base class does: it asks the name service who we are.
        """
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.socket.getsockname()[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        Say nothing if a client went away; anything else is a defect of ours, and told.
        """
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """
    One request.
    """

    server: Server
    timeout = _PATIENCE
    server_version = "harness"
    sys_version = ""
    protocol_version = "HTTP/1.0"
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = TEXT
    _policy = "default-src 'none'; frame-ancestors 'none'"

    def do_GET(self) -> None:
        """
        Answer with the index, or with a file that a run left.
        """
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "this is not the host that was asked for")
            return
        path, _, query = self.path.partition("?")
        if path == "/":
            wanted = dict(parse_qsl(query))
            text = index.html(self.server.library.read(), self.server.library.root.name, wanted)
            self._send(text.encode("utf-8", "replace"), TYPES[".html"], _INDEX)
            return
        parts = [os.fsdecode(unquote_to_bytes(part)) for part in path.split("/")[1:]]
        name = parts[-1] if parts else ""  # `*` is a path without a part
        if name not in (*FILES, *PAGES) or (file := opened(self.server.library.root, parts)) is None:
            self.send_error(HTTPStatus.NOT_FOUND, "there is no such file of a run")
            return
        with file:
            self._send(file.read(), TYPES.get(Path(name).suffix, TEXT), SANDBOX)

    def _refused(self) -> None:
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED)
        self.send_header("Allow", "GET")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refused  # noqa: N815 - so the base class asks

    def _send(self, body: bytes, kind: str, policy: str) -> None:
        self._policy = policy
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        """
        Add the headers that every answer has.
        """
        self.send_header("Content-Security-Policy", self._policy)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """
        Say nothing: requests have texts from outside in them.
        """
