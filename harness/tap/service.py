"""
`python -m harness.tap.service LISTEN SERVICE NODE HARNESS COMMAND...`: start a service, and in front of it a tap that
holds the answers to the application's calls, each until the harness (at the URL HARNESS) has answered.

It copies bytes. To know what was asked and when that is answered, it reads the same bytes as HTTP/1.1. What it cannot
read so, it does not hold. It stands before the tap that records, so an answer that is held is on record already.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

from harness.errors import EvidenceError
from harness.tap import http1
from harness.tap.answers import Announcer, Answer
from harness.tap.beside import address, beside, listener
from harness.tap.http1 import Exchange
from harness.tap.record import Chunk, What
from harness.tap.tee import RESET

_BUFFER = 1 << 16


class Conversation:
    """
    What is said on one connection.
    """

    def __init__(self) -> None:
        self._made: list[Exchange] = []
        self._reader: http1.Reader | None = http1.Reader(lambda _: True, self._made)

    def take(self, who: What, data: bytes) -> Iterable[Exchange]:
        """
        Read what one side says now. Return the calls that are answered with that.
        """
        if self._reader is None:
            return ()
        try:
            self._reader.read((Chunk(time.time_ns(), 1, who, data),))
        except EvidenceError:
            self._reader = None
        answered = [call for call in self._made if call.answered_ns is not None]
        self._made[:] = [call for call in self._made if call.answered_ns is None]
        return answered


class Service:
    """
    The connections to one service, `node`, which listens at `at`.
    """

    def __init__(self, node: str, at: tuple[str, int], announcer: Announcer) -> None:
        self._node = node
        self._at = at
        self._announcer = announcer

    async def connected(self, from_app: asyncio.StreamReader, to_app: asyncio.StreamWriter) -> None:
        """
        Pass on what both sides of a new connection say, until both have ended. A reset of one is passed on, too.
        """
        writers = [to_app]
        try:
            from_service, to_service = await asyncio.open_connection(*self._at)
            writers.append(to_service)
            said = Conversation()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(from_app, to_service, said, What.FROM_APP))
                both.create_task(self._pass_on(from_service, to_app, said, What.FROM_SIDECAR))
        except* OSError:
            for writer in writers:
                _reset(writer)
        finally:
            for writer in writers:
                writer.close()

    async def _pass_on(
        self, source: asyncio.StreamReader, dest: asyncio.StreamWriter, said: Conversation, who: What
    ) -> None:
        while data := await source.read(_BUFFER):
            for call in said.take(who, data):
                await self._announcer.answered(_answer(self._node, call))
            dest.write(data)
            await dest.drain()
        if dest.can_write_eof():
            dest.write_eof()


def _answer(node: str, call: Exchange) -> Answer:
    return Answer(
        node=node,
        at_ns=call.answered_ns or call.called_ns,
        method=call.method,
        body=bytes(call.body),
        target=call.target,
        headers=call.headers,
        status=call.status,
    )


def _reset(writer: asyncio.StreamWriter) -> None:
    """
    Close a connection by a reset.
    """
    with suppress(OSError):
        to: socket.socket = writer.get_extra_info("socket")
        to.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


async def _serve(listens: socket.socket, service: tuple[str, int], node: str, harness: str, pid: int) -> None:
    before = Service(node, service, Announcer(harness))
    server = await asyncio.start_server(before.connected, sock=listens)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(os.pidfd_open(pid), ended.set)
    async with server:
        await ended.wait()


def main(listen: str, service: str, node: str, harness: str, *command: str) -> None:
    """
    Begin to listen at `listen` (host:port), pass on to `service`, and become `command`. Raises OSError if the address
    is taken or there is no such command.
    """
    listens = listener(listen)
    beside(command, lambda pid: asyncio.run(_serve(listens, address(service), node, harness, pid)))


if __name__ == "__main__":
    main(*sys.argv[1:])
