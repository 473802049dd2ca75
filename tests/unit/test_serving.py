"""The server of a folder of runs, asked over HTTP as a browser and as a stranger would."""

import http.client
import threading

import pytest

from harness.errors import UsageError
from harness.rundir import RunDir
from harness.serving import Server
from tests.builders import shop

NAME = "20261129T100000Z-demo-1"


@pytest.fixture(name="server")
def _server(tmp_path):
    folder = RunDir(tmp_path / "runs" / NAME)
    folder.path.mkdir(parents=True)
    folder.save_plan(shop.plan())
    folder.save_verdict(shop.verdict())
    (folder.path / "report.html").write_text("<title>a report</title>")
    (folder.path / "junit.xml").write_text("<x xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></x>")
    (folder.path / "secret.txt").write_text("secret")
    (tmp_path / "outside.json").write_text("secret")
    (folder.path / "summary.md").symlink_to(tmp_path / "outside.json")
    with Server(tmp_path / "runs") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server, path="/", method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read().decode()
    finally:
        connection.close()


def test_the_index_and_what_a_run_left_are_served(server):
    status, headers, text = ask(server)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f'href="/{NAME}/report.html"' in text
    assert ask(server, f"/{NAME}/report.html")[2] == "<title>a report</title>"
    assert ask(server, f"/{NAME}/verdict.json")[1]["Content-Type"] == "application/json"


def test_what_came_from_outside_is_shown_and_not_interpreted(server):
    assert ask(server, f"/{NAME}/junit.xml")[1]["Content-Type"] == "text/plain; charset=utf-8"
    report = ask(server, f"/{NAME}/report.html")[1]["Content-Security-Policy"]
    assert report == "sandbox allow-scripts; frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["/", f"/{NAME}/report.html", "/nothing", "/?scenario=demo"])
def test_every_answer_keeps_other_sites_out(server, path):
    _, headers, _ = ask(server, path)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Content-Security-Policy" in headers
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Server"].strip() == "harness"


@pytest.mark.parametrize(
    "path",
    [
        "*",
        "/nothing",
        "/..",
        "/../outside.json",
        "/%2e%2e/outside.json",
        f"/{NAME}/../../outside.json",
        f"/{NAME}/..%2f..%2foutside.json",
        f"/{NAME}/secret.txt",
        f"/{NAME}/summary.md",
        f"/{NAME}/",
        f"/{NAME}",
        f"/{NAME}/plan.json%00",
        f"/{NAME}%00/plan.json",
        "/%ff%fe/plan.json",
        "//etc/passwd",
        "/" + "a/" * 2000 + "plan.json",
    ],
)
def test_nothing_else_is_served(server, path):
    status, _, text = ask(server, path)
    assert status in (404, 414)
    assert "secret" not in text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "0.0.0.0:{port}"]
)
def test_a_name_that_is_not_ours_is_refused(server, host):
    """DNS rebinding: the browser of a user asks us in the name of another site."""
    status, _, text = ask(server, Host=host.format(port=server.server_port))
    assert (status, NAME in text) == (421, False)


def test_localhost_is_ours(server):
    assert ask(server, Host=f"LOCALHOST:{server.server_port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_nothing_can_be_done_but_to_get(server, method):
    status, headers, text = ask(server, method=method)
    assert (status, headers["Allow"], text) == (405, "GET", "")


def test_a_new_run_appears(server, tmp_path):
    RunDir(tmp_path / "runs/20261130T000000Z-demo-2").path.mkdir()
    RunDir(tmp_path / "runs/20261130T000000Z-demo-2").save_plan(shop.plan())
    assert "20261130T000000Z-demo-2" in ask(server)[2]


def test_it_listens_on_loopback_alone(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_folder_or_a_port_that_cannot_be_had_is_told(server, tmp_path):
    with pytest.raises(UsageError, match="nowhere is not a folder"):
        Server(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=rf"port {server.server_port} of 127.0.0.1 cannot be had"):
        Server(tmp_path, server.server_port)
