"""Toxiproxy's control API: what is asked, what is refused, and a Toxiproxy that does not answer."""

import http.server
import json
import socket
import threading
import time

import pytest

from harness.backends import proxies
from harness.backends.base import Toxic
from harness.backends.endpoints import Address
from harness.backends.proxies import Listening, Proxies
from harness.errors import NodeError

LATENCY = Toxic(name="slow", type="latency", attributes={"latency": 300}, toxicity=0.5)


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(200, {"app-0->sidecar-0": {"listen": "127.0.0.1:2001", "upstream": "127.0.0.1:3500"}})

    def do_POST(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append((self.path, said))
        self._answer(*self.server.answer)

    def do_DELETE(self):
        self.server.heard.append((self.path, None))
        self._answer(*self.server.answer)

    def _answer(self, status, body):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture(name="api")
def _api():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        server.heard, server.answer = [], (200, {})
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(name="asked")
def _asked(api):
    return Proxies(Address(host="127.0.0.1", port=api.server_port))


def test_proxies_are_created_switched_and_read(api, asked):
    asked.create("app-0->redis", Address(host="127.0.0.1", port=2002), "127.0.0.1:6379")
    asked.redirect("app-0->redis", "127.0.0.1:6380")
    asked.switch("app-0->redis", on=False)
    asked.add_toxic("app-0->redis", LATENCY)

    assert asked.every() == {"app-0->sidecar-0": Listening(2001, "127.0.0.1:3500")}
    assert api.heard == [
        ("/proxies", {"name": "app-0->redis", "listen": "127.0.0.1:2002", "upstream": "127.0.0.1:6379"}),
        ("/proxies/app-0-%3Eredis", {"upstream": "127.0.0.1:6380"}),
        ("/proxies/app-0-%3Eredis", {"enabled": False}),
        (
            "/proxies/app-0-%3Eredis/toxics",
            {
                "name": "slow",
                "type": "latency",
                "stream": "downstream",
                "toxicity": 0.5,
                "attributes": LATENCY.attributes,
            },
        ),
    ]


def test_a_toxic_that_is_not_there_is_removed_already(api, asked):
    api.answer = (404, {"error": "toxic not found"})
    asked.remove_toxic("app-0->redis", "slow")

    api.answer = (204, None)
    asked.remove_toxic("app-0->redis", "slow")

    assert api.heard == [("/proxies/app-0-%3Eredis/toxics/slow", None)] * 2


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_what_toxiproxy_refuses_is_an_error_of_the_node(api, asked, status):
    api.answer = (status, {"error": "no"})

    with pytest.raises(NodeError, match="toxiproxy at 127"):
        asked.add_toxic("app-0->redis", LATENCY)


@pytest.mark.parametrize(
    "call",
    [
        lambda asked: asked.every(),
        lambda asked: asked.create("a", Address(host="127.0.0.1", port=1), "b:1"),
        lambda asked: asked.switch("a", on=True),
        lambda asked: asked.add_toxic("a", LATENCY),
        lambda asked: asked.remove_toxic("a", "slow"),
    ],
)
def test_a_toxiproxy_that_hangs_is_asked_for_a_limited_time(monkeypatch, call):
    monkeypatch.setattr(proxies, "LIMIT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = Proxies(Address(host="127.0.0.1", port=silent.getsockname()[1]))
        began = time.monotonic()

        with pytest.raises(NodeError, match=r"did not do .* within 0\.1 s"):
            call(asked)

    assert time.monotonic() - began < 5
