"""
Where a run takes what the system announces to it: an HTTP server on an address of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from pydantic import ValidationError

from harness.backends.endpoints import Address

log = structlog.get_logger(__name__)

_MOST_BYTES = 1 << 23

Take = Callable[[bytes], None]
"""Takes the body of an announcement, and returns when whoever sent it may go on. Raises ValidationError."""


class Receiver:
    """
    Passes each announcement on to the function of its `routes`. A sender that is silent for `patience` seconds is given
    up. Close it after use.
    """

    def __init__(self, at: Address, routes: Mapping[str, Take], patience: float) -> None:
        self._server = _Server((at.host, at.port), _handler(routes, patience))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """
        Receive nothing more.
        """
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # all threads of all replicas may connect at once; one that waits is a second late


def _handler(routes: Mapping[str, Take], patience: float) -> type[BaseHTTPRequestHandler]:
    """
    Return the handler that answers announcements: 204 when the execution may continue, 400 if the announcement is not
    valid, 404 if there is no such route.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = patience

        def do_POST(self) -> None:
            """
            Receive one announcement.
            """
            size = int(self.headers.get("Content-Length") or 0)
            self.close_connection = self.close_connection or size > _MOST_BYTES
            body = self.rfile.read(min(size, _MOST_BYTES))
            take = routes.get(self.path)
            if take is None:
                self._answer(HTTPStatus.NOT_FOUND, "no such route")
                return
            try:
                take(body)
            except ValidationError as error:
                log.warning("an announcement was not understood", error=str(error))
                self._answer(HTTPStatus.BAD_REQUEST, str(error))
            else:
                self._answer(HTTPStatus.NO_CONTENT)

        def _answer(self, status: HTTPStatus, text: str = "") -> None:
            body = text.encode()
            try:
                self.send_response(status)
                if status is not HTTPStatus.NO_CONTENT:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # the process that made the announcement may have been killed

        def log_message(self, *_: object) -> None:
            """
            Write nothing to standard error.
            """

    return Handler
