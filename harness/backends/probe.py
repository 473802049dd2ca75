"""
The smallest exchange that a link's far end answers, timed: what shows whether a fault on a link is felt.

All take the address of a listener of Toxiproxy and a time-out in seconds, and return the seconds that the
exchange took. They raise TimeoutError when no answer came in time, ConnectionError when the link broke or
refused.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress

import httpx

from harness import names
from harness.backends.base import Address
from harness.model import Target

Probe = Callable[[Address, float], float]

_CHUNK = 4096
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

# RFC 9113, 3.4: a client opens with this and a SETTINGS frame (here: empty, 9 bytes); the server answers with its own.
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HTTP2_FRAME_HEADER = 9


def redis(at: Address, timeout: float) -> float:
    """
    An inline PING (Redis serialization protocol specification).
    """
    return _exchange(at, timeout, b"PING\r\n", len(b"+PONG\r\n"))


def grpc(at: Address, timeout: float) -> float:
    """
    The opening of an HTTP/2 connection, which every gRPC server answers without being called.
    """
    return _exchange(at, timeout, _HTTP2_PREFACE, _HTTP2_FRAME_HEADER)


def http(at: Address, timeout: float) -> float:
    """
    `OPTIONS *`, which asks for nothing of the server's own, and the status line, of any status (RFC 9110, 9.3.7).

    A health route would do more than is asked here, and may ask others: an app's asks its sidecar.
    """
    return _exchange(at, timeout, f"OPTIONS * HTTP/1.1\r\nHost: {at}\r\n\r\n".encode(), len(b"HTTP/1.1 200"))


def end(at: Address, timeout: float) -> float:
    """
    Open a connection, say that nothing will be sent, and wait for the other side to close it. What the other side sends
    first is of no interest; it may also end the connection by a reset, having been talking still.

    Any server ends a connection that its client has ended (or Toxiproxy, which hands on no half of an end).
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
    For one request by HTTP to a node, on a connection of its own; close it.

    httpx loads the machine's certificates for each client that it makes, some 40 ms of CPU; nodes speak no TLS, so this
    one knows none. It takes no proxy from the environment either: nodes are on this machine.
    """
    return httpx.Client(timeout=timeout, verify=_NO_TLS, trust_env=False)


def health_route(node: str, target: Target) -> str | None:
    """
    Where a node says that it is ready, at the port at which it is asked; None for what speaks no HTTP there.
    """
    role = names.role(node)
    program = target.app if role == names.APP else target.services.get(role)
    if program is not None:
        return program.health
    return "/v1.0/healthz" if role == names.SIDECAR else None


def of_node(node: str, target: Target) -> Probe:
    """
    How a node is asked for a sign of life: a sidecar at its HTTP port, every other one at its only port.
    """
    if health_route(node, target) is not None:
        return http
    return redis if node == names.REDIS else grpc


def of_link(link: str, target: Target) -> Probe:
    """
    How the far end of a link is asked: an app speaks gRPC to its sidecar.
    """
    ends = names.link(link)
    by_grpc = ends.source.role == names.APP and ends.dest.role == names.SIDECAR
    return grpc if by_grpc else of_node(str(ends.dest), target)


def _exchange(at: Address, timeout: float, request: bytes, answer: int) -> float:
    """
    Send `request` on a new connection and wait for `answer` bytes.
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
