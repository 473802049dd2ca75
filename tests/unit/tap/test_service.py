"""A tap before a service: it holds answers until the harness has answered, and changes no byte."""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time

import psutil
import pytest

from harness.backends import ports
from harness.tap import service
from harness.tap.service import Service

ASKED = b"POST /charges HTTP/1.1\r\nHost: bank\r\nX-Order: a\r\nContent-Length: 2\r\n\r\n{}"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
RESET = struct.pack("ii", 1, 0)


class Harness:
    """Takes announcements down, and answers none before `go`."""

    def __init__(self):
        self.announced = []
        self.go = asyncio.Event()

    async def answered(self, answer):
        self.announced.append(answer)
        await self.go.wait()


@contextlib.asynccontextmanager
async def before(bank, harness):
    """A tap before a service whose connections `bank(reader, writer)` serves; a connection to it."""

    async def served(reader, writer):
        with contextlib.suppress(OSError, EOFError):
            await bank(reader, writer)
        writer.close()

    async def connected(reader, writer):
        await tap.connected(reader, writer)
        over.set()

    over = asyncio.Event()
    async with await asyncio.start_server(served, "127.0.0.1", 0) as behind:
        tap = Service("bank-0", behind.sockets[0].getsockname(), harness)
        async with await asyncio.start_server(connected, "127.0.0.1", 0) as front:
            reader, writer = await asyncio.open_connection(*front.sockets[0].getsockname())
            yield reader, writer
            writer.close()
            await over.wait()
            await asyncio.sleep(0.01)  # what was closed is so in the next turn of the loop


def talk(steps, bank):
    """Run `steps(reader, writer, harness)` against such a service."""

    async def run():
        harness = Harness()
        async with asyncio.timeout(20), before(bank, harness) as (reader, writer):
            await steps(reader, writer, harness)

    asyncio.run(run())


async def answers(reader, writer):
    """A service that answers each request on one connection."""
    while await reader.readexactly(len(ASKED)):
        writer.write(ANSWER)


async def echoes(reader, writer):
    """A service that speaks no HTTP."""
    while data := await reader.read(100):
        writer.write(data)
    writer.write(b"bye")


async def until(condition):
    while not condition():  # noqa: ASYNC110 - of lists, which have no event
        await asyncio.sleep(0.01)


def test_an_answer_waits_and_the_next_on_its_connection_too():
    async def steps(reader, writer, harness):
        for number in (1, 2):
            writer.write(ASKED)
            await until(lambda number=number: len(harness.announced) == number)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)
            harness.go.set()
            assert await reader.readexactly(len(ANSWER)) == ANSWER
            harness.go.clear()
        first = harness.announced[0]
        assert (first.node, first.method, first.target) == ("bank-0", "POST", "/charges")
        assert (first.body, first.status, first.headers["x-order"]) == (b"{}", 200, "a")

    talk(steps, answers)


def test_what_is_no_http_passes_as_it_is_and_so_does_its_end():
    async def steps(reader, writer, harness):
        for said in (b"\x00\xff" * 40, ASKED):
            writer.write(said)
            assert await reader.readexactly(len(said)) == said
        writer.write_eof()
        assert await reader.read() == b"bye"
        assert harness.announced == []

    talk(steps, echoes)


def test_a_reset_is_passed_on():
    async def resets(reader, writer):
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()

    async def steps(reader, writer, _):
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await reader.read(1)

    talk(steps, resets)


def test_an_application_that_dies_while_its_answer_is_held_gets_none_and_the_service_hears_of_it():
    ended = asyncio.Event()

    async def bank(reader, writer):
        await reader.readexactly(len(ASKED))
        writer.write(ANSWER)
        with contextlib.suppress(OSError):
            assert await reader.read(1) == b""
        ended.set()

    async def steps(reader, writer, harness):
        writer.write(ASKED)
        await until(lambda: harness.announced)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
        await ended.wait()

    talk(steps, bank)


def test_where_the_service_is_away_the_connection_is_reset():
    async def steps():
        with ports.lease() as lease:
            tap = Service("bank-0", ("127.0.0.1", lease.take()), Harness())
            async with await asyncio.start_server(tap.connected, "127.0.0.1", 0) as front:
                reader, writer = await asyncio.open_connection(*front.sockets[0].getsockname())
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read(1) == b""
                writer.close()

    asyncio.run(steps())


BANK = f"""
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.sendall({ANSWER!r})
    connection.close()
"""


def test_it_listens_before_its_service_begins_goes_on_where_no_harness_is_and_dies_with_its_service():
    with ports.lease() as lease:
        listen, own, nobody = (lease.take() for _ in range(3))
        tap = (sys.executable, "-P", "-m", service.__name__, f"127.0.0.1:{listen}", f"127.0.0.1:{own}", "bank-0")
        command = (*tap, f"http://127.0.0.1:{nobody}", sys.executable, "-c", BANK, str(own))
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", own), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            (child,) = psutil.Process(process.pid).children()
            with socket.create_connection(("127.0.0.1", listen), 20) as asking:
                asking.sendall(ASKED)
                assert asking.recv(65536) == ANSWER
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(20) == -signal.SIGTERM
            psutil.wait_procs([child], 20)
            assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
