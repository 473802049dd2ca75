"""
What a tap recorded, as gRPC: HTTP/2 frames (RFC 9113) and their headers (RFC 7541), by hyperframe and hpack, then the
messages of each call (gRPC over HTTP/2: one byte of flags, four bytes of length, the message).

Both directions of a connection are read from its first byte, because each header block depends on those before it.
Where a chunk ends has no meaning.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from hpack import Decoder, HPACKError
from hyperframe.exceptions import HyperframeError
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, RstStreamFrame

from harness.errors import EvidenceError
from harness.tap.record import AGENT, Chunk, What

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEADER = 9
_MESSAGE_HEADER = 5
_MOST_HEADERS = 1 << 20
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_REASONS = {7: 14, 8: 1, 11: 8, 12: 7}
"""
HTTP/2 error code of a reset stream -> gRPC status, where it is not INTERNAL (13): gRPC over HTTP/2, "HTTP2 Transport
Mapping", Errors.
"""
_INTERNAL = 13


class Message(NamedTuple):
    """
    One gRPC message. `path` is the call's method as gRPC names it (`/package.Service/Method`), `call` is unique among
    the calls of a connection, `at_ns` is when its last byte passed the tap (nanoseconds since the epoch). `agent` is
    what the application that made the call calls itself (the header user-agent).
    """

    at_ns: int
    connection: int
    call: int
    path: str
    from_app: bool
    body: bytes
    agent: str | None


class Ended(NamedTuple):
    """
    The end of one call: its gRPC status; None if its connection ended before.
    """

    at_ns: int
    connection: int
    call: int
    path: str
    status: int | None


Event = Message | Ended


@dataclass
class _Call:
    path: str = ""
    agent: str | None = None
    compressed: dict[bool, bool] = field(default_factory=dict)
    read: dict[bool, bytearray] = field(default_factory=lambda: {True: bytearray(), False: bytearray()})


class _Direction:
    """
    One direction of a connection, in which frames are put together again.
    """

    def __init__(self) -> None:
        self.unread = bytearray()
        self.headers = Decoder(max_header_list_size=_MOST_HEADERS)
        # How large the table may be is agreed on in SETTINGS. The sender says in its header blocks how large it is.
        self.headers.max_allowed_table_size = _MOST_HEADERS
        self.block = bytearray()
        self.begun = False

    def frames(self, data: bytes) -> Iterator[Frame]:
        self.unread += data
        at = 0
        while len(self.unread) - at >= _FRAME_HEADER:
            frame, length = Frame.parse_frame_header(memoryview(bytes(self.unread[at : at + _FRAME_HEADER])))
            end = at + _FRAME_HEADER + length
            if len(self.unread) < end:
                break
            frame.parse_body(memoryview(bytes(self.unread[at + _FRAME_HEADER : end])))
            at = end
            yield frame
        del self.unread[:at]


class _Connection:
    def __init__(self, number: int) -> None:
        self._number = number
        self._directions = {True: _Direction(), False: _Direction()}
        self._calls: dict[int, _Call] = {}
        self._speaks: bool | None = None

    def take(self, at_ns: int, data: bytes, *, from_app: bool) -> Iterator[Event]:
        direction = self._directions[from_app]
        if from_app and not direction.begun:
            direction.unread += data
            if self._speaks is None and len(direction.unread) >= len(_PREFACE):
                self._speaks = direction.unread.startswith(_PREFACE)
                del direction.unread[: len(_PREFACE)]
            if not self._speaks:
                return
            direction.begun, data = True, b""
        if self._speaks is False:
            return  # somebody who speaks no HTTP/2, and is no application
        for frame in direction.frames(data):
            yield from self._frame(at_ns, frame, direction, from_app=from_app)

    def close(self, at_ns: int) -> Iterator[Event]:
        for number, call in self._calls.items():
            yield Ended(at_ns, self._number, number, call.path, None)
        self._calls.clear()

    def _frame(self, at_ns: int, frame: Frame, direction: _Direction, *, from_app: bool) -> Iterator[Event]:
        stream = frame.stream_id
        if isinstance(frame, HeadersFrame | ContinuationFrame):
            direction.block += frame.data
            if "END_HEADERS" not in frame.flags:
                return
            headers = {str(name): str(value) for name, value in direction.headers.decode(bytes(direction.block))}
            direction.block.clear()
            yield from self._headers(at_ns, stream, headers, from_app=from_app)
        elif isinstance(frame, DataFrame):
            yield from self._data(at_ns, stream, frame.data, from_app=from_app)
        elif isinstance(frame, RstStreamFrame) and (call := self._calls.pop(stream, None)) is not None:
            yield Ended(at_ns, self._number, stream, call.path, _REASONS.get(frame.error_code, _INTERNAL))

    def _headers(self, at_ns: int, stream: int, headers: dict[str, str], *, from_app: bool) -> Iterator[Event]:
        if ":path" in headers:
            self._calls[stream] = _Call(headers[":path"], headers.get(AGENT) or headers.get("user-agent"))
        call = self._calls.get(stream)
        if call is None:
            return  # of a call that has ended
        if "grpc-encoding" in headers:
            call.compressed[from_app] = headers["grpc-encoding"] in ("gzip", "deflate")
        if not from_app and "grpc-status" in headers:
            del self._calls[stream]
            yield Ended(at_ns, self._number, stream, call.path, int(headers["grpc-status"]))

    def _data(self, at_ns: int, stream: int, data: bytes, *, from_app: bool) -> Iterator[Event]:
        call = self._calls.get(stream)
        if call is None:
            return
        read = call.read[from_app]
        read += data
        at = 0
        while len(read) - at >= _MESSAGE_HEADER:
            end = at + _MESSAGE_HEADER + int.from_bytes(read[at + 1 : at + _MESSAGE_HEADER])
            if len(read) < end:
                break
            body = bytes(read[at + _MESSAGE_HEADER : end])
            if read[at] & 1:
                if not call.compressed.get(from_app):
                    raise EvidenceError(f"a message of {call.path} is compressed in a way that is not known")
                body = zlib.decompress(body, _GZIP_OR_ZLIB)
            at = end
            yield Message(at_ns, self._number, stream, call.path, from_app, body, call.agent)
        del read[:at]


class Reader:
    """
    Reads one record, some chunks at a time.
    """

    def __init__(self) -> None:
        self._connections: dict[int, _Connection] = {}
        self._at_ns = 0

    def read(self, chunks: Iterable[Chunk]) -> Iterator[Event]:
        """
        Return what the next chunks say, in order. Raises EvidenceError if a connection that begins as HTTP/2 does not
        go on so.
        """
        for chunk in chunks:
            self._at_ns = chunk.at_ns
            connection = self._connections.get(chunk.connection) or self._connections.setdefault(
                chunk.connection, _Connection(chunk.connection)
            )
            try:
                if chunk.what == What.CLOSED:
                    yield from self._connections.pop(chunk.connection).close(chunk.at_ns)
                elif chunk.data:
                    yield from connection.take(chunk.at_ns, chunk.data, from_app=chunk.what == What.FROM_APP)
            except (HPACKError, HyperframeError, zlib.error, ValueError) as error:
                raise EvidenceError(f"connection {chunk.connection} is no HTTP/2 at {chunk.at_ns}: {error}") from error

    def end(self) -> Iterator[Event]:
        """
        End the calls that are open at the end of the record, without status.
        """
        for connection in self._connections.values():
            yield from connection.close(self._at_ns)


def events(chunks: Iterable[Chunk]) -> Iterator[Event]:
    """
    Return what the chunks of one record say, in order. Raises EvidenceError as `Reader.read` does.
    """
    reader = Reader()
    yield from reader.read(chunks)
    yield from reader.end()
