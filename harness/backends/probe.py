"""
Probes: the smallest exchange that the far end of a link answers, with the time that it takes. A probe shows whether a
fault on a link is felt.

Every probe takes the address of a listener at Toxiproxy and a timeout in seconds, and returns the seconds that the
exchange took. It raises TimeoutError if no answer comes in time, and ConnectionError if the link breaks or refuses the
connection.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import httpx

from harness import names
from harness.backends.endpoints import Address
from harness.model import Program, Target
from harness.names import Store

Probe = Callable[[Address, float], float]

_CHUNK = 4096
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

# RFC 9113, 3.4: a client begins with this text and a SETTINGS frame (here empty, 9 bytes). The server answers with a
# SETTINGS frame of its own.
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HTTP2_FRAME_HEADER = 9
_POSTGRES_PROTOCOL = 3 << 16
"""Version 3.0 of the protocol, as a StartupMessage says it."""


def redis(at: Address, timeout: float) -> float:
    """
    Send an inline PING (Redis serialization protocol specification).
    """
    return _exchange(at, timeout, b"PING\r\n", len(b"+PONG\r\n"))


def postgres(at: Address, timeout: float) -> float:
    """
    Ask to log in, and end the connection at the question for the password, whose beginning names the method (PostgreSQL
    documentation, "Message Formats": StartupMessage, AuthenticationSASL). No user of this name need be there, and a
    server that starts or recovers says so in more bytes than that.
    """
    parameters = b"user\0harness\0\0"
    request = struct.pack("!II", 8 + len(parameters), _POSTGRES_PROTOCOL) + parameters
    return _exchange(at, timeout, request, len(b"R....\0\0\0\x0aSCRAM-SHA-256\0\0"))


def grpc(at: Address, timeout: float) -> float:
    """
    Open an HTTP/2 connection. Every gRPC server answers this, and no method is called.
    """
    return _exchange(at, timeout, _HTTP2_PREFACE, _HTTP2_FRAME_HEADER)


def http(at: Address, timeout: float) -> float:
    """
    Send `OPTIONS *` and read the status line; any status will do. The request asks for no resource of the server (RFC
    9110, 9.3.7).

    A health route would do more than is needed here, and may call others: the health route of an app calls its sidecar.
    """
    return _exchange(at, timeout, f"OPTIONS * HTTP/1.1\r\nHost: {at}\r\n\r\n".encode(), len(b"HTTP/1.1 200"))


def end(at: Address, timeout: float) -> float:
    """
    Open a connection, end our side of it, and wait until the other side ends its side. Data that the other side sends
    before is ignored. The other side may also reset the connection, if it was still sending.

    Every server ends a connection after its client has ended it. Toxiproxy does so too: it cannot pass on that only one
    side has ended.
    """
    with socket.create_connection((at.host, at.port), timeout) as connection:
        begin = time.monotonic()
        connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while connection.recv(_CHUNK):
                connection.settimeout(max(0.001, begin + timeout - time.monotonic()))
    return time.monotonic() - begin


def client(timeout: float) -> httpx.Client:
    """
    Return an HTTP client for one request to a node, on a connection of its own. The caller must close it.

    httpx loads the machine's certificates for each client that it creates, which takes some 40 ms of CPU. Nodes do not
    use TLS, so this client gets none. It also ignores the proxy settings of the environment, because nodes are on this
    machine.
    """
    return httpx.Client(timeout=timeout, verify=_NO_TLS, trust_env=False)


def program(node: str, target: Target) -> Program | None:
    """
    Return how a node of the target's own is started; None for a node of the system.
    """
    of = names.node(node)
    return target.program(of.application) if of.role == names.APP else target.services.get(of.role)


_OF_STORE: Mapping[str, Probe] = {Store.REDIS: redis, Store.POSTGRES: postgres}


def of_node(node: str, target: Target) -> Probe:
    """
    Return the probe for a node: a sidecar is probed at its HTTP port, every other node at its only port.
    """
    if names.role(node) == names.SIDECAR or program(node, target) is not None:
        return http
    return _OF_STORE.get(node, grpc)


def of_link(link: str, target: Target) -> Probe:
    """
    Return the probe for the far end of a link. An app speaks gRPC to its sidecar, so that link is probed by gRPC.
    """
    ends = names.link(link)
    by_grpc = ends.source.role == names.APP and ends.dest.role == names.SIDECAR
    return grpc if by_grpc else of_node(str(ends.dest), target)


def _exchange(at: Address, timeout: float, request: bytes, answer: int) -> float:
    """
    Send `request` on a new connection, wait for `answer` bytes, and return the seconds that this took.
    """
    begin = time.monotonic()
    deadline = begin + timeout
    with socket.create_connection((at.host, at.port), timeout) as connection:
        connection.sendall(request)
        missing = answer
        while missing > 0:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            got = connection.recv(missing)
            if not got:
                raise ConnectionResetError(f"{at} closed the connection before it had answered")
            missing -= len(got)
    return time.monotonic() - begin
