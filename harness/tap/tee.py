"""
The tee: copies bytes between an application and its sidecar, and appends a copy of them to a record.

One thread, one epoll, no more than one buffer of each direction in memory. Nothing is decoded here. Reading from one
side stops while the other side does not take what was read, so both feel each other's back pressure. The end of one
direction and a reset are passed on as they are.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from dataclasses import dataclass, field

from harness.tap.record import Record, What

_BUFFER = 1 << 18
_LINGER = 0.5
"""Seconds after the sidecar's end in which what it had sent is still passed on."""
RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER: close() sends a reset (socket(7))."""


@dataclass(eq=False)
class _Side:
    """
    One end of a connection. `pending` was read from the other end and is still to be sent here. `over`: this end sends
    nothing more.
    """

    socket: socket.socket
    connection: int
    what: What
    other: _Side = field(init=False)
    pending: bytes = b""
    over: bool = False
    connecting: bool = False
    watched: int = 0

    @property
    def events(self) -> int:
        """
        What to wait for.
        """
        wants = select.EPOLLOUT if self.pending or self.connecting else 0
        reads = not (self.over or self.connecting or self.other.connecting or self.other.pending)
        return wants | (select.EPOLLIN if reads else 0)


class Tee:
    """
    Passes each connection to `listener` on to the address `sidecar`, for as long as the process `pid` lives.
    """

    def __init__(self, listener: socket.socket, sidecar: tuple[str, int], recording: Record, pid: int) -> None:
        self._listener = listener
        self._sidecar = sidecar
        self._record = recording
        self._epoll = select.epoll()
        self._sides: dict[int, _Side] = {}
        self._connections = 0
        self._buffer = memoryview(bytearray(_BUFFER))
        self._process = os.pidfd_open(pid)
        listener.setblocking(False)
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        self._epoll.register(self._process, select.EPOLLIN)

    def run(self) -> None:
        """
        Return once the process has ended and what it had sent is passed on. Raises OSError if the record cannot be
        written.
        """
        until: float | None = None
        while until is None or (self._sides and time.monotonic() < until):
            for number, event in self._epoll.poll(-1 if until is None else until - time.monotonic()):
                if number == self._listener.fileno():
                    self._accept()
                elif number == self._process:
                    until = time.monotonic() + _LINGER
                    self._epoll.unregister(self._process)
                    self._epoll.unregister(self._listener.fileno())
                    self._listener.close()
                elif (side := self._sides.get(number)) is not None:
                    self._turn(side, event)

    def _turn(self, side: _Side, event: int) -> None:
        try:
            if side.connecting:
                self._connected(side)
            elif event & select.EPOLLOUT and side.pending:
                self._send(side, side.pending)
            elif event & ~select.EPOLLOUT:
                self._read(side)
        except BlockingIOError:
            return
        except OSError as error:
            # shutdown() of an end that was reset is ENOTCONN, which Python has no ConnectionError for.
            if not isinstance(error, ConnectionError) and error.errno != errno.ENOTCONN:
                raise
            self._reset(side)
            return
        if side.over and side.other.over and not side.pending and not side.other.pending:
            self._close(side)
            return
        self._watch(side)
        self._watch(side.other)

    def _accept(self) -> None:
        try:
            accepted, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # the client has gone already
        self._connections += 1
        app = _Side(accepted, self._connections, What.FROM_APP)
        sidecar = _Side(socket.socket(), self._connections, What.FROM_SIDECAR, connecting=True)
        app.other, sidecar.other = sidecar, app
        for side in (app, sidecar):
            side.socket.setblocking(False)
            side.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sides[side.socket.fileno()] = side
            self._epoll.register(side.socket.fileno(), 0)
        self._record.write(time.time_ns(), self._connections, What.OPENED)
        sidecar.socket.connect_ex(self._sidecar)
        self._watch(sidecar)

    def _connected(self, side: _Side) -> None:
        if side.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise ConnectionRefusedError
        side.connecting = False

    def _read(self, side: _Side) -> None:
        size = side.socket.recv_into(self._buffer)
        if size:
            data = self._buffer[:size]
            self._record.write(time.time_ns(), side.connection, side.what, data)
            self._send(side.other, data)
            return
        side.over = True
        if not side.other.pending:
            side.other.socket.shutdown(socket.SHUT_WR)

    def _send(self, side: _Side, data: memoryview | bytes) -> None:
        """
        Send what the socket takes, and keep the rest.
        """
        try:
            sent = side.socket.send(data)
        except BlockingIOError:
            sent = 0
        side.pending = bytes(data[sent:])
        if not side.pending and side.other.over:
            side.socket.shutdown(socket.SHUT_WR)

    def _watch(self, side: _Side) -> None:
        if (events := side.events) != side.watched:
            side.watched = events
            self._epoll.modify(side.socket.fileno(), events)

    def _reset(self, side: _Side) -> None:
        for end in (side, side.other):
            end.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._close(side)

    def _close(self, side: _Side) -> None:
        self._record.write(time.time_ns(), side.connection, What.CLOSED)
        for end in (side, side.other):
            del self._sides[end.socket.fileno()]
            end.socket.close()
