"""Release archives: only what its SHA-256 says is ever unpacked, and nothing in it decides where."""

import asyncio
import gzip
import hashlib
import io
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.errors import ProvisionError
from harness.runtime import archive, cache
from harness.runtime.parts import Archive, parts
from harness.runtime.provision import provision
from harness.runtime.versions import DAPR, TOXIPROXY

DAPRD = parts(DAPR)[0]
PROGRAM = b"\x7fELF the program" * 1000


def packed(**members):
    """The same bytes each time, without the time in gzip's header: two processes must collect the same tests."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return gzip.compress(file.getvalue(), mtime=0)


GOOD = packed(LICENSE=b"text", daprd=PROGRAM)
SUM = hashlib.sha256(GOOD).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files`; the first `torn` answers break off in the middle."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.torn = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def archive(self, sha256=None):
        return Archive(f"{self.url}/daprd.tar.gz", f"{self.url}/sums", sha256)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        content = self.server.files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.server.torn:
            self.server.torn -= 1
            content = content[: len(content) // 2]
        self.wfile.write(content or b"")

    def log_message(self, *_):
        pass


@pytest.fixture(name="server")
def _server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetch(source, into):
    async def inside():
        async with archive.client() as client:
            return await archive.fetch(client, replace(DAPRD, archive=source), source, into, lambda _: None)

    return asyncio.run(inside())


def test_an_archive_with_the_pinned_sum_gives_the_program_and_nothing_else(server, tmp_path):
    server.files["/daprd.tar.gz"] = GOOD

    checked = fetch(server.archive(SUM), tmp_path)

    assert checked == f"archive has the pinned SHA-256 {SUM}"
    assert [file.name for file in tmp_path.iterdir()] == ["daprd"]
    assert (tmp_path / "daprd").read_bytes() == PROGRAM
    assert (tmp_path / "daprd").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "sums",
    [
        f"{SUM} *daprd.tar.gz\n",
        f"{'0' * 64}  placement.tar.gz\n{SUM}  daprd.tar.gz\n{'1' * 64}  xdaprd.tar.gz\n",
    ],
)
def test_without_a_pin_the_published_sum_decides_and_that_is_said(server, tmp_path, sums):
    server.files |= {"/daprd.tar.gz": GOOD, "/sums": sums.encode()}

    assert fetch(server.archive(), tmp_path) == (
        f"archive has SHA-256 {SUM} as {server.url}/sums says (published beside it, not pinned here)"
    )


@pytest.mark.parametrize(
    ("files", "sha256", "complaint"),
    [
        ({"/daprd.tar.gz": GOOD}, "0" * 64, f"has SHA-256 {SUM}, wanted is {'0' * 64}: not used"),
        ({"/daprd.tar.gz": GOOD, "/sums": b"0" * 64 + b"  daprd.tar.gz"}, None, f"has SHA-256 {SUM}, wanted is 000"),
        ({"/daprd.tar.gz": GOOD, "/sums": b"<html>"}, None, "/sums lists no SHA-256 of daprd.tar.gz"),
        ({"/daprd.tar.gz": GOOD}, None, "/sums answered 404"),
        ({}, SUM, "/daprd.tar.gz answered 404"),
    ],
)
def test_what_cannot_be_verified_is_not_used(server, tmp_path, files, sha256, complaint):
    server.files |= files

    with pytest.raises(ProvisionError) as error:
        fetch(server.archive(sha256), tmp_path)

    assert complaint in str(error.value)
    assert not (tmp_path / "daprd").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (packed(other=PROGRAM), "cannot be unpacked: \"filename 'daprd' not found\""),
        (packed(daprd=None), "daprd in it is no file"),
        (b"no archive", "cannot be unpacked"),
    ],
)
def test_an_archive_that_is_not_what_it_should_be_is_a_clear_error(server, tmp_path, content, complaint):
    server.files["/daprd.tar.gz"] = content

    with pytest.raises(ProvisionError) as error:
        fetch(server.archive(hashlib.sha256(content).hexdigest()), tmp_path)

    assert complaint in str(error.value)


def test_a_transfer_that_breaks_off_is_tried_again(server, tmp_path):
    server.files["/daprd.tar.gz"] = GOOD
    server.torn = 2

    assert fetch(server.archive(SUM), tmp_path)


def test_a_machine_with_the_network_and_without_go_gets_everything(server, tmp_path, monkeypatch):
    says = {
        "daprd": DAPR,
        "placement": f"-- version {DAPR} --",
        "scheduler": f"-- version {DAPR} --",
        "toxiproxy-server": f"version {TOXIPROXY}",
    }
    for name, answer in says.items():
        content = packed(**{name: f"#!/bin/sh\necho '{answer}'\n".encode()})
        server.files[f"/{name}.tar.gz"] = content
        server.files[f"/{name}.tar.gz.sha256"] = f"{hashlib.sha256(content).hexdigest()} *{name}.tar.gz\n".encode()

    def released_here(url, _):
        url = f"{server.url}/{next(name for name in says if name.partition('-')[0] in url.rpartition('/')[2])}.tar.gz"
        return Archive(url, f"{url}.sha256", None)

    monkeypatch.setattr("harness.runtime.parts._archive", released_here)
    monkeypatch.setattr("harness.runtime.golang._INSTALLED", "/nowhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for part in parts(DAPR):
        monkeypatch.delenv(part.variable, raising=False)

    got = provision(dapr_version=DAPR, progress=lambda _: None)

    assert {name: got[name].path.parent.parent for name in says} == dict.fromkeys(says, cache.root())
    assert got["daprd"].where.startswith(f"our cache: official archive {server.url}/daprd.tar.gz; archive has SHA-256 ")


def test_a_server_that_is_not_there_is_an_error_that_names_the_address(tmp_path):
    with pytest.raises(ProvisionError, match=r"^http://127\.0\.0\.1:1/daprd\.tar\.gz: "):
        fetch(Archive("http://127.0.0.1:1/daprd.tar.gz", "", SUM), tmp_path)
