"""The end of a connection comes late: how that is probed, and what proves the fault."""

import socket
import threading
import time
from contextlib import suppress

import pytest

from harness.backends import ports, probe
from harness.backends.endpoints import Address
from harness.faults.base import NotFeltError
from harness.faults.slow_links import SlowClose

LINK = "client->app-0"


class System:
    """A link that delays the ends of its connections by what its toxics say, in memory."""

    def __init__(self, *, felt=True, ends_within=0.001):
        self.toxics = {}
        self.felt = felt
        self.ends_within = ends_within

    def users(self, link):
        return 1

    def probe(self, link, timeout):
        raise AssertionError("no exchange shows a slow close")

    def add_toxic(self, link, toxic):
        self.toxics[toxic.name] = toxic

    def remove_toxic(self, link, name):
        self.toxics.pop(name, None)

    def probe_end(self, link, timeout):
        slow = sum(toxic.attributes["delay"] for toxic in self.toxics.values()) / 1000 if self.felt else 0
        return self.ends_within + slow


def test_a_slow_close_is_proved_by_an_end_that_is_late():
    system = System()
    fault = SlowClose(delay=0.5)

    proof = fault.apply_and_prove(system, LINK)
    (toxic,) = system.toxics.values()
    fault.heal(system, LINK)

    assert proof == {"connections": 1, "probe_before_ms": 1.0, "probe_during": 501.0}
    assert (toxic.type, toxic.attributes, toxic.stream) == ("slow_close", {"delay": 500}, "downstream")
    assert system.toxics == {}


@pytest.mark.parametrize("system", [System(felt=False), System(felt=False, ends_within=0.6)])
def test_an_end_that_is_not_late_or_was_as_late_before_is_not_felt(system):
    with pytest.raises(NotFeltError, match="no probe of client->app-0 showed the slow_close toxic"):
        SlowClose(delay=0.5).apply_and_prove(system, LINK)


def serve(after):
    """A server that talks first, and does with one connection what `after` says."""
    listener = socket.create_server((ports.HOST, 0))

    def once():
        with suppress(OSError), listener, listener.accept()[0] as connection:  # whoever asks may have had enough
            connection.sendall(b"what a server says first")
            while connection.recv(100):
                pass
            after(connection)

    threading.Thread(target=once, daemon=True).start()
    return Address(host=ports.HOST, port=listener.getsockname()[1])


def test_the_end_of_a_connection_is_timed():
    assert 0.1 <= probe.end(serve(lambda _: time.sleep(0.1)), 5) < 5


def test_a_reset_is_an_end_too():
    def reset(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    assert probe.end(serve(reset), 5) < 5


def test_an_end_that_does_not_come_in_time_is_told():
    waiting = threading.Event()
    with pytest.raises(TimeoutError):
        probe.end(serve(lambda _: waiting.wait(5)), 0.1)
    waiting.set()


def test_a_server_that_goes_on_talking_does_not_make_the_end_wait_for_ever():
    def talk(connection):
        for _ in range(20):
            connection.sendall(b".")
            time.sleep(0.05)

    with pytest.raises(TimeoutError):
        probe.end(serve(talk), 0.2)
