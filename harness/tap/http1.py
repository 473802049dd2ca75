"""
What a tap sees before a service, as HTTP/1.1 (RFC 9112), by h11: requests, and the answer to each.

Both directions of a connection are read from its first byte, because what an answer is depends on its request. Where a
chunk ends has no meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import h11

from harness.errors import EvidenceError
from harness.tap.record import Chunk, What

_MOST_BODY = 1 << 20
"""Bytes of a request's body that are kept."""
_ENDED = (h11.MUST_CLOSE, h11.CLOSED, h11.SWITCHED_PROTOCOL)
_SWITCHES, _FINAL = 101, 200
"""HTTP statuses: after the first one a connection speaks another protocol; from the second on, an answer is final."""


@dataclass
class Exchange:
    """
    One request, and the `status` of its answer; None if none came. Times are those at which the last byte of the
    request, and of the head of its answer, passed the tap (nanoseconds since the epoch).
    """

    method: str
    target: str
    headers: dict[str, str]
    called_ns: int
    body: bytearray = field(default_factory=bytearray)
    status: int | None = None
    answered_ns: int | None = None


def _is_last(status: int) -> bool:
    """
    Return whether no other answer follows one with this status.
    """
    return status >= _FINAL or status == _SWITCHES


Wanted = Callable[[Exchange], bool]
"""Whether an exchange is kept. It is asked once the method, the target and the headers of the request are known."""


class _Connection:
    """
    One connection. Each side's bytes are read by a half of its own. A half is told what it must know of the other side,
    in messages that say no more than that: which method is answered, and that the answer is over.
    """

    def __init__(self, wanted: Wanted, made: list[Exchange]) -> None:
        self._wanted = wanted
        self._made = made
        self._requests = h11.Connection(h11.SERVER)
        self._answers = h11.Connection(h11.CLIENT)
        self._open: Exchange | None = None
        self._is_over = False

    def take(self, at_ns: int, data: bytes, *, from_app: bool) -> None:
        """
        Read what came at a time. Raises EvidenceError if it is no HTTP/1.1.
        """
        if self._is_over:
            return
        try:
            (self._requests if from_app else self._answers).receive_data(data)
            while not self._is_over and (self._ask(at_ns) or self._answer(at_ns)):
                self._next()
        except h11.ProtocolError as error:
            raise EvidenceError(f"it is no HTTP/1.1 at {at_ns}: {error}") from error

    def _ask(self, at_ns: int) -> bool:
        """
        Read the next part of a request. Return whether there was one.
        """
        event = self._requests.next_event()
        if isinstance(event, h11.Request):
            if not event.http_version.startswith(b"1."):
                raise EvidenceError(f"it is no HTTP/1.1 at {at_ns}: it is of the version {event.http_version.decode()}")
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            self._open = Exchange(event.method.decode(), event.target.decode("latin-1"), headers, at_ns)
            if self._wanted(self._open):
                self._made.append(self._open)
            upgrade = [("Connection", "upgrade"), ("Upgrade", headers["upgrade"])] if "upgrade" in headers else []
            self._answers.send(h11.Request(method=event.method, target="/", headers=[("Host", "it"), *upgrade]))
            self._answers.send(h11.EndOfMessage())
        elif isinstance(event, h11.Data) and self._open is not None:
            self._open.body += event.data[: _MOST_BODY - len(self._open.body)]
        elif not isinstance(event, h11.EndOfMessage):
            return False
        if self._open is not None:
            self._open.called_ns = at_ns
        return True

    def _answer(self, at_ns: int) -> bool:
        """
        Read the next part of an answer. Return whether there was one.
        """
        event = self._answers.next_event()
        if isinstance(event, h11.Response | h11.InformationalResponse) and _is_last(event.status_code):
            if self._open is not None:
                self._open.status, self._open.answered_ns = event.status_code, at_ns
        elif isinstance(event, h11.EndOfMessage):
            self._requests.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            self._requests.send(h11.EndOfMessage())
        return isinstance(event, h11.InformationalResponse | h11.Response | h11.Data | h11.EndOfMessage)

    def _next(self) -> None:
        """
        Go on to the next request, if both sides are done with this one; or end, if there can be none.
        """
        halves = (self._requests, self._answers)
        states = [state for half in halves for state in (half.our_state, half.their_state)]
        for half in halves:
            if half.our_state is half.their_state is h11.DONE:
                half.start_next_cycle()
        answered = self._open is None or self._open.status is not None
        self._is_over = answered and any(state in _ENDED for state in states)


class Reader:
    """
    Reads one record, some chunks at a time. `made` gets each exchange that is `wanted`.
    """

    def __init__(self, wanted: Wanted, made: list[Exchange]) -> None:
        self._wanted = wanted
        self._made = made
        self._connections: dict[int, _Connection] = {}

    def read(self, chunks: Iterable[Chunk]) -> None:
        """
        Read the next chunks. Raises EvidenceError if a connection is no HTTP/1.1.
        """
        for chunk in chunks:
            if chunk.what == What.CLOSED:
                self._connections.pop(chunk.connection, None)
            elif chunk.data:
                connection = self._connections.get(chunk.connection) or self._connections.setdefault(
                    chunk.connection, _Connection(self._wanted, self._made)
                )
                try:
                    connection.take(chunk.at_ns, chunk.data, from_app=chunk.what == What.FROM_APP)
                except EvidenceError as error:
                    raise EvidenceError(f"connection {chunk.connection}: {error}") from error
