"""
Free TCP ports that stay ours for a whole run, also while the node that uses one is down.

The kernel's own choice (bind to port 0) is of no use here: it comes from the range that outgoing connections
use too, so a port that is free at start may be taken when a killed node wants it back. These ports lie below
that range (Linux: 32768 and up, ip(7)), and a lock file for each keeps other runs on this machine away.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError

_RANGE = range(20_000, 32_000)
HOST = "127.0.0.1"


class Ports:
    """
    A lease on ports, given out one by one; make it with `lease`.
    """

    def __init__(self) -> None:
        self._locks: list[int] = []
        self._folder = Path(tempfile.gettempdir()) / f"harness-ports-{os.getuid()}"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        candidates = list(_RANGE)
        random.SystemRandom().shuffle(candidates)
        self._candidates = iter(candidates)

    def take(self) -> int:
        """
        One more port that nobody listens on and no other run holds. Raises HarnessError if there is none left.
        """
        for port in self._candidates:
            lock = os.open(self._folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            if _is_free(port):
                self._locks.append(lock)
                return port
            os.close(lock)
        raise HarnessError(f"no free port between {_RANGE.start} and {_RANGE.stop}")

    def release(self) -> None:
        """
        Give all ports back.
        """
        while self._locks:
            os.close(self._locks.pop())


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


@contextmanager
def lease() -> Iterator[Ports]:
    """
    A lease on ports that ends with the block, or with the process, however it ends (flock(2)).
    """
    ports = Ports()
    try:
        yield ports
    finally:
        ports.release()
